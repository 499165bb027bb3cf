"""What moved between two frames: brightness differences, and how far the whole image moved."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

S = TypeVar("S", bound=np.generic)

Shift = tuple[int, int]
"""(rows, columns) by which content moved down and to the right."""

_SMALLEST_PEAK = 0.1
"""Least height of the correlation's peak; unrelated or partly moving images stay below."""


def blurred_luma(image: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Brightness of uint8 (H, W, 3) RGB, 0 to 255 grey levels as int16 (H, W).

    Averaged over 3x3 pixels, so that sensor noise counts for a third.
    """
    grey = Image.fromarray(image).convert("L").filter(ImageFilter.BoxBlur(1))
    return np.asarray(grey, dtype=np.int16)


def box_mean(values: NDArray[np.uint8], radius: int) -> NDArray[np.uint8]:
    """Mean over the square of side `2 * radius + 1` around every pixel; uint8 (H, W)."""
    return np.asarray(Image.fromarray(values).filter(ImageFilter.BoxBlur(radius)))


def estimate_shift(
    before: NDArray[np.int16], after: NDArray[np.int16]
) -> tuple[float, float] | None:
    """How far the whole image moved between the brightnesses (H, W) of two frames.

    (rows, columns) down and to the right, in pixels; None where no one shift explains much. By
    phase correlation at half the resolution: Kuglin and Hines, "The phase correlation image
    alignment method", 1975; the peak is refined by a parabola through its neighbours.
    """
    # A shift in space is a phase in frequency: of the cross spectrum only the phases stay, and its
    # inverse transform peaks at the shift, whatever the brightness. Every second row and column is
    # enough, since the parabola finds the peak to a fraction of a pixel.
    first, second = (_windowed(luma[::2, ::2]) for luma in (before, after))
    product = np.fft.rfft2(second) * np.conj(np.fft.rfft2(first))
    product /= np.maximum(np.abs(product), 1e-6)
    surface = np.fft.irfft2(product, s=first.shape)
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    if surface[row, column] < _SMALLEST_PEAK:
        return None
    rows = _refined(surface[:, column], int(row))
    columns = _refined(surface[row, :], int(column))
    return 2.0 * rows, 2.0 * columns


def _windowed(luma: NDArray[np.int16]) -> NDArray[np.float32]:
    """Zero mean, fading out towards the borders, which would correlate with themselves."""
    window = np.outer(np.hanning(luma.shape[0]), np.hanning(luma.shape[1]))
    return np.asarray((luma - luma.mean()) * window, dtype=np.float32)


def _refined(line: NDArray[np.floating], peak: int) -> float:
    """Position of the peak between the samples, as a distance with a sign."""
    count = len(line)
    left, top, right = line[peak - 1], line[peak], line[(peak + 1) % count]
    bend = left - 2.0 * top + right
    offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float((peak + offset + count / 2) % count - count / 2)


def shifted(values: NDArray[S], shift: Shift) -> NDArray[S]:
    """`values` (H, W) shifted; what comes in at the border repeats the border."""
    if shift == (0, 0):
        return values
    rows = np.clip(np.arange(values.shape[0]) - shift[0], 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) - shift[1], 0, values.shape[1] - 1)
    moved: NDArray[S] = values[np.ix_(rows, columns)]
    return moved
