"""Score a model on a data set exactly as its users run it, and say what follows.

FOLDER/predictions/ID.png   probability maps, see `humanseg.images.stored_maps`
FOLDER/truth/ID.png         truth masks
FOLDER/data.json            `DataRecord`
FOLDER/evaluation.json      `Evaluation`
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from humanseg.annotations.label_set import PERSON
from humanseg.config.schema import EvaluationConfig, Layout
from humanseg.data.fingerprint import fingerprint, sample_digests
from humanseg.data.inspection import Digests, InspectedSample
from humanseg.data.layouts import discover
from humanseg.data.metadata import derive_facts, describe_data
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature, signature
from humanseg.data.sources import read_group_table
from humanseg.data.training_images import seen_in_training
from humanseg.evaluation.analysis import Subject, analyse, scores_of
from humanseg.evaluation.by_attribute import (
    GROUPS,
    ScenePeople,
    analyse_attribute,
    columns_of,
    describe_people,
    labels_of,
)
from humanseg.evaluation.metrics import Mask
from humanseg.evaluation.scoring import Image, score_samples, setup_of
from humanseg.images.resize import Size
from humanseg.images.stored_maps import write_mask
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import VARIANTS, WEIGHTS_FILE, default_model, name_of
from humanseg.results import DataRecord, Evaluation, read_record, write_record
from humanseg.results.provenance import describe_environment
from humanseg.system.errors import UsageError
from humanseg.system.progress import ItemProgress

_log = logging.getLogger(__name__)


def evaluate(
    model: Segmenter | str | Path,
    *,
    data: Path,
    layout: Layout = "auto",
    classes: Sequence[str] = PERSON,
    groups: Path | None = None,
    by: Sequence[str] = (),
    whole_files: bool = False,
    output: Path | None = None,
    name: str | None = None,
    progress: ItemProgress | None = None,
) -> Evaluation:
    """Score a saved model, or a network of one's own, on a data set and say what follows.

    Every image and every mask is decoded once: scores, groups, sources and the fingerprint all come
    from that.

    Args:
        model: what to score: a segmenter with the backend, precision, device, threshold and flip
            averaging of interest, or a model directory or `bundled`, which is then run as
            `Segmenter(model)` runs it. Truth reaches the grid as in the model's training, so that
            the published scores stay comparable; of a network without a record by area.
        data: folder, CSV or file of labels with images and masks.
        layout: how it is laid out, see `discover`.
        classes: names of the labels' classes that are people.
        groups: CSV table of groups and sources, see `read_group_table`; both are guessed without.
        by: attributes to score by: `person-size`, `people`, `cut-off`, `luminance`, `contrast`, or
            columns of the table of groups; see docs/groups.md.
        whole_files: decode JPEGs whole and ignore colour profiles, as the scores of a comparison
            do; otherwise files are read as `Segmenter.predict` reads them.
        output: folder for what the scores were made from, made if need be. One that holds an
            evaluation of the same images is filled anew.
        name: what results and reports call it; by default a saved model's architecture. Needed for
            a segmenter without a model directory, such as that of a network of one's own.
        progress: called with (done, total).

    Raises:
        UsageError: the data do not exist, `output` holds something else, an attribute that is not
            known, or a segmenter without a model directory or a name.
        DataError: no samples in it, an image without truth, or a table that does not fit.
        ImageError: an image or mask that cannot be read.
        ModelError: not a readable model directory.
    """
    segmenter = model if isinstance(model, Segmenter) else Segmenter(model)
    record = segmenter.record
    if not name and (record is None or segmenter.model is None):
        raise UsageError(
            "model: got a segmenter without a model directory; say what to call its network with "
            "name, or open it from a model directory."
        )
    if record is not None and segmenter.threshold != record.threshold:
        _log.warning(
            "scored at the threshold %g; the model's own is %g. Chosen by these scores, it makes "
            "them too high for new pictures.",
            segmenter.threshold,
            record.threshold,
        )
    samples = discover(data, layout, classes)
    # Before anything is decoded:
    table = read_group_table(groups, [sample.id for sample in samples]) if groups else {}
    columns = columns_of(by, table)
    if output is not None:
        _check_output(output, samples)
        (output / "evaluation.json").unlink(missing_ok=True)  # its predictions are about to go
    reader = _Reader(
        segmenter,
        whole_files=whole_files,
        truth=output and output / "truth",
        look=any(attribute in GROUPS for attribute in by),
    )
    scored = score_samples(
        samples,
        lambda image: segmenter.predict(image).grid,
        threshold=segmenter.threshold,
        mask_resize=record.config.data.mask_resize if record else "area",
        read=reader.image,
        read_mask=reader.mask,
        store=None if output is None else partial(_png, output / "predictions"),
        progress=progress,
    )
    facts = derive_facts(samples, [reader.inspected[sample.id] for sample in samples], table)
    described = describe_data(samples, facts, fingerprint(samples, digests=reader.digests))
    engine = segmenter.engine
    signatures = dict(sorted(facts.signatures.items()))
    seen = () if segmenter.model is None else seen_in_training(segmenter.model, signatures)
    evaluation = Evaluation(
        model=_called(model, name),
        arch=name or (record.config.model.arch if record else ""),
        encoder_name=record.encoder_name if record else None,
        trained_on=record.data_fingerprint if record else None,
        also_trained_on=record.extra_fingerprints if record else (),
        data_fingerprint=described.fingerprint,
        seen_images=seen,
        evaluation=EvaluationConfig(
            threshold=segmenter.threshold,
            flip_averaging=segmenter.flip_averaging,
            sure_share=segmenter.sure_share,
        ),
        setup=setup_of(segmenter, whole_files=whole_files),
        weights=record.files.get(WEIGHTS_FILE) if record else None,
        model_threshold=record.threshold if record else None,
        **vars(scored),
        sources=described.sources,
        groups=described.groups,
        environment=describe_environment(device=engine.device, threads=engine.threads),
    )
    attributes = tuple(
        analyse_attribute(
            name,
            scored.scores,
            columns[name] if name in columns else labels_of(name, reader.people),
            described.groups,
        )
        for name in dict.fromkeys(by)
    )
    subject = Subject(evaluation.arch, evaluation.arch, (scores_of(evaluation),))
    analysis = analyse([subject], groups=described.groups, sources=described.sources)
    analysis = analysis.model_copy(update={"attributes": attributes})
    evaluation = evaluation.model_copy(update={"analysis": analysis})
    if output is not None:
        write_record(output / "data.json", described)
        write_record(output / "evaluation.json", evaluation)
    return evaluation


@dataclass(eq=False)
class _Reader:
    """Decodes every file of a data set once, in threads, and keeps what else is asked of it."""

    segmenter: Segmenter
    whole_files: bool
    truth: Path | None
    """Folder to leave masks in."""
    look: bool
    """Whether to describe the people."""
    inspected: dict[str, InspectedSample] = field(default_factory=dict)
    digests: dict[str, Digests] = field(default_factory=dict)
    people: dict[str, ScenePeople | None] = field(default_factory=dict)
    _under_way: dict[str, tuple[Image | None, Size, Signature]] = field(default_factory=dict)

    def image(self, sample: Sample) -> Image:
        """The image of a sample, uint8 (H, W, 3)."""
        if self.whole_files:
            pixels = sample.read_image()
            size: Size = (pixels.shape[0], pixels.shape[1])
        else:
            loaded = self.segmenter.load(sample.image)
            pixels, size = loaded.pixels, loaded.size
        self._under_way[sample.id] = pixels if self.look else None, size, signature(pixels)
        return pixels

    def mask(self, sample: Sample) -> Mask:
        """The truth of a sample, bool (H, W)."""
        mask = sample.read_mask()
        pixels, size, seen = self._under_way.pop(sample.id)
        self.inspected[sample.id] = InspectedSample(size, float(mask.mean()), seen)
        self.digests[sample.id] = sample_digests(sample)
        if pixels is not None:
            self.people[sample.id] = describe_people(pixels, mask)
        if self.truth is not None:
            write_mask(_png(self.truth, sample.id), mask)
        return mask


def _check_output(output: Path, samples: Sequence[Sample]) -> None:
    """Refuse a folder of something else; new ones, and what an interruption left, are filled."""
    content = {path.name for path in output.iterdir()} if output.is_dir() else set()
    if not output.exists() or (output.is_dir() and content <= {"predictions", "truth"}):
        return
    if "data.json" not in content or "plan.yaml" in content:
        raise UsageError(f"{output}: is not empty and no evaluation; name another folder.")
    if read_record(output / "data.json", DataRecord).fingerprint != fingerprint(samples):
        raise UsageError(
            f"{output}: holds an evaluation on other pictures or masks; name another folder."
        )


def _called(model: Segmenter | str | Path, name: str | None) -> str:
    """In its record: `bundled`, a variant of that, its path as given, or without one `name`."""
    if not isinstance(model, Segmenter):
        return str(model)
    if model.model is None:
        return str(name)
    name = name_of(model.model)
    if model.record is None:
        return name
    own, size = model.record.preprocessing.image_size, model.image_size
    flips = model.record.config.evaluation.flip_averaging
    for called, variant in VARIANTS.items() if name == default_model() else ():
        averaged = flips if variant.flip_averaging is None else variant.flip_averaging
        if (size, model.flip_averaging) == (variant.image_size or own, averaged):
            return called
    return name if size == own else f"{name} ({size[0]}x{size[1]})"


def _png(folder: Path, name: str) -> Path:
    return folder / f"{name}.png"
