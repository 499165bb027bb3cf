"""Hold an exported network against the one that it was made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size, resize_image
from humanseg.inference.engines.engine import BatchFunction
from humanseg.model_directory import Parity
from humanseg.system.errors import ExportError

TOLERANCE = 1e-3
"""Largest difference of a probability between torch and an exported file in float32. The same
arithmetic in another order differs by 1e-6 to 1e-5, a step left out or done twice by 0.1."""

HALF_TOLERANCE = 0.02
"""The same for weights that are rounded to float16."""

INT8_TOLERANCE = 0.02
"""Share of pixels that int8 may move across the threshold, and mean difference of probabilities. A
trained U-Net with EfficientNet-Lite0 moves 0.002; one quantised per tensor 0.13."""

_TOGETHER = 2
"""Pictures in the batch; more would need much memory at large sizes."""

_AGREEMENT = 0.999
"""Share of pixels that must fall on the same side of the threshold."""


def probe_images(size: Size) -> NDArray[np.uint8]:
    """Noise, soft noise, a ramp of colours, bright shapes and flat grey: the same every time.

    uint8 (6, height, width, 3) of `size`, (height, width).
    """
    height, width = size
    draw = np.random.default_rng(0)
    noise = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
    coarse, fine = (
        resize_image(draw.integers(0, 256, (cells, cells, 3), dtype=np.uint8), size)
        for cells in (4, 16)
    )
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    ramp = (np.stack([x, y, 1.0 - x], axis=-1) * 255).astype(np.uint8)
    figure = ((x - 0.5) / 0.2) ** 2 + ((y - 0.55) / 0.4) ** 2 < 1
    shapes = np.where(figure[..., None], np.array([225, 180, 150], dtype=np.uint8), coarse // 3)
    flat = np.full_like(noise, 128)
    return np.stack([noise, coarse, fine, ramp, shapes.astype(np.uint8), flat])


def measure_parity(
    reference: BatchFunction,
    exported: BatchFunction,
    images: NDArray[np.uint8],
    *,
    threshold: float,
) -> Parity:
    """Run both on the same images, one by one and then the first two as a batch.

    `exported` is what was written, loaded again; images are uint8 (N, H, W, 3) on the network's
    grid.

    Raises:
        ExportError: the exported network gives another shape, or values that are no probability.
    """
    expected = np.concatenate([reference(image[None]) for image in images])
    singly = np.concatenate([exported(image[None]) for image in images])
    together = exported(images[:_TOGETHER])
    wanted = np.concatenate([expected, expected[:_TOGETHER]])
    for part, shape in ((singly, expected.shape), (together, expected[:_TOGETHER].shape)):
        if part.shape != shape:
            raise ExportError(
                f"The exported network gives shape {part.shape} where torch gives {shape}; "
                "nothing was kept. Export with another version of the runtime."
            )
    values = np.concatenate([singly, together])
    if not (values.min() >= 0.0 and values.max() <= 1.0):  # NaN is neither
        raise ExportError(
            "The exported network gives values that are no probabilities (NaN, or outside 0 to 1); "
            "nothing was kept. Check the weights with `humanseg evaluate`."
        )
    difference = np.abs(values - wanted)
    return Parity(
        pictures=len(images),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        mask_agreement=float(((values >= threshold) == (wanted >= threshold)).mean()),
    )


def check_parity(parity: Parity, *, what: str, tolerance: float = TOLERANCE) -> None:
    """Refuse an exported file that computes something else.

    Raises:
        ExportError: a probability differs by more, or masks agree in less than 99.9 % of pixels
            (in less than the tolerance leaves, if it is above 0.001).
    """
    agreement = min(_AGREEMENT, 1.0 - tolerance)
    if parity.largest_difference <= tolerance and parity.mask_agreement >= agreement:
        return
    raise ExportError(
        f"{what}: differs from torch by up to {parity.largest_difference:.2g} in probability and "
        f"agrees in {parity.mask_agreement:.2%} of the masks' pixels on {parity.pictures} "
        f"pictures; allowed are {tolerance:g} and {agreement:.2%}. Nothing was kept; raise the "
        "tolerance only if you know why they differ."
    )


def check_int8_parity(parity: Parity, *, what: str, tolerance: float = INT8_TOLERANCE) -> None:
    """Refuse an int8 file whose masks are not those of the network.

    Single probabilities may differ by much at the rim of a person, so they are held to their mean.

    Raises:
        ExportError: more pixels change sides, or probabilities differ by more.
    """
    changed = 1.0 - parity.mask_agreement
    if changed <= tolerance and parity.mean_difference <= tolerance:
        return
    raise ExportError(
        f"{what}: int8 changes {changed:.2%} of the masks' pixels and probabilities by "
        f"{parity.mean_difference:.3f} on average, on {parity.pictures} pictures; {tolerance:g} is "
        "allowed of both. Nothing was kept: this network does not bear int8, or the calibration "
        "pictures are unlike those in use."
    )
