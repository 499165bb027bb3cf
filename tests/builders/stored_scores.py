"""Scores of probability maps that were stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from humanseg.data.samples import Sample
from humanseg.evaluation.scoring import Scored, score_samples
from humanseg.images.stored_maps import read_probability
from humanseg.system.progress import ItemProgress


def score_stored(
    samples: Sequence[Sample],
    file: Callable[[str], Path],
    *,
    threshold: float,
    mask_resize: str = "area",
    progress: ItemProgress | None = None,
) -> Scored:
    """Score the maps at `file(id)`: they stand for images, which the network leaves alone."""

    def read(sample: Sample) -> Any:  # noqa: ANN401  a probability where an image is expected
        return read_probability(file(sample.id))

    def predict(probability: Any) -> Any:  # noqa: ANN401
        return probability

    return score_samples(
        samples,
        predict,
        threshold=threshold,
        mask_resize=mask_resize,
        read=read,
        progress=progress,
    )
