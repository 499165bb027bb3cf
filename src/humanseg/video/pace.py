"""Whether a network can follow a camera; one that cannot is exchanged for a faster one."""

from __future__ import annotations

from collections.abc import Callable

from humanseg.inference.segmenter import Segmenter

_FRAMES = 30
"""That are watched before it is decided, again and again."""
_BUSY = 0.9
"""Share of the time between frames above which a network is taken to be what frames are lost to."""


class Pace:
    """Compares the time that a network takes with the time that passes between frames."""

    def __init__(self, faster: Callable[[], Segmenter]) -> None:
        """`faster` opens the other network, at most once."""
        self._faster = faster
        self._watched = -1  # frames; before the first no time is known to have passed
        self._spent = self._passed = 0.0
        self.note: str | None = None
        """That the networks were exchanged, and why; None where they were not."""

    def after(self, spent: float, passed: float) -> Segmenter | None:
        """Count a frame; returns the network for the next ones, if it is another.

        The network spent so many seconds on a frame, and so many passed since the one before. One
        that is too slow works all the time: frames wait for it, or are lost, until the time
        between those that it gets is the time that it takes.
        """
        if self.note is not None:
            return None
        self._watched += 1
        if self._watched == 0:
            return None
        self._spent += spent
        self._passed += passed
        if self._watched < _FRAMES:
            return None
        each, too_slow = self._spent / self._watched, self._spent > _BUSY * self._passed
        self._watched, self._spent, self._passed = 0, 0.0, 0.0
        if not too_slow:
            return None
        self.note = (
            f"the network took {each * 1000:.0f} ms a frame, too long for this camera: a faster "
            "one took over"
        )
        return self._faster()
