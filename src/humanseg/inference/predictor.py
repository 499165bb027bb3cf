"""The one path from a picture to a person mask, whatever runs the network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size, resize_image, resize_probability


class Backend(Protocol):
    """Anything that runs a network on the CPU, a GPU or elsewhere."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (N, H, W), float32, 0 to 1, of RGB pictures (N, H, W, 3), uint8."""
        ...


class Predictor:
    """Stretch to the network's grid, run, bring the probability back, cut at the threshold."""

    def __init__(
        self,
        backend: Backend,
        *,
        image_size: Size,
        threshold: float = 0.5,
        flip_averaging: bool = False,
    ) -> None:
        """Describe a predictor.

        Args:
            backend: runs the network.
            image_size: (height, width) of the network's grid in pixels.
            threshold: a pixel is a person where its probability is at least this.
            flip_averaging: average with the mirrored picture; twice the time.
        """
        self._backend = backend
        self._image_size = image_size
        self._threshold = threshold
        self._flip_averaging = flip_averaging

    def grid_probability(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probability on the network's grid.

        Args:
            image: uint8 (H, W, 3) RGB of any size.

        Returns:
            float32 (grid height, grid width), 0 to 1.
        """
        grid = resize_image(image, self._image_size)[None]
        return np.asarray(self.grid_probabilities(grid)[0])

    def grid_probabilities(self, grids: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of pictures that are on the network's grid already.

        Args:
            grids: uint8 (N, grid height, grid width, 3) RGB.

        Returns:
            float32 (N, grid height, grid width), 0 to 1.
        """
        probabilities = self._backend(grids)
        if self._flip_averaging:
            mirrored = self._backend(np.ascontiguousarray(grids[:, :, ::-1]))[:, :, ::-1]
            probabilities = (probabilities + mirrored) / 2.0
        return np.ascontiguousarray(probabilities, dtype=np.float32)

    def probability(
        self, image: NDArray[np.uint8], *, size: Size | None = None
    ) -> NDArray[np.float32]:
        """Probability of a person in every pixel.

        Args:
            image: uint8 (H, W, 3) RGB of any size.
            size: (height, width) of the answer; the picture's own by default.

        Returns:
            float32 (height, width), 0 to 1; never rescaled, so a picture without people stays low.
        """
        return resize_probability(self.grid_probability(image), size or image.shape[:2])

    def cut(self, probability: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Mask of a probability map: True where it is at least the threshold."""
        return np.asarray(probability >= self._threshold)

    def mask(self, image: NDArray[np.uint8], *, size: Size | None = None) -> NDArray[np.bool_]:
        """Person mask; see `probability`.

        Returns:
            bool (height, width), True where there is a person.
        """
        return self.cut(self.probability(image, size=size))
