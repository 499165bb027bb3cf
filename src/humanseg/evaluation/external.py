"""Score trained networks where it is harder: on other data sets, and on corrupted images.

Like the runs themselves, they are scored in torch in float32, from whole files.

RUN/external/NAME.json   `Evaluation` on another data set
RUN/corrupted.json        `CorruptedScores` of test images
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from zlib import crc32

import numpy as np

from humanseg.annotations.label_set import PERSON
from humanseg.config.comparison_config import slug
from humanseg.config.split_config import SplitConfig
from humanseg.data.duplicates import find_duplicates, group_ids
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.signatures import ImageBits, Signature, read_signatures
from humanseg.data.training_images import copied, seen_in_training, some
from humanseg.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt_pair
from humanseg.evaluation.metrics import Mask, count_pixels
from humanseg.evaluation.scoring import (
    Image,
    Probability,
    predict_each,
    refuse_no_probability,
    score_samples,
    setup_of,
)
from humanseg.images.resize import resize_mask, resize_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.results import CorruptedScores, Evaluation, RunResult, read_record, write_record
from humanseg.system.errors import DataError
from humanseg.system.progress import ItemProgress


@dataclass(frozen=True)
class ExternalData:
    """A data set that nothing is trained on."""

    name: str
    samples: tuple[Sample, ...]
    fingerprint: str
    signatures: dict[str, Signature]
    """By id."""
    groups: dict[str, str]
    """Group by id: copies of an image are one."""

    def of_split(self, split: SplitConfig) -> tuple[Sample, ...]:
        """Images that the network of this split scores: all, or with folds every K-th.

        Like the comparison's own images, each is then scored once per repeat and seed, and all
        folds' networks have their share.
        """
        if split.protocol != "folds":
            return self.samples
        return self.samples[split.fold - 1 :: split.folds]


def find_external_data(
    root: Path, trained_on: ImageBits, *, folds: int = 1, classes: Sequence[str] = PERSON
) -> ExternalData:
    """Find another data set's images.

    Raises:
        UsageError: no such path or no known layout.
        DataError: images without masks, fewer than folds, or images that show the same as one of
            the comparison's own data.
        ImageError: an image that cannot be read.
    """
    samples = discover(root, classes=classes)
    signatures = read_signatures(samples)
    shared = copied(trained_on, signatures)
    if shared:
        raise DataError(
            f"{root}: {len(shared)} of its pictures ({some(shared)}) show the same as one in the "
            "data that is trained on, so this would be no test on other data. Remove them."
        )
    if len(samples) < folds:
        raise DataError(
            f"{root}: holds {len(samples)} pictures, too few for the networks of {folds} folds. "
            "Add pictures or leave it out."
        )
    ids = [sample.id for sample in samples]
    copies = find_duplicates([signatures[name] for name in ids])
    groups = group_ids(ids, ((pair.first, pair.second) for pair in copies))
    return ExternalData(slug(root.name), tuple(samples), fingerprint(samples), signatures, groups)


def score_external(
    run: Path, result: RunResult, data: ExternalData, progress: ItemProgress | None = None
) -> Evaluation:
    """Score a finished run's network on its part of another data set.

    What was scored before is read, if the data are the same.

    Raises:
        ModelError: the run's model is gone or damaged.
        ImageError: a picture that cannot be read.
    """
    file = run / "external" / f"{data.name}.json"
    samples = data.of_split(result.config.split)
    groups = {sample.id: data.groups[sample.id] for sample in samples}
    if file.exists():
        before = read_record(file, Evaluation)
        same_samples = [score.id for score in before.scores] == [sample.id for sample in samples]
        origin = (before.data_fingerprint, before.environment)
        if same_samples and origin == (data.fingerprint, result.environment):
            if before.groups != groups:  # earlier versions had none
                before = before.model_copy(update={"groups": groups})
                write_record(file, before)
            return before
    segmenter = _segmenter(run)
    scored = score_samples(
        samples,
        lambda image: segmenter.predict(image).grid,
        threshold=segmenter.threshold,
        mask_resize=result.config.data.mask_resize,
        progress=progress,
    )
    evaluation = Evaluation(
        model=f"{run.name}/model",
        arch=result.config.model.arch,
        encoder_name=result.config.model.encoder_name,
        trained_on=result.data_fingerprint,
        also_trained_on=segmenter.record.extra_fingerprints if segmenter.record else (),
        data_fingerprint=data.fingerprint,
        seen_images=seen_in_training(
            run / "model", {sample.id: data.signatures[sample.id] for sample in samples}
        ),
        evaluation=result.config.evaluation,
        setup=setup_of(segmenter, whole_files=True),
        **vars(scored),
        sources={},
        groups=groups,
        environment=result.environment,
    )
    write_record(file, evaluation)
    return evaluation


def _segmenter(run: Path) -> Segmenter:
    """The network of a finished run, as runs are scored; on a GPU where there is one."""
    return Segmenter(run / "model", backend="torch", precision="fp32")


def choose_images(ids: Sequence[str], count: int, seed: int) -> tuple[str, ...]:
    """Draw the images to corrupt: the same for every network of a plan."""
    ordered = sorted(ids)
    chosen = np.random.default_rng(seed).permutation(len(ordered))[:count]
    return tuple(ordered[index] for index in sorted(chosen))


def score_corrupted(
    run: Path,
    result: RunResult,
    samples: Mapping[str, Sample],
    chosen: Sequence[str],
    progress: ItemProgress | None = None,
) -> CorruptedScores:
    """Score a finished run's network on corrupted copies of its own test images.

    Images are corrupted at their own size, before anything else is done to them.

    Raises:
        ModelError: the run's model is gone or damaged.
    """
    tested = set(result.split.test)
    ids = tuple(name for name in chosen if name in tested)
    file = run / "corrupted.json"
    if file.exists():
        before = read_record(file, CorruptedScores)
        origin = (before.images, before.data_fingerprint, before.environment)
        if origin == (ids, result.data_fingerprint, result.environment):
            return before
    segmenter = _segmenter(run)
    ious: dict[tuple[str | None, int], list[float | None]] = defaultdict(list)
    scores = predict_each(
        _copies([samples[name] for name in ids]),
        lambda image: segmenter.predict(image).grid,
        read=_Copy.make,
        finish=lambda copy, grid: copy.score(grid, segmenter.threshold),
    )
    with closing(scores):
        for copy, iou in scores:
            if progress and copy.corruption is None:
                progress(len(ious[None, 0]), len(ids))
            ious[copy.corruption, copy.severity].append(iou)
    if progress:
        progress(len(ids), len(ids))
    record = CorruptedScores(
        data_fingerprint=result.data_fingerprint,
        environment=result.environment,
        images=ids,
        clean=tuple(ious[None, 0]),
        ious={
            name: tuple(tuple(ious[name, severity]) for severity in SEVERITIES)
            for name in CORRUPTIONS
        },
    )
    write_record(file, record)
    return record


@dataclass(frozen=True, eq=False)
class _Copy:
    """An image as it is or corrupted, with its truth at the same size."""

    id: str
    image: Image
    truth: Mask
    ignored: Mask | None
    corruption: str | None = None
    """None for the image as it is."""
    severity: int = 0

    def make(self) -> tuple[Image, _Copy]:
        """The corrupted image, and this copy with what has become of the truth."""
        if self.corruption is None:
            return self.image, self
        seed = crc32(self.id.encode())
        corrupted = partial(corrupt_pair, name=self.corruption, severity=self.severity, seed=seed)
        image, truth = corrupted(self.image, self.truth)
        ignored = None if self.ignored is None else corrupted(self.image, self.ignored)[1]
        return image, replace(self, truth=truth, ignored=ignored)

    def score(self, probability: Probability, threshold: float) -> tuple[_Copy, float | None]:
        """This copy, and its per-image IoU by the probability on the network's grid."""
        refuse_no_probability(self.id, probability)
        native = resize_probability(probability, (self.truth.shape[0], self.truth.shape[1]))
        iou = count_pixels(native >= threshold, self.truth, self.ignored).iou
        return self, iou if self.truth.any() else None


def _copies(samples: Sequence[Sample]) -> Iterator[_Copy]:
    """Every image as it is, then by every corruption and severity."""
    for sample in samples:
        image = sample.read_image()
        # Both at the image's size, for rotation must move them alike.
        size = (image.shape[0], image.shape[1])
        truth, ignored = resize_mask(sample.read_mask(), size), sample.read_ignored()
        ignored = None if ignored is None else resize_mask(ignored, size)
        yield _Copy(sample.id, image, truth, ignored)
        for corruption, severity in product(CORRUPTIONS, SEVERITIES):
            yield _Copy(sample.id, image, truth, ignored, corruption, severity)
