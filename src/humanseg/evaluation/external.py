"""Score trained networks where it is harder: on other data sets, and on corrupted pictures.

RUN/external/NAME.json   `Evaluation` on another data set
RUN/corrupted.json        `CorruptedScores` of test pictures
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from humanseg.config.comparison_config import slug
from humanseg.config.split_config import SplitConfig
from humanseg.data.fingerprint import file_digest, fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.errors import DataError
from humanseg.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt_pair
from humanseg.evaluation.scoring import load_model, score_samples
from humanseg.images.resize import resize_mask
from humanseg.results import CorruptedScores, Evaluation, RunResult, read_record, write_record

Progress = Callable[[int, int], None]

_SHOWN = 3
_WORKERS = 2


@dataclass(frozen=True)
class ExternalData:
    """A data set that nothing is trained on."""

    name: str
    samples: tuple[Sample, ...]
    fingerprint: str

    def part(self, split: SplitConfig) -> tuple[Sample, ...]:
        """Pictures that the network of this split scores: all, or with folds every K-th.

        Like the comparison's own pictures, each is then scored once per repeat and seed, and all
        folds' networks have their share.
        """
        if split.protocol != "folds":
            return self.samples
        return self.samples[split.fold - 1 :: split.folds]


def find_external_data(root: Path, trained_on: Sequence[Sample], *, folds: int = 1) -> ExternalData:
    """Find another data set's pictures.

    Args:
        root: folder, CSV or COCO JSON with images and masks.
        trained_on: the pictures of the comparison.
        folds: number of its folds.

    Raises:
        UsageError: no such path or no known layout.
        DataError: pictures without masks, fewer than folds, or pictures that are also in the
            comparison's own data.
    """
    samples = discover(root)
    own = {file_digest(sample.image) for sample in trained_on}
    shared = [sample.id for sample in samples if file_digest(sample.image) in own]
    if shared:
        raise DataError(
            f"{root}: {len(shared)} of its pictures ({', '.join(shared[:_SHOWN])}) are also in the "
            "data that is trained on, so this would be no test on other data. Remove them."
        )
    if len(samples) < folds:
        raise DataError(
            f"{root}: holds {len(samples)} pictures, too few for the networks of {folds} folds. "
            "Add pictures or leave it out."
        )
    return ExternalData(slug(root.name), tuple(samples), fingerprint(samples))


def score_external(
    run: Path, result: RunResult, data: ExternalData, progress: Progress | None = None
) -> Evaluation:
    """Score a finished run's network on its part of another data set.

    What was scored before is read, if the data are the same.

    Args:
        run: run folder.
        result: what came of the run.
        data: the other data set.
        progress: called with (done, total).

    Raises:
        ModelError: the run's model is gone or damaged.
        ImageError: a picture that cannot be read.
    """
    file = run / "external" / f"{data.name}.json"
    samples = data.part(result.config.split)
    if file.exists():
        before = read_record(file, Evaluation)
        same = [score.id for score in before.scores] == [sample.id for sample in samples]
        known = (before.data_fingerprint, before.environment)
        if same and known == (data.fingerprint, result.environment):
            return before
    loaded = load_model(run / "model")
    segmenter, record = loaded.segmenter, loaded.record
    scored = score_samples(
        samples,
        segmenter.grid_probability,
        cut=segmenter.cut,
        mask_resize=record.config.data.mask_resize,
        progress=progress,
    )
    evaluation = Evaluation(
        model=f"{run.name}/model",
        arch=record.arch,
        encoder_name=record.encoder_name,
        trained_on=record.data_fingerprint,
        also_trained_on=record.extra_fingerprints,
        data_fingerprint=data.fingerprint,
        evaluation=record.config.evaluation,
        scores=scored.scores,
        summary=scored.summary,
        calibration=scored.calibration,
        band_calibration=scored.band_calibration,
        sources={},
        groups={},
        environment=result.environment,
    )
    write_record(file, evaluation)
    return evaluation


def choose_images(ids: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """Draw the images to corrupt: the same for every network of a plan.

    Args:
        ids: pictures that are tested by the plan.
        count: how many; all if there are fewer.
        seed: decides which.
    """
    ordered = sorted(ids)
    chosen = np.random.default_rng(seed).permutation(len(ordered))[:count]
    return tuple(ordered[index] for index in sorted(chosen))


def score_corrupted(
    run: Path,
    result: RunResult,
    samples: Mapping[str, Sample],
    chosen: Sequence[str],
    progress: Progress | None = None,
) -> CorruptedScores:
    """Score a finished run's network on corrupted copies of its own test pictures.

    Pictures are corrupted at their own size, before anything else is done to them.

    Args:
        run: run folder.
        result: what came of the run.
        samples: the data set.
        chosen: pictures to corrupt; those that the run did not test are left out.
        progress: called with (done, total).

    Raises:
        ModelError: the run's model is gone or damaged.
    """
    tested = set(result.split.test)
    ids = tuple(name for name in chosen if name in tested)
    file = run / "corrupted.json"
    if file.exists():
        before = read_record(file, CorruptedScores)
        known = (before.images, before.data_fingerprint, before.environment)
        if known == (ids, result.data_fingerprint, result.environment):
            return before
    segmenter = load_model(run / "model").segmenter
    clean: list[float | None] = []
    ious: dict[str, list[list[float | None]]] = {
        name: [[] for _ in SEVERITIES] for name in CORRUPTIONS
    }
    for number, name in enumerate(ids, start=1):
        image, truth = _at_one_size(samples[name])
        clean.append(_iou(segmenter.mask(image), truth))
        for corruption, severity, changed, moved in _corrupted(image, truth, crc32(name.encode())):
            ious[corruption][severity - 1].append(_iou(segmenter.mask(changed), moved))
        if progress:
            progress(number, len(ids))
    record = CorruptedScores(
        data_fingerprint=result.data_fingerprint,
        environment=result.environment,
        images=ids,
        clean=tuple(clean),
        ious={name: tuple(map(tuple, levels)) for name, levels in ious.items()},
    )
    write_record(file, record)
    return record


def _at_one_size(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Picture and truth at the picture's size: rotation must move both alike."""
    image = sample.read_image()
    return image, resize_mask(sample.read_mask(), (image.shape[0], image.shape[1]))


def _corrupted(
    image: NDArray[np.uint8], truth: NDArray[np.bool_], seed: int
) -> Iterator[tuple[str, int, NDArray[np.uint8], NDArray[np.bool_]]]:
    """Every corruption and severity, made ahead of the network on other threads."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        for name in CORRUPTIONS:
            corrupt = partial(corrupt_pair, image, truth, name, seed=seed)
            made = pool.map(lambda severity, make=corrupt: make(severity=severity), SEVERITIES)
            for severity, (changed, moved) in zip(SEVERITIES, made, strict=True):
                yield name, severity, changed, moved


def _iou(prediction: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float | None:
    union = int(np.count_nonzero(prediction | truth))
    return int(np.count_nonzero(prediction & truth)) / union if union else None
