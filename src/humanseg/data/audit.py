"""Check a data set before anything is trained on it.

Errors spoil a training or its scores; warnings are worth knowing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg import images
from humanseg.config import Layout
from humanseg.data.duplicates import WORKERS, Signature, find_duplicates, group_ids, signature
from humanseg.data.layouts import find_layout, find_pairs
from humanseg.data.mask_values import mask_problem
from humanseg.data.samples import Sample
from humanseg.errors import HumansegError
from humanseg.results import Record

Severity = Literal["error", "warning"]
Code = Literal[
    "unreadable-image", "unreadable-mask", "missing-partner", "size-differs", "mask-values",
    "empty-mask", "full-mask", "no-person", "exact-duplicate", "near-duplicate", "single-channel",
    "sixteen-bit",
]  # fmt: skip

MAX_ASPECT_DIFFERENCE = 0.01
"""Relative difference of the aspect ratios up to which a smaller mask is only a smaller mask."""
_BATCH = 64
_WIDE = ("I", "F")  # Pillow's modes of more than 8 bits begin so


class Finding(Record):
    """One thing that is wrong or odd."""

    code: Code
    severity: Severity
    file: str
    message: str
    """What is wrong with `file`, which it does not name again."""


class AuditReport(Record):
    """What a check found."""

    schema_version: Literal[1] = 1
    root: str
    layout: Literal["folders", "original", "csv", "coco"]
    pairs: int
    """Pictures with a mask."""
    findings: tuple[Finding, ...]
    totals: dict[str, int]
    """Number of findings by code."""

    @property
    def ok(self) -> bool:
        """True if nothing spoils training; warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that spoil training."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that do not."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is kept of a pair once it was looked at."""

    findings: tuple[Finding, ...]
    signature: Signature | None
    person: bool | None
    """Whether the mask has a person; None if it could not be read."""


def audit(
    root: Path, layout: Layout = "auto", *, progress: Callable[[int, int], None] | None = None
) -> AuditReport:
    """Read every picture and mask once and list what is wrong.

    Args:
        root: a folder, CSV file or COCO JSON file.
        layout: how pairs are found; `auto` recognises it.
        progress: called with (pairs done, all pairs).

    Raises:
        UsageError: no such path, or not of this layout.
        DataError: no pictures at all, or a table that cannot be read.
    """
    found = find_layout(root, layout)
    pairs = find_pairs(root, layout)
    findings = [
        Finding(
            code="missing-partner",
            severity="error",
            file=str(missing.path),
            message=_without_name(f"{missing.message}.", missing.path),
        )
        for missing in pairs.missing
    ]
    checked = []
    for done, result in enumerate(_check_all(pairs.samples), start=1):
        checked.append(result)
        findings += result.findings
        if progress is not None:
            progress(done, len(pairs.samples))
    findings += _duplicates(pairs.samples, checked)
    masks = [result.person for result in checked if result.person is not None]
    if masks and not any(masks):
        message = f"none of the {len(masks)} masks has a person in it; there is nothing to learn."
        findings.append(
            Finding(code="no-person", severity="error", file=str(root), message=message)
        )
    totals = Counter(str(finding.code) for finding in findings)
    return AuditReport(
        root=str(root),
        layout=found.layout,
        pairs=len(pairs.samples),
        findings=tuple(findings),
        totals=dict(sorted(totals.items())),
    )


def _check_all(samples: tuple[Sample, ...]) -> Iterator[_Checked]:
    """Check pairs in threads, in order, a few at a time so that memory stays flat."""
    waiting = iter(samples)
    with ThreadPoolExecutor(WORKERS) as pool:
        while batch := list(islice(waiting, _BATCH)):
            yield from pool.map(_check, batch)


def _check(sample: Sample) -> _Checked:
    findings: list[Finding] = []
    image = _check_image(sample, findings)
    mask = _check_mask(sample, findings)
    if image is not None and mask is not None:
        _check_sizes(sample, image.shape[:2], mask.shape, findings)
    return _Checked(
        tuple(findings),
        None if image is None else signature(image),
        None if mask is None else bool(mask.any()),
    )


def _check_image(sample: Sample, findings: list[Finding]) -> NDArray[np.uint8] | None:
    name = str(sample.image)

    def warn(code: Code, message: str) -> None:
        findings.append(Finding(code=code, severity="warning", file=name, message=message))

    try:
        image = sample.read_image()
    except HumansegError as error:
        findings.append(_unreadable("unreadable-image", sample.image, error))
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


def _unreadable(code: Code, path: Path, error: HumansegError) -> Finding:
    message = _without_name(str(error), path)
    return Finding(code=code, severity="error", file=str(path), message=message)


def _without_name(message: str, path: Path) -> str:
    """A message without the path, or the end of it, that it begins with."""
    parts = path.parts
    for name in (str(path), *("/".join(parts[start:]) for start in range(len(parts)))):
        rest = message.removeprefix(name)
        if rest != message and rest.startswith((":", " ")):
            return rest.lstrip(": ")
    return message


def _check_mask(sample: Sample, findings: list[Finding]) -> NDArray[np.bool_] | None:
    path = sample.mask or sample.image

    def add(code: Code, severity: Severity, message: str) -> None:
        findings.append(Finding(code=code, severity=severity, file=str(path), message=message))

    try:
        mask = sample.read_mask()
        problem = None if sample.mask is None else mask_problem(images.read_grey(sample.mask))
    except HumansegError as error:
        findings.append(_unreadable("unreadable-mask", path, error))
        return None
    if sample.mask is not None and (_mode(path).startswith(_WIDE) or _is_deep_png(path)):
        add("sixteen-bit", "warning", "more than 8 bits per pixel; it is read as 8-bit.")
    if problem is not None:
        add("mask-values", "error", problem)
    elif not mask.any():
        add("empty-mask", "warning", "no pixel is a person.")
    elif mask.all():
        add("full-mask", "warning", "every pixel is a person.")
    return mask


def _check_sizes(
    sample: Sample, image: tuple[int, ...], mask: tuple[int, ...], findings: list[Finding]
) -> None:
    if image == mask:
        return
    difference = abs(image[0] * mask[1] / (image[1] * mask[0]) - 1)
    alike = difference <= MAX_ASPECT_DIFFERENCE
    end = (
        "both are scaled to one size"
        if alike
        else "their shapes differ too, so they cannot show the same; make the mask anew"
    )
    findings.append(
        Finding(
            code="size-differs",
            severity="warning" if alike else "error",
            file=str(sample.mask or sample.image),
            message=f"picture {image[1]}x{image[0]}, mask {mask[1]}x{mask[0]}; {end}.",
        )
    )


def _duplicates(samples: tuple[Sample, ...], checked: list[_Checked]) -> list[Finding]:
    """One finding per group of pictures that show the same."""
    readable = [
        (sample, result.signature)
        for sample, result in zip(samples, checked, strict=True)
        if result.signature is not None
    ]
    pairs = find_duplicates([signature for _, signature in readable])
    findings = []
    codes: tuple[tuple[Code, str], ...] = (
        ("exact-duplicate", "the same pixels"),
        ("near-duplicate", "almost the same picture (resized, recompressed or mirrored)"),
    )
    files = {sample.id: str(sample.image) for sample, _ in readable}
    for code, what in codes:
        chosen = [pair for pair in pairs if (pair.kind == "exact") == (code == "exact-duplicate")]
        alike = [(pair.first, pair.second) for pair in chosen]
        groups = group_ids([sample.id for sample, _ in readable], alike)
        for first in sorted({leader for name, leader in groups.items() if leader != name}):
            others = [name for name, leader in groups.items() if leader == first != name]
            message = (
                f"{what} as {', '.join(others)}; a split keeps them in one part, scores count "
                "them more than once."
            )
            findings.append(
                Finding(code=code, severity="warning", file=files[first], message=message)
            )
    return findings
