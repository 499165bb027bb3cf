"""Decode any image or mask into one array convention, and resize it.

* `files`: open and decode a file of any origin, upright; every reader begins here
* `colour`: from any mode to 8-bit RGB, in bands
* `load_image`: whatever a user has, colour profiles applied, with alpha and notes
* `dataset`: a data set's files; `read_image` ignores colour profiles, as published figures did, and
  `read_mask` says where a person is, whatever the mask is stored as
* `resize`: between an image and the network's input size, the same everywhere
* `stored_maps`: masks and probability maps that we wrote ourselves
"""

from __future__ import annotations

from humanseg.images.dataset import Source, open_image, read_grey, read_image, read_mask, read_size
from humanseg.images.files import MAX_BYTES, MAX_PIXELS, SUFFIXES
from humanseg.images.load_image import ImageLike, LoadedImage, load

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageLike",
    "LoadedImage",
    "Source",
    "load",
    "open_image",
    "read_grey",
    "read_image",
    "read_mask",
    "read_size",
]
