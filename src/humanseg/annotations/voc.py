"""Masks of Pascal VOC: PNG files whose colours are classes, and a colour for pixels of no class."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.annotations.label_output import VOC_FILE
from humanseg.annotations.label_set import Classes, LabelledImage, LabelSet, Missing, read_text
from humanseg.annotations.partners import by_stem, paired
from humanseg.annotations.rle import encode_mask
from humanseg.images import SUFFIXES, open_image
from humanseg.system.errors import DataError
from humanseg.system.threads import ordered_map

MASKS, PICTURES = "SegmentationClass", "JPEGImages"
_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
_BACKGROUND = _CLASSES[0]
_VOID = 255
"""Index of pixels that are of no class: borders and what is too hard to say."""

Colour: TypeAlias = tuple[int, int, int]


def voc_palette() -> NDArray[np.uint8]:
    """VOC's colours: uint8 (256, 3); the bits of an index, three by three, from the highest on."""
    indices = np.arange(256, dtype=np.uint8)
    palette = np.zeros((256, 3), dtype=np.uint8)
    for step in range(8):
        for channel in range(3):
            palette[:, channel] |= (indices >> (3 * step + channel) & 1) << (7 - step)
    return palette


def read_voc(root: Path, classes: Sequence[str]) -> LabelSet:
    """Read masks whose colours are classes; pixels of no class are ignored.

    `root` holds SegmentationClass/ and JPEGImages/ (or images/); with labelmap.txt, as CVAT and
    Datumaro write it, classes have its colours, otherwise VOC's own. `classes` are those of people.

    Raises:
        DataError: a damaged labelmap.txt, or none of the classes.
        ImageError: a mask that cannot be read.
    """
    table = root / VOC_FILE
    colours = _class_colours(table)
    wanted = Classes(classes)
    people = [colour for name, colour in colours.items() if wanted.is_person(name)]
    names = {_packed(np.array(colour)).item(): name for name, colour in colours.items()}
    folder = next(path for path in (root / PICTURES, root / "images") if path.is_dir())
    missing: list[Missing] = []
    pictures = by_stem(folder, SUFFIXES, missing)
    masks = by_stem(root / MASKS, {".png"}, missing)
    partners = paired(masks.keys(), pictures.keys())
    missing += [
        Missing(mask, f"{mask.name} has no picture in {folder.name}/")
        for stem, mask in masks.items()
        if stem not in partners
    ]

    def read(stem: str) -> tuple[LabelledImage, list[int], int]:
        mask = masks[stem]
        codes, values = _codes(mask, colours)
        chosen = np.isin(codes, _packed(np.array(people).reshape(-1, 3)))[values]
        void = (codes == _packed(voc_palette()[_VOID]))[values] & ~chosen
        size = (values.shape[0], values.shape[1])
        outlines = (encode_mask(chosen),) if chosen.any() else ()
        name = str(pictures[partners[stem]].absolute())
        ignored = encode_mask(void) if void.any() else None
        entry = LabelledImage((name,), mask, size, outlines, ignored)
        return entry, codes[np.unique(values)].tolist(), int(void.sum())

    entries, voids = [], 0
    with closing(ordered_map(read, sorted(partners))) as results:
        for entry, present, void in results:
            entries.append(entry)
            voids += void
            for code in present:
                if names.get(code, _BACKGROUND) != _BACKGROUND:
                    wanted.person(names[code])
    named = table if table.is_file() else root
    taken = wanted.taken(named, [name for name in colours if name != _BACKGROUND])
    if voids:
        pixels = sum(entry.size[0] * entry.size[1] for entry in entries if entry.size)
        taken += (
            f"; {voids} pixels of no class ({voids / pixels:.1%}) are ignored: they count neither "
            "in the loss nor in scores"
        )
    return LabelSet(tuple(entries), (root,), taken, tuple(missing))


def _class_colours(path: Path) -> dict[str, Colour]:
    """Colours by class: of labelmap.txt, or VOC's own."""
    if not path.is_file():
        palette = voc_palette()
        return {name: tuple(palette[index].tolist()) for index, name in enumerate(_CLASSES)}
    colours: dict[str, Colour] = {}
    for line in read_text(path).splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(":")
            try:
                red, green, blue = (int(word) for word in rest.partition(":")[0].split(","))
            except ValueError as error:
                raise DataError(f"{path}: {line!r} is not name:red,green,blue::.") from error
            colours[name.strip()] = (red, green, blue)
    return colours


def _packed(colours: NDArray[np.generic]) -> NDArray[np.int64]:
    """One number per colour, of (..., 3)."""
    return np.asarray(colours.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1]))


def _codes(path: Path, colours: dict[str, Colour]) -> tuple[NDArray[np.int64], NDArray[np.integer]]:
    """The colours of a mask, as `_packed` has them, and the index of each pixel's among them."""
    image = open_image(path)
    if image.mode not in ("P", "L"):
        packed = _packed(np.asarray(image.convert("RGB")))
        codes, indices = np.unique(packed, return_inverse=True)
        return codes, indices.reshape(packed.shape)
    palette = np.zeros((256, 3), dtype=np.uint8)
    stored = list(colours.values()) if image.mode == "L" else image.getpalette() or []
    given = np.array(stored, dtype=np.uint8).reshape(-1, 3)
    palette[: len(given)] = given
    palette[_VOID] = voc_palette()[_VOID]
    return _packed(palette), np.asarray(image)


def voc_png(mask: NDArray[np.bool_]) -> bytes:
    """A mask, bool (height, width), as VOC's PNG: 15, its person, and 0, with VOC's palette."""
    image = Image.fromarray(mask.astype(np.uint8) * np.uint8(_CLASSES.index("person")))
    image.putpalette(voc_palette().ravel().tolist())
    stream = io.BytesIO()
    image.save(stream, format="PNG", compress_level=2)
    return stream.getvalue()
