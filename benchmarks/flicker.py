"""How much masks flicker from frame to frame, measured without truth.

Where the image has not changed, the mask has no reason to:

    change = 1000 * mean over t and over p in U[t] of |P[t](p) - P[t-1](p)|
    flips  = 1000 * mean over t and over p in U[t] of [M[t](p) != M[t-1](p)]

P is the probability, 0 to 1, and M = (P >= threshold) the mask. U[t] are the pixels whose image
is unchanged: in the 5x5 pixels around p the brightness, itself averaged over 3x3 pixels, differs by
less than `TOLERANCE` grey levels from the frame before. Frames whose image changes everywhere (a
cut, a fast pan) add nothing. 0 is best. Both are per thousand: `flips` 2 says that of 1000 pixels
whose image stands still, 2 enter or leave the mask at every frame.

It sees wavering only, not errors that stay, and a mask that never changes scores 0. It is also paid
for where something moves before a background of its own brightness. Compare it on one clip, beside
an accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.video.motion import blurred_luma, box_mean

TOLERANCE = 4
"""Grey levels; smaller differences are noise, not a changed image."""

_PER = 1000.0
_RADIUS = 2


@dataclass(frozen=True)
class Flicker:
    """What `FlickerMeter` measured; the formulas are in the module's description."""

    change: float | None
    """Mean change of the probability, per thousand; None where no pixel was unchanged."""
    flips: float | None
    """Pixels that change sides, per thousand; None where no pixel was unchanged."""
    unchanged: float
    """Share of all pixels that were compared, 0 to 1."""
    pairs: int
    """Pairs of frames."""


class FlickerMeter:
    """Measure flicker without truth, frame by frame, in constant memory."""

    def __init__(self, *, threshold: float) -> None:
        """Start without a frame.

        Args:
            threshold: a pixel is a person where its probability is at least this.
        """
        self._threshold = threshold
        self._before: tuple[NDArray[np.float32], NDArray[np.int16]] | None = None
        self._change = 0.0
        self._flips = self._unchanged = self._pixels = self._pairs = 0

    def add(self, probability: NDArray[np.float32], image: NDArray[np.uint8]) -> None:
        """Take in the next frame.

        Args:
            probability: float32 (H, W), 0 to 1.
            image: uint8 (H, W, 3), RGB, of the same size.
        """
        luma = blurred_luma(image)
        before, self._before = self._before, (probability.copy(), luma)
        if before is None:
            return
        differs = (np.abs(luma - before[1]) >= TOLERANCE).astype(np.uint8) * np.uint8(255)
        still = box_mean(differs, _RADIUS) == 0
        now, then = probability[still], before[0][still]
        self._change += float(np.abs(now - then).sum(dtype=np.float64))
        self._flips += int(((now >= self._threshold) != (then >= self._threshold)).sum())
        self._unchanged += now.size
        self._pixels += still.size
        self._pairs += 1

    def result(self) -> Flicker:
        """The measures over all frames so far."""
        if not self._unchanged:
            return Flicker(change=None, flips=None, unchanged=0.0, pairs=self._pairs)
        return Flicker(
            change=_PER * self._change / self._unchanged,
            flips=_PER * self._flips / self._unchanged,
            unchanged=self._unchanged / self._pixels,
            pairs=self._pairs,
        )
