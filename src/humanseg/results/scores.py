"""Scores of one image and of many."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean
from typing import Literal

from humanseg.results.io import Record


class ScoringSetup(Record):
    """What scores were made with: they hold for it, and for another one nearly."""

    backend: str
    """`onnxruntime`, `openvino` or `torch`."""
    precision: Literal["fp32", "bf16", "int8"]
    device: str
    """`cpu`, `cuda`, or as torch names one."""
    whole_files: bool
    """Whether JPEGs were decoded whole and colour profiles ignored, as in training; otherwise files
    were read as `humanseg predict` reads them."""

    @property
    def words(self) -> str:
        """As a sentence names it."""
        files = "whole files" if self.whole_files else "files read as for predict"
        return f"{self.backend} in {self.precision} on {self.device}, {files}"


def iou_of(tp: int, fp: int, fn: int) -> float | None:
    """Intersection over union of pixel counts, 0 to 1; None if neither mask has a person."""
    union = tp + fp + fn
    return tp / union if union else None


def dice_of(tp: int, fp: int, fn: int) -> float | None:
    """Dice score of pixel counts, 0 to 1; None if neither mask has a person."""
    total = 2 * tp + fp + fn
    return 2 * tp / total if total else None


def mean_of(values: Iterable[float | None]) -> float | None:
    """Mean of the values that are defined; None if none is."""
    defined = [value for value in values if value is not None]
    return fmean(defined) if defined else None


class ImageScore(Record):
    """Pixel counts of one image at its mask's native size; everything else is derived.

    An image without a person in the truth has no per-image score, whatever is marked in it: it is
    left out for every network alike, and only false positives are counted in it.
    """

    id: str
    """The sample's name within its data set."""
    height: int
    width: int
    tp: int
    """Person pixels found."""
    fp: int
    """Background pixels called person."""
    fn: int
    """Person pixels missed."""
    tn: int
    boundary_intersection: int
    """Pixels in both boundary bands (Cheng et al. 2021), band width 2 % of the diagonal."""
    boundary_union: int
    """Pixels in either boundary band."""
    contour_true: int | None = None
    """Contour pixels of the truth; None, like all that follows, where it was not measured."""
    contour_predicted: int | None = None
    contour_near_05: int | None = None
    """Contour pixels of both within 0.5 % of the diagonal of the other's contour."""
    contour_near_10: int | None = None
    """The same within 1 %."""
    distance_sum: float | None = None
    """Pixels: sum over contour pixels of both of the distance to the other's contour; None also
    where one of the masks has no contour."""
    distance_p95: float | None = None
    """Pixels: the larger of both directions' 95th percentiles; None like `distance_sum`."""

    @property
    def iou(self) -> float | None:
        """Intersection over union, 0 to 1; None without a person in the truth."""
        return None if self.person_free else iou_of(self.tp, self.fp, self.fn)

    @property
    def dice(self) -> float | None:
        """Dice score, 0 to 1; None without a person in the truth."""
        return None if self.person_free else dice_of(self.tp, self.fp, self.fn)

    @property
    def boundary_iou(self) -> float | None:
        """Boundary IoU, 0 to 1; None without a person in the truth."""
        return None if self.person_free else self.boundary_intersection / self.boundary_union

    @property
    def measured(self) -> bool:
        """Whether contours were measured."""
        return self.contour_true is not None and self.contour_predicted is not None

    @property
    def surface_dice_05(self) -> float | None:
        """Normalised surface Dice at 0.5 % of the diagonal, 0 to 1; see `assd` for no contour."""
        return self._surface_dice(self.contour_near_05)

    @property
    def surface_dice_10(self) -> float | None:
        """Normalised surface Dice at 1 % of the diagonal, 0 to 1; see `assd` for no contour."""
        return self._surface_dice(self.contour_near_10)

    def _surface_dice(self, near: int | None) -> float | None:
        total = (self.contour_true or 0) + (self.contour_predicted or 0)
        if near is None or self.person_free:
            return None
        return near / total if total else self._without_contours(0.0)

    @property
    def assd(self) -> float | None:
        """Average symmetric surface distance in shares of the diagonal.

        1, the worst, where only one mask has a contour, or where the truth is full and the
        prediction empty; None where both are full, and without a person in the truth.
        """
        total = (self.contour_true or 0) + (self.contour_predicted or 0)
        return self._distance(None if self.distance_sum is None else self.distance_sum / total)

    @property
    def lacks_contour(self) -> bool:
        """Whether `assd` and `hd95` are the worst for want of a contour."""
        return self.assd is not None and self.distance_sum is None

    @property
    def hd95(self) -> float | None:
        """95th percentile Hausdorff distance in shares of the diagonal; see `assd`."""
        return self._distance(self.distance_p95)

    def _distance(self, pixels: float | None) -> float | None:
        if self.person_free:
            return None
        if pixels is not None:
            return pixels / math.hypot(self.height, self.width)
        if self.contour_true or self.contour_predicted:
            return 1.0
        return self._without_contours(1.0) if self.measured else None

    def _without_contours(self, worst: float) -> float | None:
        """A full mask has no contour inside the image: worst against an empty one."""
        return worst if self.fp + self.fn else None

    @property
    def precision(self) -> float | None:
        """Share of the pixels called person that are; 0 if none is called so.

        None without a person in the truth.
        """
        return None if self.person_free else self.tp / max(self.tp + self.fp, 1)

    @property
    def recall(self) -> float | None:
        """Share of the person's pixels that were found; None without a person in the truth."""
        return None if self.person_free else self.tp / (self.tp + self.fn)

    @property
    def person_free(self) -> bool:
        """Whether nobody is in the truth."""
        return self.tp + self.fn == 0

    @property
    def pixels(self) -> int:
        """All that count: those of the picture but for what its truth ignores."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def false_alarm(self) -> float:
        """Share of the pixels wrongly called person, 0 to 1."""
        return self.fp / max(self.pixels, 1)

    @property
    def pixel_accuracy(self) -> float:
        """Share of pixels called right, 0 to 1."""
        return (self.tp + self.tn) / max(self.pixels, 1)

    @property
    def foreground_share(self) -> float:
        """Share of person pixels in the truth, 0 to 1."""
        return (self.tp + self.fn) / max(self.pixels, 1)


class Calibration(Record):
    """How often pixels of a probability are person: 15 bins of equal width over many images."""

    pixels: tuple[int, ...]
    """Pixels per bin."""
    probability: tuple[float, ...]
    """Sum of their probabilities."""
    person: tuple[int, ...]
    """How many of them are person."""

    @property
    def error(self) -> float | None:
        """Expected calibration error, 0 to 1: mean distance of probability and share of person.

        Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
        """
        total = sum(self.pixels)
        pairs = zip(self.probability, self.person, strict=True)
        return sum(abs(person - sum_) for sum_, person in pairs) / total if total else None


class ScoreSummary(Record):
    """Aggregates over images. Per-image means leave out images without a person in the truth."""

    images: int
    undefined: int
    """Images without a person in the truth: counted here, not in per-image means."""
    iou_mean: float | None
    iou_sd: float | None
    """Sample standard deviation over images; None with fewer than two."""
    iou_median: float | None
    iou_p05: float | None
    """5th percentile: one image in twenty is worse."""
    dice_mean: float | None
    boundary_iou_mean: float | None
    dataset_iou: float | None
    """Sum of intersections over sum of unions."""
    dataset_dice: float | None
    pixel_accuracy: float
    """Pooled share of pixels called right."""
    batch_iou: float | None
    """Mean over batches of 16 on the network's grid of the batch-pooled IoU, as published; see
    docs/metrics.md. For comparison with published numbers only."""
    batch_dice: float | None
    batch_accuracy: float | None

    def is_above(self, baseline: ScoreSummary | None) -> bool:
        """Whether the per-image IoU is higher than the baseline's, where both have one."""
        own, other = self.iou_mean, baseline.iou_mean if baseline else None
        return own is None or other is None or own > other
