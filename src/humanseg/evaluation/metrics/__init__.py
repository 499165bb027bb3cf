"""Scores of person masks. Counts per picture come first; every number is derived from them.

An image without a person in the truth has no IoU, Dice or Boundary IoU, whatever is marked in it:
it is left out of means for every network alike, counted as `undefined`, and enters the
false-positive figures only. docs/metrics.md defines every number.
"""

from humanseg.evaluation.metrics.calibration import add_calibrations, calibrate
from humanseg.evaluation.metrics.overlap import Counts, count_pixels, score_image, summarise
from humanseg.evaluation.metrics.surface import Mask

__all__ = [
    "Counts",
    "Mask",
    "add_calibrations",
    "calibrate",
    "count_pixels",
    "score_image",
    "summarise",
]
