"""Score masks against their truth, each at the size of the truth.

Images are read and scored in other threads while the network predicts in the caller's; only a few
are under way at once, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from humanseg.data.samples import Sample
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
from humanseg.images.stored_maps import write_probability
from humanseg.inference.segmenter import Segmenter
from humanseg.results import Calibration, ImageScore, ScoreSummary, ScoringSetup
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import DataError
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map

_AHEAD = 2  # images per thread: full-size masks and maps are large

Image = NDArray[np.uint8]
Probability = NDArray[np.float32]
T = TypeVar("T")
C = TypeVar("C")
R = TypeVar("R")


@dataclass(frozen=True)
class Scored:
    """Scores of some images, in their order."""

    scores: tuple[ImageScore, ...]
    summary: ScoreSummary
    calibration: Calibration | None
    """Over all pixels at the masks' native size; None where it was not asked for."""
    band_calibration: Calibration | None
    """The same over the pixels within 2 % of the diagonal of the truth's contour."""


def setup_of(segmenter: Segmenter, *, whole_files: bool) -> ScoringSetup:
    """What the scores of a segmenter are made with, for their record."""
    engine = segmenter.engine
    return ScoringSetup(
        backend=engine.name,
        precision=engine.precision,
        device=engine.device,
        whole_files=whole_files,
    )


def predict_each(
    items: Iterable[T],
    predict: Callable[[Image], Probability],
    *,
    read: Callable[[T], tuple[Image, C]],
    finish: Callable[[C, Probability], R],
) -> Generator[R, None, None]:
    """Read in threads, predict here, finish in threads; in order, and few items at once.

    `read` gives an item's image, uint8 (H, W, 3), and what `finish` needs beside its probability;
    `predict` the probability on the network's grid. Items are taken on this thread as needed.
    """
    depth = _AHEAD * usable_cores()
    with closing(ordered_map(read, items, depth=depth)) as inputs:
        predicted = ((context, predict(image)) for image, context in inputs)
        with closing(ordered_map(lambda pair: finish(*pair), predicted, depth=depth)) as results:
            yield from results


def score_samples(
    samples: Sequence[Sample],
    predict: Callable[[Image], Probability],
    *,
    threshold: float,
    mask_resize: str,
    read: Callable[[Sample], Image] = Sample.read_image,
    read_mask: Callable[[Sample], Mask] = Sample.read_mask,
    store: Callable[[str], Path] | None = None,
    detailed: bool = True,
    progress: ItemProgress | None = None,
) -> Scored:
    """Score what a network finds in samples; every image and mask is read once.

    Args:
        samples: what to score, in the order of the published batches.
        predict: see `predict_each`; `Segmenter.predict(image).grid` as a rule.
        threshold: a pixel is a person where its probability is at least this.
        mask_resize: how truth reaches the network's grid for the published scores, `area` or
            `nearest`.
        read: gives the image of a sample, uint8 (H, W, 3); whole files by default. One that is on
            the network's grid already changes nothing but the time.
        read_mask: gives the truth of a sample, bool (H, W).
        store: file to keep a sample's probability in, by its id; what is scored is then what was
            stored.
        detailed: also measure contours and calibration, which the summary does not hold.
        progress: called with (done, total), on this thread.

    Raises:
        ImageError: an image or mask that cannot be read.
        DataError: a sample without a mask, or a probability that is none.
        ValueError: no samples.
    """
    shrink = resize_mask if mask_resize == "area" else resize_mask_nearest

    def finish(
        sample: Sample, probability: Probability
    ) -> tuple[ImageScore, Counts, tuple[Calibration, ...]]:
        refuse_no_probability(sample.id, probability)
        if store is not None:
            probability = write_probability(store(sample.id), probability)
        truth, ignored = read_mask(sample), sample.read_ignored()
        # Enlarged before it is cut: cutting first would throw accuracy away at every outline.
        native = resize_probability(probability, (truth.shape[0], truth.shape[1]))
        grid = (probability.shape[0], probability.shape[1])
        grid_ignored = None if ignored is None else shrink(ignored, grid)
        return (
            score_image(sample.id, native >= threshold, truth, ignored, contours=detailed),
            count_pixels(probability >= threshold, shrink(truth, grid), grid_ignored),
            calibrate(native, truth, ignored) if detailed else (),
        )

    measured = predict_each(
        samples, predict, read=lambda sample: (read(sample), sample), finish=finish
    )
    scores, grids = [], []
    total: tuple[Calibration, ...] = ()
    with closing(measured):
        for done, (score, counts, calibrations) in enumerate(measured, start=1):
            scores.append(score)
            grids.append(counts)
            parts = zip(total, calibrations, strict=True)
            total = tuple(map(add_calibrations, parts)) if total else calibrations
            if progress:
                progress(done, len(samples))
    whole, band = total or (None, None)
    return Scored(tuple(scores), summarise(scores, grids), whole, band)


def refuse_no_probability(name: str, probability: Probability) -> None:
    """Refuse values that are no probabilities.

    Raises:
        DataError: NaN, or values outside 0 to 1.
    """
    if not (probability.min() >= 0.0 and probability.max() <= 1.0):  # NaN is neither
        raise DataError(
            f"{name}: the network gave no probability for this picture (NaN, or outside 0 to "
            "1), so its weights are damaged. Copy the model again or train anew."
        )
