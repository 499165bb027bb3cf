"""Score a network through the segmenter that users get, at the size of each mask.

Pictures are read and scored on other threads while the network predicts on the caller's; only a few
are under way at once, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.config.schema import EvaluationConfig, LabelledData
from humanseg.data.layouts import discover
from humanseg.data.metadata import describe_data, read_facts
from humanseg.data.samples import Sample
from humanseg.errors import DataError, UsageError
from humanseg.evaluation.analysis import analyse_evaluation
from humanseg.evaluation.metrics import (
    Counts,
    Mask,
    add_calibrations,
    calibrate,
    count_pixels,
    score_image,
    summarise,
)
from humanseg.images.resize import resize_mask, resize_mask_nearest, resize_probability
from humanseg.images.stored_maps import read_probability, write_mask, write_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import ModelRecord, find_model
from humanseg.models import TorchEngine, load_network
from humanseg.results import (
    Calibration,
    DataRecord,
    Evaluation,
    ImageScore,
    ScoreSummary,
    read_record,
    write_record,
)
from humanseg.results.provenance import describe_environment
from humanseg.system.cpu import usable_cores
from humanseg.system.threads import ordered_map

_AHEAD = 2  # pictures per thread: full-size masks and maps are large

Probability = NDArray[np.float32]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Scored:
    """Scores of some pictures, in their order."""

    scores: tuple[ImageScore, ...]
    summary: ScoreSummary
    calibration: Calibration | None
    """Over all pixels at the masks' native size; None where it was not asked for."""
    band_calibration: Calibration | None
    """The same over the pixels within 2 % of the diagonal of the truth's contour."""


@dataclass(frozen=True)
class _Measured:
    score: ImageScore
    grid: Counts
    calibrations: tuple[Calibration, Calibration] | None


@dataclass(frozen=True)
class _Ruler:
    """How every picture is measured."""

    cut: Callable[[Probability], Mask]
    mask_resize: str
    detailed: bool

    def measure(self, sample: Sample, probability: Probability) -> _Measured:
        truth = sample.read_mask()
        shrink = resize_mask if self.mask_resize == "area" else resize_mask_nearest
        grid_truth = shrink(truth, (probability.shape[0], probability.shape[1]))
        native = resize_probability(probability, (truth.shape[0], truth.shape[1]))
        return _Measured(
            score_image(sample.id, self.cut(native), truth, contours=self.detailed),
            count_pixels(self.cut(probability), grid_truth),
            calibrate(native, truth) if self.detailed else None,
        )


def score_samples(
    samples: Sequence[Sample],
    predict: Callable[[NDArray[np.uint8]], Probability],
    *,
    cut: Callable[[Probability], Mask],
    mask_resize: str,
    store: Callable[[str], Path] | None = None,
    detailed: bool = True,
    read: Callable[[Sample], NDArray[np.uint8]] | None = None,
    progress: Progress | None = None,
) -> Scored:
    """Score what a network finds in samples.

    Args:
        samples: what to score, in the order of the published batches.
        predict: takes a picture, uint8 (H, W, 3), and gives the probability on the network's grid;
            called on this thread, one picture after the other.
        cut: turns a probability map into a mask.
        mask_resize: how truth reaches that grid for the published scores, `area` or `nearest`.
        store: file to keep a sample's probability in, by its id. What is scored is then what was
            stored, and `score_stored` finds the very same.
        detailed: also measure contours and calibration, which the summary does not hold.
        read: gives the picture of a sample instead of its file; one that is on the network's grid
            already changes nothing but the time.
        progress: called with (done, total), on this thread.

    Raises:
        ImageError: a picture or mask that cannot be read.
        DataError: a sample without a mask, or a probability that is none.
        ValueError: no samples.
    """
    ruler = _Ruler(cut, mask_resize, detailed)

    def finish(found: tuple[Sample, Probability]) -> _Measured:
        sample, probability = found
        if store is not None:
            probability = write_probability(store(sample.id), probability)
        return ruler.measure(sample, probability)

    depth = _AHEAD * usable_cores()
    with closing(ordered_map(read or Sample.read_image, samples, depth=depth)) as pictures:
        found = (
            (sample, _checked(sample, predict(picture)))
            for sample, picture in zip(samples, pictures, strict=True)
        )
        with closing(ordered_map(finish, found, depth=depth)) as measured:
            return _collect(measured, len(samples), progress)


def score_stored(
    samples: Sequence[Sample],
    file: Callable[[str], Path],
    *,
    threshold: float,
    mask_resize: str,
    progress: Progress | None = None,
) -> Scored:
    """Score stored probability maps; needs no network.

    Args:
        samples: as for `score_samples`.
        file: where the probability of a sample lies, by its id.
        threshold: a pixel is a person where its probability is at least this.
        mask_resize: as for `score_samples`.
        progress: called with (done, total), on this thread.

    Raises:
        ImageError: a mask that cannot be read.
        DataError: a stored map that is missing or damaged, or a sample without a mask.
        ValueError: no samples.
    """
    ruler = _Ruler(partial(_at_least, threshold), mask_resize, detailed=True)

    def measure(sample: Sample) -> _Measured:
        return ruler.measure(sample, read_probability(file(sample.id)))

    with closing(ordered_map(measure, samples, depth=_AHEAD * usable_cores())) as measured:
        return _collect(measured, len(samples), progress)


def _at_least(threshold: float, probability: Probability) -> Mask:
    return np.asarray(probability >= threshold)


def _checked(sample: Sample, probability: Probability) -> Probability:
    if not (probability.min() >= 0.0 and probability.max() <= 1.0):  # NaN is neither
        raise DataError(
            f"{sample.id}: the network gave no probability for this picture (NaN, or outside 0 to "
            "1), so its weights are damaged. Copy the model again or train anew."
        )
    return probability


