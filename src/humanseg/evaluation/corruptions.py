"""Spoil pictures on purpose, by known amounts, to see how much of its accuracy a network keeps.

Eight of the ten follow ImageNet-C (Hendrycks and Dietterich, "Benchmarking neural network
robustness to common corruptions and perturbations", ICLR 2019) with its five severities.
Occlusion and rotation are additions. A picture is corrupted at its native size, before anything
resizes it for a network.

Differences from ImageNet-C, all deliberate:

* Lengths in pixels (radii of blurs, blocks of `pixelate`, clouds of `fog`) are meant for pictures
  of 224 pixels. Here they grow with the picture's shorter side, so that a severity looks the same
  at every size. Noise and JPEG stay as they are: one grain per pixel and blocks of eight pixels.
* The trail of `motion_blur` is centred. ImageMagick's trail is one-sided and moves the picture, at
  severity 5 by a twentieth of its side; a truth mask that stays would be wrong.
* One seed gives one pattern for all severities, so that a curve over severities shows severity
  alone.

Everything here is NumPy, SciPy and Pillow, and leaves the global random state alone.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import affine_transform
from scipy.signal import fftconvolve

from humanseg.system.errors import UsageError

SEVERITIES = (1, 2, 3, 4, 5)
"""From mild to severe."""

_CLOUD_SIDE = 256
_MAX_ASPECT = 2.0  # of a rectangle, against the picture's
_TRIES = 100
_REFERENCE_SIDE = 224  # pixels: the size that ImageNet-C's lengths are meant for
_GREY = 128  # of the covering rectangles
_COVERED = (0.05, 0.1, 0.15, 0.2, 0.25)  # share of the picture, by severity
_JPEG_SIDE = 65_500  # the longest that libjpeg writes

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Top, left, bottom, right as shares of the picture."""
Level = TypeVar("Level")


@dataclass(frozen=True, slots=True)
class Corruption(Generic[Level]):
    """One way to spoil a picture, in five steps."""

    levels: tuple[Level, Level, Level, Level, Level]
    """By severity, 1 first."""
    effect: Callable[[Pixels, Level, Generator], Pixels]
    """Makes a new picture: uint8 (height, width, 3), level, source of randomness."""


def cloud(decay: float, random: Generator) -> NDArray[np.float32]:
    """A plasma fractal by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982).

    float32 (256, 256), 0 to 1, both reached. It repeats itself at its borders, like ImageNet-C's.
    The roughness of every finer step is divided by `decay` squared: more is smoother.
    """
    corners = np.zeros((1, 1))
    roughness = 1.0
    while len(corners) < _CLOUD_SIDE:
        corners = _refine(corners, roughness, random)
        roughness /= decay**2
    corners -= corners.min()
    return np.asarray(corners / corners.max(), dtype=np.float32)


def _refine(
    corners: NDArray[np.float64], roughness: float, random: Generator
) -> NDArray[np.float64]:
    """Twice the grid: a new point in every cell and on every edge, near the mean of its four."""

    def near(total: NDArray[np.float64]) -> NDArray[np.float64]:
        return total / 4 + random.uniform(-roughness, roughness, total.shape)

    rows = corners + np.roll(corners, -1, axis=0)  # above plus below, for every vertical edge
    columns = corners + np.roll(corners, -1, axis=1)
    middle = near(rows + np.roll(rows, -1, axis=1))
    finer = np.empty((2 * len(corners), 2 * len(corners)))
    finer[::2, ::2] = corners
    finer[1::2, 1::2] = middle
    finer[::2, 1::2] = near(columns + middle + np.roll(middle, 1, axis=0))
    finer[1::2, ::2] = near(rows + middle + np.roll(middle, 1, axis=1))
    return finer


def rectangles(covered: Sequence[float], random: Generator) -> list[Box]:
    """Place rectangles that do not overlap, one after the other.

    `covered` is the share of the picture that the first, the first two, ... cover together, rising
    to 0.25 at most.
    """
    while True:
        placed: list[Box] = []
        for area in np.diff(covered, prepend=0.0):
            box = _place(float(area), placed, random)
            if box is None:
                break
            placed.append(box)
        if len(placed) == len(covered):
            return placed


def _place(area: float, others: Sequence[Box], random: Generator) -> Box | None:
    """A rectangle of random shape beside the others; None where luck was bad."""
    for _ in range(_TRIES):
        aspect = _MAX_ASPECT ** random.uniform(-1.0, 1.0)
        height, width = (area * aspect) ** 0.5, (area / aspect) ** 0.5
        top, left = random.uniform(0.0, 1.0 - height), random.uniform(0.0, 1.0 - width)
        box = (top, left, top + height, left + width)
        if not any(_overlap(box, other) for other in others):
            return box
    return None


