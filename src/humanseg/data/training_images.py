"""What a model directory remembers of the images that it was trained on, to recognise them.

training-images.npz, beside humanseg.json:

    digests   uint8 (images, 8): the beginning of SHA-256 over shape and decoded pixels
    signs     uint8 (images, 15): 119 bits, whether a low frequency is positive; zeros for an image
              that shows too little to know changed copies of it

No image can be seen in it, and no names are kept. One that is damaged is a ModelError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from humanseg.data.duplicates import CopyIndex
from humanseg.data.signatures import BITS, ImageBits, Signature
from humanseg.model_directory import TRAINING_IMAGES_FILE
from humanseg.system.archives import ZIP_ERRORS
from humanseg.system.atomic import replacing
from humanseg.system.errors import ModelError


def write_training_images(directory: Path, images: ImageBits) -> None:
    """Write training-images.npz; an image that is there twice is kept once."""
    signs = images.signs & ~images.plain[:, None]
    rows = np.concatenate([images.digests, np.packbits(signs, axis=1)], axis=1)
    rows = np.unique(rows, axis=0)  # sorted, so the file tells nothing of the data set's order
    with replacing(directory / TRAINING_IMAGES_FILE) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, digests=rows[:, :8], signs=rows[:, 8:])


def read_training_images(directory: Path) -> ImageBits | None:
    """Read training-images.npz; None where a directory has none."""
    file = directory / TRAINING_IMAGES_FILE
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as stored:
            digests, packed = stored["digests"], stored["signs"]
            signs = np.unpackbits(packed, axis=1, count=BITS).astype(np.bool_)
            return ImageBits(digests.reshape(len(signs), 8), signs, np.asarray(~signs.any(axis=1)))
    except ZIP_ERRORS as error:
        raise ModelError(f"{file}: is damaged ({error}); copy the model again.") from error


def joined(*parts: ImageBits) -> ImageBits:
    """All of these images."""
    return ImageBits(
        np.concatenate([part.digests for part in parts]),
        np.concatenate([part.signs for part in parts]),
        np.concatenate([part.plain for part in parts]),
    )


def seen_in_training(directory: Path, images: Mapping[str, Signature]) -> tuple[str, ...]:
    """Names of images that a model was trained on, or on a copy of them, in the order given."""
    trained_on = read_training_images(directory)
    return () if trained_on is None else copied(trained_on, images)


def copied(trained_on: ImageBits, images: Mapping[str, Signature]) -> tuple[str, ...]:
    """Names of images that show the same as one of those that were trained on."""
    index = CopyIndex(trained_on)
    return tuple(name for name, image in images.items() if index.copies(image))


def some(names: Sequence[str]) -> str:
    """The first three of many names, for a sentence."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
