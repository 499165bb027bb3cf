"""Segmenters whose network is a formula in Python: exact, instant, and watched."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from humanseg.inference.engines.engine import FunctionEngine
from humanseg.inference.segmenter import Segmenter


class BrightIsPerson(Segmenter):
    """Takes bright pixels for people; remembers the threads that asked, one per image."""

    def __init__(self, image_size: tuple[int, int] = (64, 64), *, threshold: float = 0.5) -> None:
        self.threads: list[int] = []
        engine = FunctionEngine.of(self._find_all, image_size)
        self._take(engine, threshold, flip_averaging=False, sure_share=0.0, record=None, model=None)

    def _find_all(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        grids = []
        for image in images:
            self.threads.append(threading.get_ident())
            grids.append(self.find(image))
        return np.stack(grids)

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability of an image on the grid, uint8 (H, W, 3); for stand-ins to override."""
        return np.asarray(image.mean(axis=2) / 255.0, dtype=np.float32)