def _overlap(first: Box, second: Box) -> bool:
    return all(first[axis] < second[axis + 2] and second[axis] < first[axis + 2] for axis in (0, 1))


def _scale(image: Pixels) -> float:
    """Pixels of this picture for one pixel of ImageNet-C."""
    return float(min(image.shape[:2])) / _REFERENCE_SIDE


def _to_bytes(values: NDArray[np.float32]) -> Pixels:
    """Values on the scale 0 to 255, which may be exceeded, as a picture."""
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _noise(image: Pixels, deviation: float, random: Generator) -> Pixels:
    values = random.standard_normal(image.shape, dtype=np.float32)
    return _to_bytes(image + values * np.float32(255 * deviation))


def _defocus(image: Pixels, radius: float, random: Generator) -> Pixels:
    return _filter(image, _disk(radius * _scale(image)))


def _disk(radius: float) -> NDArray[np.float64]:
    """A lens's circle of confusion, its edge one pixel soft.

    ImageNet-C cuts a hard disk and softens it by a small Gaussian, its second parameter; a soft
    edge does the same for radii that are not whole.
    """
    reach = int(np.ceil(radius))
    steps = np.arange(-reach, reach + 1)
    distance = np.hypot(steps[:, None], steps[None])
    return (radius + 0.5 - distance).clip(0.0, 1.0)


def _motion(image: Pixels, level: tuple[float, float], random: Generator) -> Pixels:
    angle = np.deg2rad(random.uniform(-45.0, 45.0))
    radius, sigma = (length * _scale(image) for length in level)
    return _filter(image, _trail(radius, sigma, angle))


def _trail(radius: float, sigma: float, angle: float) -> NDArray[np.float64]:
    """Half a Gaussian along a line of two radii, as ImageMagick draws it, centred on its mean."""
    along = np.linspace(0.0, 2 * radius, 2 + int(4 * radius))  # at least two samples per pixel
    weights = np.exp(-0.5 * (along / sigma) ** 2)
    along -= (along * weights).sum() / weights.sum()
    reach = 1 + int(np.ceil(np.abs(along).max()))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    y, x = along * np.sin(angle) + reach, along * np.cos(angle) + reach
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    for row in (0, 1):
        for column in (0, 1):
            near = (1 - np.abs(y - top - row)) * (1 - np.abs(x - left - column))
            np.add.at(kernel, (top + row, left + column), near * weights)
    return kernel


