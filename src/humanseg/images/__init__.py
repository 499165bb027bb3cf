"""Decode any picture or mask file into one array convention.

Every path of the product reads files here: `load` for whatever a user has, `read_image` and
`read_mask` for data sets, in training and evaluation.
"""

from __future__ import annotations

from humanseg.images.dataset import Source, open_image, read_grey, read_image, read_mask
from humanseg.images.files import MAX_BYTES, MAX_PIXELS, SUFFIXES
from humanseg.images.load import ImageLike, Picture, load

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageLike",
    "Picture",
    "Source",
    "load",
    "open_image",
    "read_grey",
    "read_image",
    "read_mask",
]
