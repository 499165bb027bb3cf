"""What there is to know of one image and its mask, from one decoding of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg.annotations.outlines import draw_outlines
from humanseg.config.finding_codes import Code
from humanseg.data.fingerprint import sample_digests
from humanseg.data.mask_values import colour_problem, mask_problem
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature, signature
from humanseg.images.dataset import mask_of, read_grey_and_colours
from humanseg.images.resize import Size
from humanseg.results import Record
from humanseg.system.errors import DataError, HumansegError
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map

Severity = Literal["error", "warning"]
Digests = tuple[str, str]
"""SHA-256 of an image and of its mask, see `humanseg.data.fingerprint.sample_digests`."""

Add = Callable[[Code, Severity, str], None]
"""Called with what is wrong."""
Keep = Callable[[int, NDArray[np.uint8], NDArray[np.bool_]], None]
"""Called with the index of a sample, its image and its mask."""

MAX_ASPECT_DIFFERENCE = 0.01
"""Relative difference of the aspect ratios up to which a smaller mask is only a smaller mask."""

_WIDE = ("I", "F")  # Pillow's modes of more than 8 bits begin so


class Finding(Record):
    """One thing that is wrong or odd."""

    code: Code
    severity: Severity
    file: str
    message: str
    """What is wrong with `file`, which it does not name again."""
    images: tuple[str, ...] = ()
    """Ids of the images that a finding about the whole set concerns."""


def finding(
    code: Code, severity: Severity, file: str, message: str, images: tuple[str, ...] = ()
) -> Finding:
    """A finding, without names of its fields."""
    return Finding(code=code, severity=severity, file=file, message=message, images=images)


@dataclass(frozen=True, slots=True)
class Remark:
    """A finding before it is known by which name the files will be called."""

    code: Code
    severity: Severity
    about: Literal["image", "mask"]
    message: str


@dataclass(frozen=True, slots=True)
class InspectedSample:
    """What is remembered of an image and its mask once both were decoded."""

    size: Size | None
    """(height, width) of the image; None if it cannot be read."""
    share: float | None
    """Share of person pixels, 0 to 1; None if the mask cannot be read."""
    signature: Signature | None
    """None if the image cannot be read."""
    remarks: tuple[Remark, ...] = ()
    digests: Digests | None = None
    """None where nobody asked for them, or a file cannot be read."""

    def findings(self, sample: Sample) -> list[Finding]:
        """The remarks, with the files named as the sample names them."""
        files = {"image": str(sample.image), "mask": str(sample.mask or sample.image)}
        return [
            finding(remark.code, remark.severity, files[remark.about], remark.message)
            for remark in self.remarks
        ]


class Inspection(NamedTuple):
    """An inspected sample, with its pixels."""

    result: InspectedSample
    image: NDArray[np.uint8] | None
    """(height, width, 3) RGB; None if it cannot be read."""
    mask: NDArray[np.bool_] | None
    """(height, width); None if it cannot be read."""


def inspect(sample: Sample, *, digests: bool = False) -> Inspection:
    """Decode an image and its mask once, and find out everything about them, digests if asked to.

    Files that cannot be read raise nothing: they are remarks.
    """
    remarks: list[Remark] = []

    def add(about: Literal["image", "mask"], code: Code, severity: Severity, message: str) -> None:
        remarks.append(Remark(code, severity, about, message))

    image = _inspect_image(sample, partial(add, "image"))
    mask = _inspect_mask(sample, partial(add, "mask"))
    if image is not None and mask is not None:
        _compare_sizes(image.shape[:2], mask.shape, partial(add, "mask"))
    hashes: Digests | None = None
    if digests:
        with suppress(DataError):
            hashes = sample_digests(sample)
    result = InspectedSample(
        size=None if image is None else (image.shape[0], image.shape[1]),
        share=None if mask is None else float(mask.mean()),
        signature=None if image is None else signature(image),
        remarks=tuple(remarks),
        digests=hashes,
    )
    return Inspection(result, image, mask)


def inspect_all(
    samples: Sequence[Sample],
    *,
    keep: Keep | None = None,
    progress: ItemProgress | None = None,
) -> list[InspectedSample]:
    """Inspect samples in threads, in order.

    `keep` is called in the threads with the pixels of each readable one, so that nobody need decode
    them again; `progress` with (samples done, all samples).
    """

    def work(index: int) -> InspectedSample:
        result, image, mask = inspect(samples[index])
        if keep is not None and image is not None and mask is not None:
            keep(index, image, mask)
        return result

    inspected: list[InspectedSample] = []
    with closing(ordered_map(work, range(len(samples)))) as results:
        for result in results:
            inspected.append(result)
            if progress is not None:
                progress(len(inspected), len(samples))
    return inspected


def raise_unreadable(sample: Sample) -> NoReturn:
    """Raise the error with which a sample that could not be inspected is read.

    Raises:
        ImageError: a file that cannot be read.
        DataError: no mask; or both can be read now, so they have changed.
    """
    sample.read_image()
    sample.read_mask()
    raise DataError(f"{sample.image}: changed while it was read; run again.")


def message_without_name(message: str, path: Path) -> str:
    """A message without the path, or the end of it, that it begins with."""
    parts = path.parts
    for name in (str(path), *("/".join(parts[start:]) for start in range(len(parts)))):
        rest = message.removeprefix(name)
        if rest != message and rest.startswith((":", " ")):
            return rest.lstrip(": ")
    return message


def _inspect_image(sample: Sample, add: Add) -> NDArray[np.uint8] | None:
    try:
        image = sample.read_image()
    except HumansegError as error:
        add("unreadable-image", "error", message_without_name(str(error), sample.image))
        return None
    mode, deep, _ = _storage(sample.image)
    if mode in ("1", "L", "LA") or mode.startswith(_WIDE):
        add("single-channel", "warning", "a grey picture; it is read as RGB with equal channels.")
    if deep:
        add("sixteen-bit", "warning", "more than 8 bits per channel; it is read as 8-bit.")
    return image


def _storage(path: Path) -> tuple[str, bool, bool]:
    """Pillow's mode of a file that can be decoded, and whether it has over 8 bits, or is a JPEG."""
    with Image.open(path) as header:
        mode, lossy = header.mode, header.format in ("JPEG", "MPO")
    with path.open("rb") as stream:
        start = stream.read(25)
    # Pillow hides the 16 bits per channel of a PNG in colour.
    deep_png = start.startswith(b"\x89PNG\r\n\x1a\n") and start[24:] == b"\x10"
    return mode, deep_png or mode.startswith(_WIDE), lossy


