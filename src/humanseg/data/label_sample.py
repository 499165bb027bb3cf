"""Some pairs of a data set, small: what the checks of whole sets look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg import images
from humanseg.data.samples import Sample
from humanseg.images.resize import resize_image, resize_mask
from humanseg.system.errors import HumansegError
from humanseg.system.threads import ordered_map

SIDE = 96
"""Pixels of either side; images are stretched to a square."""
MAX_IMAGES = 200
"""So many pairs are looked at, evenly over the data set."""

Reader = Callable[[int], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, eq=False)
class LabelSample:
    """Pairs on a small grid."""

    ids: tuple[str, ...]
    images: NDArray[np.uint8]
    """(N, SIDE, SIDE, 3), RGB."""
    masks: NDArray[np.bool_]
    """(N, SIDE, SIDE), True where there is a person."""
    read: Reader
    """Gives an image, by its position here, in more detail: uint8 (H, W, 3)."""

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.ids)


def evenly(count: int, limit: int = MAX_IMAGES) -> list[int]:
    """At most `limit` positions of `count`, spread over all of them."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, limit)).round())]


def small_pair(
    image: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An image and its mask on the small grid."""
    return resize_image(image, (SIDE, SIDE)), resize_mask(mask, (SIDE, SIDE))


def read_label_sample(samples: Sequence[Sample]) -> LabelSample:
    """Read at most `MAX_IMAGES` pairs; those that cannot be read are left out."""
    chosen = [samples[index] for index in evenly(len(samples))] if samples else []

    def work(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.bool_]] | None:
        try:
            image = images.load(sample.image, at_least=2 * SIDE).pixels
            return small_pair(image, sample.read_mask())
        except HumansegError:
            return None  # the inspection has said so

    pairs = list(zip(chosen, ordered_map(work, chosen), strict=True))
    readable = [(sample, pair) for sample, pair in pairs if pair is not None]
    return LabelSample(
        ids=tuple(sample.id for sample, _ in readable),
        images=np.array([pair[0] for _, pair in readable], np.uint8).reshape(-1, SIDE, SIDE, 3),
        masks=np.array([pair[1] for _, pair in readable], np.bool_).reshape(-1, SIDE, SIDE),
        read=lambda index: readable[index][0].read_image(),
    )