def _collect(measured: Iterable[_Measured], total: int, progress: Progress | None) -> Scored:
    scores: list[ImageScore] = []
    grid: list[Counts] = []
    whole: Calibration | None = None
    band: Calibration | None = None
    for done, one in enumerate(measured, start=1):
        scores.append(one.score)
        grid.append(one.grid)
        if one.calibrations is not None:
            whole = _plus(whole, one.calibrations[0])
            band = _plus(band, one.calibrations[1])
        if progress:
            progress(done, total)
    return Scored(tuple(scores), summarise(scores, grid), whole, band)


def _plus(before: Calibration | None, more: Calibration) -> Calibration:
    return more if before is None else add_calibrations((before, more))


@dataclass(frozen=True)
class LoadedModel:
    """A saved model, ready to predict."""

    segmenter: Segmenter
    record: ModelRecord
    settings: EvaluationConfig
    """How it cuts and averages: its own settings, but for what was asked for."""


def load_model(
    model: Path, *, threshold: float | None = None, flip_averaging: bool | None = None
) -> LoadedModel:
    """The segmenter of a model directory, which computes in torch in float32 on the CPU.

    Args:
        model: model directory, or `bundled`.
        threshold: a pixel is a person where its probability is at least this; the model's own
            by default.
        flip_averaging: average with the mirrored picture; the model's own setting by default.

    Raises:
        ModelError: not a readable model directory.
    """
    directory = find_model(model)
    network, record = load_network(directory)
    own = record.config.evaluation
    settings = EvaluationConfig(
        threshold=own.threshold if threshold is None else threshold,
        flip_averaging=own.flip_averaging if flip_averaging is None else flip_averaging,
    )
    segmenter = Segmenter.of_engine(
        TorchEngine.of_network(network, record.preprocessing.image_size),
        threshold=settings.threshold,
        flip_averaging=settings.flip_averaging,
        record=record,
        model=directory,
    )
    return LoadedModel(segmenter, record, settings)


def evaluate(
    model: Path,
    *,
    data: LabelledData,
    groups: Path | None = None,
    threshold: float | None = None,
    flip_averaging: bool | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Score a saved model on a data set and say what follows.

    With `output` it leaves there what the scores were made from:

    predictions/ID.png   probability maps, see `humanseg.images.stored_maps`
    truth/ID.png         truth masks
    data.json            `DataRecord`
    evaluation.json      the `Evaluation`

    Args:
        model: model directory, such as the folder `model` of a run.
        data: where the pictures are. Truth reaches the grid as in the model's training, whatever
            `data.mask_resize` says, so that the published scores stay comparable.
        groups: CSV table of groups and sources, see `read_facts`; both are guessed without it.
        threshold: a pixel is a person where its probability is at least this; the model's own
            by default.
        flip_averaging: average with the mirrored picture; the model's own setting by default.
        output: folder, made if need be. One that holds an evaluation of the same pictures is
            filled anew.
        progress: called with (done, total).

    Raises:
        UsageError: no data folder given, it does not exist, or `output` holds something else.
        DataError: no samples in it, a picture without truth, or a table that does not fit.
        ImageError: a picture or mask that cannot be read.
        ModelError: not a readable model directory.
    """
    if data.root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    loaded = load_model(model, threshold=threshold, flip_averaging=flip_averaging)
    segmenter, record = loaded.segmenter, loaded.record
    samples = discover(data.root, data.layout)
    described = describe_data(samples, read_facts(samples, groups))
    if output is not None:
        _begin(output, described, samples)
    scored = score_samples(
        samples,
        segmenter.grid_probability,
        cut=segmenter.cut,
        mask_resize=record.config.data.mask_resize,
        store=None if output is None else partial(_png, output / "predictions"),
        progress=progress,
    )
    evaluation = Evaluation(
        model=str(model),
        arch=record.config.model.arch,
        encoder_name=record.encoder_name,
        trained_on=record.data_fingerprint,
        also_trained_on=record.extra_fingerprints,
        data_fingerprint=described.fingerprint,
        evaluation=loaded.settings,
        scores=scored.scores,
        summary=scored.summary,
        calibration=scored.calibration,
        band_calibration=scored.band_calibration,
        sources=described.sources,
        groups=described.groups,
        environment=describe_environment(device="cpu", threads=torch.get_num_threads()),
    )
    evaluation = evaluation.model_copy(update={"analysis": analyse_evaluation(evaluation)})
    if output is not None:
        write_record(output / "evaluation.json", evaluation)
    return evaluation


def _begin(output: Path, described: DataRecord, samples: Sequence[Sample]) -> None:
    """Leave in a new folder, or one of these very pictures, what is known before predicting."""
    _check_output(output, described)
    (output / "evaluation.json").unlink(missing_ok=True)  # its predictions are about to go
    write_record(output / "data.json", described)

    def leave_truth(sample: Sample) -> None:
        write_mask(_png(output / "truth", sample.id), sample.read_mask())

    with closing(ordered_map(leave_truth, samples, depth=_AHEAD * usable_cores())) as left:
        for _ in left:
            pass


def _check_output(output: Path, described: DataRecord) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / "data.json").is_file() or (output / "plan.yaml").exists():
        raise UsageError(f"{output}: is not empty and no evaluation; name another folder.")
    if read_record(output / "data.json", DataRecord).fingerprint != described.fingerprint:
        raise UsageError(
            f"{output}: holds an evaluation on other pictures or masks; name another folder."
        )


def _png(folder: Path, name: str) -> Path:
    return folder / f"{name}.png"