def _filter(image: Pixels, kernel: NDArray[np.float64]) -> Pixels:
    """Convolve every channel with a square kernel of odd side, normalised; mirrors the border."""
    reach = len(kernel) // 2
    kernel = np.asarray(kernel / kernel.sum(), dtype=np.float32)
    planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
    padded = np.pad(planes, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    filtered = fftconvolve(padded, kernel[None], mode="valid", axes=(1, 2))
    return np.ascontiguousarray(_to_bytes(filtered).transpose(1, 2, 0))


def _brightness(image: Pixels, amount: float, random: Generator) -> Pixels:
    """Add to the value of hue, saturation and value: scales the three channels alike."""
    value = image.max(axis=2, keepdims=True).astype(np.float32)
    raised = np.minimum(value + np.float32(255 * amount), 255)
    return _to_bytes(np.where(value > 0, image * (raised / np.maximum(value, 1)), raised))


def _contrast(image: Pixels, factor: float, random: Generator) -> Pixels:
    means = image.mean(axis=(0, 1), keepdims=True, dtype=np.float64).astype(np.float32)
    return _to_bytes((image - means) * np.float32(factor) + means)


def _fog(image: Pixels, level: tuple[float, float], random: Generator) -> Pixels:
    strength, decay = level
    clouds = Image.fromarray(cloud(decay, random)[:_REFERENCE_SIDE, :_REFERENCE_SIDE])
    fitted = clouds.resize((image.shape[1], image.shape[0]), Image.Resampling.BILINEAR)
    added = np.asarray(fitted, dtype=np.float32)[..., None] * np.float32(255 * strength)
    brightest = float(image.max()) / 255
    return _to_bytes((image + added) * np.float32(brightest / (brightest + strength)))


def _jpeg(image: Pixels, quality: int, random: Generator) -> Pixels:
    if max(image.shape) > _JPEG_SIDE:
        raise UsageError(
            f"jpeg: got a picture of {image.shape[1]}x{image.shape[0]} pixels; "
            f"JPEG allows {_JPEG_SIDE} on a side: use a smaller one."
        )
    stream = BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as stored:
        return np.array(stored)


def _pixelate(image: Pixels, share: float, random: Generator) -> Pixels:
    """Leave `share` of 224 pixels on the shorter side, or all if there are fewer."""
    height, width = image.shape[:2]
    factor = min(1.0, int(_REFERENCE_SIDE * share) / min(height, width))
    coarse = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = Image.fromarray(image).resize(coarse, Image.Resampling.BOX)
    return np.array(small.resize((width, height), Image.Resampling.BOX))


def _occlude(image: Pixels, share: float, random: Generator) -> Pixels:
    """Cover so much of the picture with grey rectangles; a severity adds one to the last's."""
    height, width = image.shape[:2]
    covered = image.copy()
    for box, total in zip(rectangles(_COVERED, random), _COVERED, strict=True):
        if total <= share:
            top, left, bottom, right = box
            rows = slice(round(top * height), round(bottom * height))
            columns = slice(round(left * width), round(right * width))
            covered[rows, columns] = _GREY
    return covered


def _rotate(image: Pixels, turn: int, random: Generator) -> Pixels:
    return _turned(image, turn, order=1)


def _turned(planes: Pixels, turn: int, *, order: int) -> Pixels:
    """Turn (height, width, planes) counterclockwise by degrees, by splines of an order.

    Quarter turns are exact, others keep the canvas; corners that come from outside are mirrored in.
    """
    if turn % 90 == 0:
        return np.rot90(planes, turn // 90).copy()
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    # In (row, column); rows run down, hence the signs of a counterclockwise turn undone.
    back = np.array([[cos, sin], [-sin, cos]])
    centre = (np.array(planes.shape[:2]) - 1) / 2
    offset = centre - back @ centre
    turned = [
        affine_transform(plane, back, offset=offset, order=order, mode="reflect")
        for plane in np.moveaxis(planes, 2, 0)
    ]
    return np.stack(turned, axis=2)


CORRUPTIONS: dict[str, Corruption[Any]] = {
    # Standard deviation on the scale 0 to 1; radius, and radius and deviation, in pixels of 224.
    "gaussian_noise": Corruption((0.08, 0.12, 0.18, 0.26, 0.38), _noise),
    "defocus_blur": Corruption((3, 4, 6, 8, 10), _defocus),
    "motion_blur": Corruption(((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)), _motion),
    # Added to the value (HSV) on the scale 0 to 1; factor; strength, and fall of clouds' detail.
    "brightness": Corruption((0.1, 0.2, 0.3, 0.4, 0.5), _brightness),
    "contrast": Corruption((0.4, 0.3, 0.2, 0.1, 0.05), _contrast),
    "fog": Corruption(((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)), _fog),
    # Quality; share of 224 pixels that stay; share of the picture covered; degrees, either way.
    "jpeg": Corruption((25, 18, 15, 10, 7), _jpeg),
    "pixelate": Corruption((0.6, 0.5, 0.4, 0.3, 0.25), _pixelate),
    "occlusion": Corruption(_COVERED, _occlude),
    "rotation": Corruption((15, 30, 45, 90, 180), _rotate),
}
"""All corruptions by name."""


def corrupt_pair(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], name: str, severity: int, *, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Corrupt a picture and take its truth along.

    The result depends on the picture, name, severity and seed only (for `jpeg` also on the
    installed Pillow). Noise of one seed is the same in all pictures of one size: give every
    picture a seed of its own.

    Args:
        image: uint8 (height, width, 3), RGB, at native size; grey pictures have equal channels.
        mask: bool (height, width). Only `rotation` changes it: it is then a new one, turned by the
            same angle. Occlusion does not: the person is still there.
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: 0 or above.

    Returns:
        uint8 (height, width, 3), a new array, (width, height, 3) for `rotation` at severity 4, a
        quarter turn; and the mask.

    Raises:
        UsageError: a picture that is too long for JPEG.
    """
    level = CORRUPTIONS[name].levels[severity - 1]
    random = np.random.default_rng((zlib.crc32(name.encode()), seed))
    if name == "rotation":
        level = level if random.integers(2) else -level  # counterclockwise or clockwise
        mask = _turned(mask.view(np.uint8)[..., None], level, order=0)[..., 0].view(np.bool_)
    return CORRUPTIONS[name].effect(image, level, random), mask
