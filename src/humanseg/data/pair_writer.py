"""Write images with masks as a data set of the layout `folders`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.system.atomic import replacing


def write_pair(
    root: Path, name: str, image: NDArray[np.uint8], mask: NDArray[np.bool_], *, quality: int
) -> None:
    """Write ROOT/masks/NAME.png (0 and 255), then ROOT/images/NAME.jpg, each whole or not at all.

    The image is uint8 (height, width, 3) RGB, the mask bool (height, width), True where there is a
    person; `quality` is that of the JPEG file, 1 to 95.

    Raises:
        OSError: the folder cannot be written to.
    """
    with replacing(root / "masks" / f"{name}.png") as temporary:
        person = Image.fromarray(mask.astype(np.uint8) * 255)
        person.save(temporary, format="PNG", compress_level=3)
    with replacing(root / "images" / f"{name}.jpg") as temporary:
        Image.fromarray(image).save(temporary, format="JPEG", quality=quality)
