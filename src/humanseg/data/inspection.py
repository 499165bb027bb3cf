"""What there is to know of one image and its mask, from one decoding of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg import images
from humanseg.annotations.outlines import draw_outlines
from humanseg.config.finding_codes import Code
from humanseg.data.fingerprint import sample_digests
from humanseg.data.mask_values import mask_problem
from humanseg.data.samples import Sample
from humanseg.data.signatures import Signature, signature
from humanseg.images.resize import Size
from humanseg.results import Record
from humanseg.system.errors import DataError, HumansegError
from humanseg.system.progress import ItemProgress
from humanseg.system.threads import ordered_map

Severity = Literal["error", "warning"]
Digests = tuple[str, str]
"""SHA-256 of an image and of its mask, see `humanseg.data.fingerprint.sample_digests`."""

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
            Finding(
                code=remark.code,
                severity=remark.severity,
                file=files[remark.about],
                message=remark.message,
            )
            for remark in self.remarks
        ]


@dataclass(frozen=True, slots=True)
class Inspection:
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
    image = _inspect_image(sample, remarks)
    mask = _inspect_mask(sample, remarks)
    if image is not None and mask is not None:
        _compare_sizes(image.shape[:2], mask.shape, remarks)
    result = InspectedSample(
        size=None if image is None else (image.shape[0], image.shape[1]),
        share=None if mask is None else float(mask.mean()),
        signature=None if image is None else signature(image),
        remarks=tuple(remarks),
        digests=_digests(sample) if digests else None,
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
        inspection = inspect(samples[index])
        if keep is not None and inspection.image is not None and inspection.mask is not None:
            keep(index, inspection.image, inspection.mask)
        return inspection.result

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


def _digests(sample: Sample) -> Digests | None:
    try:
        return sample_digests(sample)
    except DataError:
        return None


def message_without_name(message: str, path: Path) -> str:
    """A message without the path, or the end of it, that it begins with."""
    parts = path.parts
    for name in (str(path), *("/".join(parts[start:]) for start in range(len(parts)))):
        rest = message.removeprefix(name)
        if rest != message and rest.startswith((":", " ")):
            return rest.lstrip(": ")
    return message


def _inspect_image(sample: Sample, remarks: list[Remark]) -> NDArray[np.uint8] | None:
    def warn(code: Code, message: str) -> None:
        remarks.append(Remark(code, "warning", "image", message))

    try:
        image = sample.read_image()
    except HumansegError as error:
        message = message_without_name(str(error), sample.image)
        remarks.append(Remark("unreadable-image", "error", "image", message))
        return None
    mode = _mode(sample.image)
    if mode in ("1", "L", "LA") or mode.startswith(_WIDE):
        warn("single-channel", "a grey picture; it is read as RGB with equal channels.")
    if mode.startswith(_WIDE) or _is_deep_png(sample.image):
        warn("sixteen-bit", "more than 8 bits per channel; it is read as 8-bit.")
    return image


def _mode(path: Path) -> str:
    """Pillow's mode of a file that can be decoded."""
    with Image.open(path) as header:
        return header.mode


def _is_deep_png(path: Path) -> bool:
    """Whether a PNG has 16 bits per channel, which Pillow hides for colour pictures."""
    with path.open("rb") as stream:
        header = stream.read(25)
    return header.startswith(b"\x89PNG\r\n\x1a\n") and len(header) == 25 and header[24] == 16


def _inspect_mask(sample: Sample, remarks: list[Remark]) -> NDArray[np.bool_] | None:
    path = sample.mask or sample.image

    def add(code: Code, severity: Severity, message: str) -> None:
        remarks.append(Remark(code, severity, "mask", message))

    problem = None
    try:
        if sample.mask is None and sample.size is not None:
            mask, empty = draw_outlines(sample.annotations, sample.size, str(sample.image))
            if empty:
                add("empty-outline", "warning", _empty_outlines(empty))
        elif sample.mask is None:
            mask = sample.read_mask()  # raises
        else:
            values = images.read_grey(sample.mask)
            mask, problem = _cut(values), mask_problem(values)
            _remark_on_storage(sample.mask, values, add)
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


def _remark_on_storage(
    path: Path, values: NDArray[np.uint8], add: Callable[[Code, Severity, str], None]
) -> None:
    with Image.open(path) as header:
        mode, lossy = header.mode, header.format in ("JPEG", "MPO")
    if mode.startswith(_WIDE) or _is_deep_png(path):
        add("sixteen-bit", "warning", "more than 8 bits per pixel; it is read as 8-bit.")
    if lossy and ((values > 1) & (values < 255)).any():
        add("lossy-mask", "warning", "a JPEG; its noise is cut at one half. Save masks as PNG.")


def _empty_outlines(count: int) -> str:
    which = "1 outline of a person covers" if count == 1 else f"{count} outlines of people cover"
    return f"{which} no pixel, so what is meant is taken as background."


def _cut(values: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What `images.read_mask` makes of the values of `images.read_grey`: files are decoded once."""
    return np.asarray(values >= (1 if values.max() <= 1 else 128))


def _compare_sizes(image: tuple[int, ...], mask: tuple[int, ...], remarks: list[Remark]) -> None:
    if image == mask:
        return
    difference = abs(image[0] * mask[1] / (image[1] * mask[0]) - 1)
    alike = difference <= MAX_ASPECT_DIFFERENCE
    end = (
        "both are scaled to one size"
        if alike
        else "their shapes differ too, so they cannot show the same; make the mask anew"
    )
    remarks.append(
        Remark(
            "size-differs",
            "warning" if alike else "error",
            "mask",
            f"picture {image[1]}x{image[0]}, mask {mask[1]}x{mask[0]}; {end}.",
        )
    )
