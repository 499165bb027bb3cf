"""The score of one picture."""

from __future__ import annotations

import numpy as np

from humanseg.evaluation.metrics.boundary import boundary_band, boundary_width
from humanseg.evaluation.metrics.overlap import Mask, count_pixels
from humanseg.evaluation.metrics.surface import measure_surfaces
from humanseg.results import ImageScore


def score_image(name: str, prediction: Mask, truth: Mask, *, contours: bool = True) -> ImageScore:
    """Measure one picture.

    Args:
        name: the sample's id.
        prediction: bool (height, width), True where a person was found.
        truth: bool of the same shape.
        contours: measure distances between contours too, which takes most of the time; their
            fields are None otherwise.

    Raises:
        ValueError: shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"{name}: prediction is {prediction.shape}, truth is {truth.shape}.")
    height, width = truth.shape
    band = boundary_width(height, width)
    predicted_band, true_band = boundary_band(prediction, band), boundary_band(truth, band)
    surfaces = measure_surfaces(prediction, truth) if contours else None
    return ImageScore(
        id=name,
        height=height,
        width=width,
        **count_pixels(prediction, truth)._asdict(),
        boundary_intersection=int(np.count_nonzero(predicted_band & true_band)),
        boundary_union=int(np.count_nonzero(predicted_band | true_band)),
        **(surfaces._asdict() if surfaces else {}),
    )
