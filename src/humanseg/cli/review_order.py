"""In which order a person should look at masks: by what a network says of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import numpy as np

from humanseg.data.samples import Sample
from humanseg.evaluation.metrics import count_pixels
from humanseg.images import read_mask
from humanseg.inference.segmenter import Segmenter
from humanseg.report.gallery.gallery_rows import Mask
from humanseg.report.review import Reviewed
from humanseg.system.errors import DataError, ImageError
from humanseg.system.progress import Progress
from humanseg.system.threads import ordered_map

T = TypeVar("T")
Ranked = tuple[float, Reviewed]
"""A picture, and a number by which it is sorted, smallest first."""


def told(file: Path) -> list[Ranked]:
    """What lines of `humanseg predict --rank --json` in a file tell of, least sure first.

    Of a picture with several lines the last one counts.

    Raises:
        DataError: no such lines, or lines without an uncertainty.
    """
    try:
        lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
        records = {str(line["input"]): line for line in lines if line["status"] == "done"}
        ranked = [_told(name, Path(line["output"]), float(line["uncertainty"]))
                  for name, line in records.items()]  # fmt: skip
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file}: is not what `humanseg predict --rank --json` prints; write that into a file."
        ) from error
    return sorted(ranked, key=itemgetter(0))


def _told(name: str, mask: Path, uncertainty: float) -> Ranked:
    def masks() -> tuple[Mask, None]:
        return read_mask(mask), None

    return -uncertainty, Reviewed(name, Path(name), (_unsure(uncertainty),), masks)


class Looker:
    """A network that looks at pictures to order them."""

    def __init__(self, segmenter: Segmenter) -> None:
        """Look with this network, which is asked from several threads at once."""
        self._segmenter = segmenter

    def order(
        self, look: Callable[[T], Ranked], items: Sequence[T], progress: Progress
    ) -> list[Ranked]:
        """All items as `look` ranks them, in order."""
        ranked = []
        for done, item in enumerate(ordered_map(look, items), start=1):
            ranked.append(item)
            progress(done, len(items))
        return sorted(ranked, key=itemgetter(0))

    def by_uncertainty(self, file: Path) -> Ranked:
        """A picture without a label; what cannot be read comes first."""
        masks = partial(self._masks, file)
        try:
            measured = self._segmenter.predict(file, uncertainty=True).uncertainty
        except ImageError:
            return -np.inf, Reviewed(str(file), file, (), masks)
        value = measured.value if measured is not None else 0.0
        return -value, Reviewed(str(file), file, (_unsure(value),), masks)

    def against_label(self, sample: Sample) -> Ranked:
        """A labelled picture: the less both overlap, the earlier; what cannot be read, first."""
        name, masks = str(sample.image), partial(self._masks, sample.image, sample)
        try:
            predicted, label = masks()
            truth = predicted if label is None else label
            overlap = count_pixels(predicted, truth, sample.read_ignored()).iou
            overlap = 1.0 if overlap is None else overlap  # both mark nothing
        except (ImageError, DataError):
            return -np.inf, Reviewed(name, sample.image, (), masks)
        return overlap, Reviewed(name, sample.image, (f"Overlap (IoU) {overlap:.3f}",), masks)

    def _masks(self, file: Path, sample: Sample | None = None) -> tuple[Mask, Mask | None]:
        predicted = self._segmenter.mask(file)
        label = None if sample is None else sample.read_mask()
        if label is not None and label.shape != predicted.shape:
            raise ImageError(f"{file}: the label is of another size than the picture.")
        return predicted, label


def _unsure(value: float) -> str:
    return f"Uncertainty {value:.3f}"
