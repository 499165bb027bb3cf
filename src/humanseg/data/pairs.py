"""Write pictures with masks as a data set of the layout `folders`."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def write_pair(
    root: Path, name: str, image: NDArray[np.uint8], mask: NDArray[np.bool_], *, quality: int
) -> None:
    """Write ROOT/masks/NAME.png (0 and 255), then ROOT/images/NAME.jpg, each whole or not at all.

    Args:
        root: the data set's folder; made if need be.
        name: of both files, without suffix.
        image: uint8 (height, width, 3) RGB.
        mask: bool (height, width), True where there is a person.
        quality: of the JPEG file, 1 to 95.

    Raises:
        OSError: the folder cannot be written to.
    """
    person = Image.fromarray(mask.astype(np.uint8) * 255)
    _write(root / "masks" / f"{name}.png", person, {"format": "PNG", "compress_level": 3})
    _write(
        root / "images" / f"{name}.jpg",
        Image.fromarray(image),
        {"format": "JPEG", "quality": quality},
    )


def _write(path: Path, image: Image.Image, options: dict[str, str | int]) -> None:
    """Write a picture at once or not at all."""
    buffer = io.BytesIO()
    image.save(buffer, **options)  # type: ignore[arg-type]  # format and encoder settings together
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(buffer.getvalue())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