def _inspect_mask(sample: Sample, add: Add) -> NDArray[np.bool_] | None:
    path, problem = sample.mask or sample.image, None
    try:
        if sample.mask is None and sample.size is not None:
            mask, empty = draw_outlines(sample.annotations, sample.size, str(sample.image))
            if empty:
                which = (
                    f"{empty} outlines of people cover"
                    if empty > 1
                    else "1 outline of a person covers"
                )
                meant = "no pixel, so what is meant is taken as background."
                add("empty-outline", "warning", f"{which} {meant}")
        elif sample.mask is None:
            mask = sample.read_mask()  # raises
        else:
            values, colours = read_grey_and_colours(sample.mask)
            mask, problem = mask_of(values), mask_problem(values) or colour_problem(colours)
            _, deep, lossy = _storage(sample.mask)
            if deep:
                add("sixteen-bit", "warning", "more than 8 bits per pixel; it is read as 8-bit.")
            if lossy and ((values > 1) & (values < 255)).any():
                noise = "a JPEG; its noise is cut at one half. Save masks as PNG."
                add("lossy-mask", "warning", noise)
    except HumansegError as error:
        add("unreadable-mask", "error", message_without_name(str(error), path))
        return None
    if problem is not None:
        add("mask-values", "error", problem)
    elif not mask.any():
        add("empty-mask", "warning", "no pixel is a person.")
    elif mask.all():
        add("full-mask", "warning", "every pixel is a person.")
    return mask


def _compare_sizes(image: tuple[int, ...], mask: tuple[int, ...], add: Add) -> None:
    if image == mask:
        return
    sizes = f"picture {image[1]}x{image[0]}, mask {mask[1]}x{mask[0]}"
    if abs(image[0] * mask[1] / (image[1] * mask[0]) - 1) <= MAX_ASPECT_DIFFERENCE:
        add("size-differs", "warning", f"{sizes}; both are scaled to one size.")
    else:
        differ = "their shapes differ too, so they cannot show the same; make the mask anew"
        add("size-differs", "error", f"{sizes}; {differ}.")
