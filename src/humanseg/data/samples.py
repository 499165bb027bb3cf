"""One picture of a data set with its truth, read on demand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from humanseg import images
from humanseg.annotations.outlines import Segmentation, draw_outlines
from humanseg.images.resize import Size
from humanseg.system.errors import DataError


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and its truth: a mask file, or COCO outlines with the size they are drawn on."""

    id: str
    """Unique name within the data set, POSIX-like, without suffix: `12`, `sub/a`."""
    image: Path
    mask: Path | None = None
    annotations: tuple[Segmentation, ...] = field(default=(), hash=False)
    """Outlines of every person, crowds included; empty with a `size`: nobody in the picture."""
    size: Size | None = None
    """(height, width) of the COCO entry; None where a mask file is the truth."""
    ignored: Segmentation | None = field(default=None, hash=False)
    """Outlines of pixels that count neither in the loss nor in scores; None: all count."""

    def read_image(self) -> NDArray[np.uint8]:
        """The picture as uint8 (height, width, 3), RGB.

        Raises:
            ImageError: missing or damaged file.
        """
        return images.read_image(self.image)

    def read_mask(self) -> NDArray[np.bool_]:
        """The truth as bool (height, width), True where there is a person.

        Raises:
            ImageError: missing or damaged mask file.
            DataError: neither mask nor annotations, or an annotation that cannot be drawn.
        """
        if self.mask is not None:
            return images.read_mask(self.mask)
        if self.size is None:
            raise DataError(f"{self.image}: has no mask; give it one or leave the picture out.")
        return draw_outlines(self.annotations, self.size, str(self.image))[0]

    def read_ignored(self) -> NDArray[np.bool_] | None:
        """Pixels that count neither in the loss nor in scores, bool (height, width) as the mask.

        None: all count.
        """
        if self.ignored is None or self.size is None:
            return None
        return draw_outlines((self.ignored,), self.size, str(self.image))[0]
