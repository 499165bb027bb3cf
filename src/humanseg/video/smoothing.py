"""Steady masks from frame to frame: averaging over time where the image stands still.

A network that sees every frame alone answers a little differently each time, and edges shimmer.
`Smoother` averages the probability exponentially, with a weight of its own in every pixel:

    s[t] = s[t-1] + w[t] * (p[t] - s[t-1])
    w[t] = r + (1 - r) * max(motion, change),    r = 1 - exp(-seconds / TIME_CONSTANT)

`motion` grows from 0 to 1 with the local difference of brightness between the frames, so that a
moving person leaves no trail. `change` does the same where the probability has left the average on
the same side in two frames running, so that something that moves before a background of its own
brightness is followed one frame late. A camera that pans or shakes moves everything: the average is
shifted along with the image first. At a cut the average starts again.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from humanseg.system.errors import UsageError
from humanseg.video.motion import Shift, blurred_luma, box_mean, estimate_shift, shifted

TIME_CONSTANT = 0.15
"""Seconds in which a still pixel's average comes 63 % closer to a new value."""

_STILL = (2.0, 6.0)
"""Grey levels of local difference that count as noise: at least, at most."""
_NOISE_FACTOR = 2.5
"""Times the image's median difference: sensor noise stays below."""
_MOVING = 8.0
"""Grey levels above the noise at which a pixel is taken as it is."""
_CHANGED = (0.25, 0.5)
"""Distance from the average, two frames running: from here the weight grows, up to here."""
_CUT = 0.5
"""Share of the image that moves at a cut; and no one shift explains the two frames."""
_SCALE = 8
"""Steps per grey level while differences are averaged in uint8."""
_RADIUS = 2
"""Differences are averaged over a square of 5x5 pixels of the network's grid."""


class Smoother:
    """Average probability maps over time. Keeps one frame, whatever the length of the video.

    One object per video, fed in order from one thread.
    """

    def __init__(self, *, time_constant: float = TIME_CONSTANT) -> None:
        """Start without a past; still pixels are averaged over `time_constant` seconds.

        Raises:
            UsageError: not above 0.
        """
        if not 0.0 < time_constant < math.inf:
            raise UsageError(
                f"smoothing over {time_constant} seconds is impossible; give a number above 0, "
                f"such as {TIME_CONSTANT}."
            )
        self._time_constant = time_constant
        self.reset()

    def reset(self) -> None:
        """Forget the past, as for another video."""
        self._average: NDArray[np.float32] | None = None
        self._luma: NDArray[np.int16] | None = None
        self._innovation: NDArray[np.float32] | None = None
        self._rest = (0.0, 0.0)

    def update(
        self,
        probability: NDArray[np.float32],
        image: NDArray[np.uint8],
        *,
        seconds: float = 1 / 30,
    ) -> NDArray[np.float32]:
        """The next frame's smoothed probability, in a new array: float32 (H, W), 0 to 1.

        `probability` is the same of this frame alone, on the network's grid; `image` what the
        network saw, uint8 (H, W, 3) RGB; `seconds` the time since the frame before.
        """
        luma = blurred_luma(image)
        if self._average is None or self._luma is None or self._average.shape != probability.shape:
            return self._begin(probability, luma)
        estimate = estimate_shift(self._luma, luma)
        shift = self._follow(self._luma, luma, estimate)
        motion = _motion(luma, shifted(self._luma, shift))
        _reveal(motion, shift)
        if estimate is None and np.count_nonzero(motion >= 1.0) > _CUT * motion.size:
            return self._begin(probability, luma)
        average = shifted(self._average, shift)
        innovation = probability - average
        weight = np.maximum(motion, self._change(innovation, shift))
        still = 1.0 - math.exp(-max(seconds, 0.0) / self._time_constant)
        weight *= np.float32(1.0 - still)
        weight += np.float32(still)
        self._average = average + weight * innovation
        self._luma, self._innovation = luma, innovation
        return self._average.copy()

    def _begin(
        self, probability: NDArray[np.float32], luma: NDArray[np.int16]
    ) -> NDArray[np.float32]:
        self.reset()
        self._average, self._luma = probability.copy(), luma
        return probability.copy()

    def _follow(
        self,
        before: NDArray[np.int16],
        after: NDArray[np.int16],
        estimate: tuple[float, float] | None,
    ) -> Shift:
        """Whole pixels to shift by; fractions are carried over, or slow pans would be lost."""
        if estimate is None:
            self._rest = (0.0, 0.0)
            return 0, 0
        exact = (estimate[0] + self._rest[0], estimate[1] + self._rest[1])
        shift = (round(exact[0]), round(exact[1]))
        if shift != (0, 0) and _difference(shifted(before, shift), after) >= _difference(
            before, after
        ):
            shift = (0, 0)
        self._rest = (
            float(np.clip(exact[0] - shift[0], -0.5, 0.5)),
            float(np.clip(exact[1] - shift[1], -0.5, 0.5)),
        )
        return shift

    def _change(self, innovation: NDArray[np.float32], shift: Shift) -> NDArray[np.float32]:
        """0 where the probability wavers about the average, 1 where it has left it for good."""
        if self._innovation is None:
            return np.zeros_like(innovation)
        before = shifted(self._innovation, shift)
        lasting = np.minimum(np.abs(innovation), np.abs(before))
        lasting[innovation * before <= 0.0] = 0.0
        low, high = _CHANGED
        share = (lasting - np.float32(low)) / np.float32(high - low)
        return np.asarray(np.clip(share, 0.0, 1.0))


def _motion(luma: NDArray[np.int16], before: NDArray[np.int16]) -> NDArray[np.float32]:
    """0 where the image stands still, 1 where it moves; float32 (H, W)."""
    # Averaged over 5x5 pixels in eighths of a grey level, which uint8 holds up to 32: more is
    # motion anyway. Noise is what the median pixel differs by, since most of a scene stands still;
    # motion begins above it and is full `_MOVING` levels later.
    difference = np.abs(luma - before) * _SCALE
    local = box_mean(np.minimum(difference, 255).astype(np.uint8), _RADIUS)
    noise = _NOISE_FACTOR * float(np.median(local[::4, ::4])) / _SCALE
    still = float(np.clip(noise, *_STILL))
    motion = (local.astype(np.float32) - np.float32(still * _SCALE)) / (_MOVING * _SCALE)
    return np.clip(motion, 0.0, 1.0, out=motion)


def _difference(first: NDArray[np.int16], second: NDArray[np.int16]) -> float:
    return float(np.abs(first - second).mean())


def _reveal(motion: NDArray[np.float32], shift: Shift) -> None:
    """What the camera newly shows at the borders has no past."""
    for values, step in ((motion, shift[0]), (motion.T, shift[1])):
        values[slice(step) if step >= 0 else slice(step, None)] = 1.0
