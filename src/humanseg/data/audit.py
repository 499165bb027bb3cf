"""Check a data set before anything is trained on it.

Errors spoil a training or its scores; warnings are worth knowing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from humanseg.annotations.label_set import PERSON
from humanseg.config.finding_codes import Code
from humanseg.config.schema import KnownLayout, Layout
from humanseg.data.bundled_witness import iou
from humanseg.data.duplicates import find_duplicates, group_ids
from humanseg.data.fingerprint import truth_digest
from humanseg.data.inspection import (
    Finding,
    InspectedSample,
    finding,
    inspect_all,
    message_without_name,
)
from humanseg.data.label_guards import ALL_FULL, MIN_PAIRS, count_outlines, label_findings
from humanseg.data.label_sample import SIDE, evenly, label_sample
from humanseg.data.layouts import find_layout, find_pairs
from humanseg.data.resized import ImagesInMemory, ResizedImages
from humanseg.data.samples import Sample
from humanseg.images.resize import resize_mask
from humanseg.results import Record
from humanseg.system.errors import DataError, HumansegError
from humanseg.system.progress import ItemProgress

if TYPE_CHECKING:
    from humanseg.data.cache import Cache

SAME_MASK = 0.8
"""IoU, on a small grid, below which two masks of the same image contradict each other: what two
people draw of one person does not."""


class AuditReport(Record):
    """What a check found."""

    schema_version: Literal[1] = 1
    root: str
    layout: KnownLayout
    pairs: int
    """Pictures with a mask."""
    findings: tuple[Finding, ...]
    totals: dict[str, int]
    """Number of findings by code."""
    taken: str = ""
    """Which classes of labels were taken for people, and which left out; empty of masks."""
    not_judged: str = ""
    """What was not judged for want of masks with an outline; empty if all was."""

    @property
    def ok(self) -> bool:
        """True if nothing spoils training; warnings are allowed."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that spoil training."""
        return tuple(each for each in self.findings if each.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that do not."""
        return tuple(each for each in self.findings if each.severity == "warning")


def audit(
    root: Path,
    layout: Layout = "auto",
    *,
    classes: Sequence[str] = PERSON,
    cache: Cache | None = None,
    progress: ItemProgress | None = None,
) -> AuditReport:
    """Read every picture and mask below `root` and list what is wrong.

    Each is read once; at most 200 pairs are kept small for the checks of the whole set. Findings
    about pictures that have not changed are taken from a cache, and others kept in it, so that a
    check that was interrupted goes on where it stopped; the report is the same, except that fewer
    than 16 masks are not looked at for inverted ones. Of labels, `classes` are people.

    Raises:
        UsageError: no such path, or not of this layout.
        DataError: no pictures at all, or a table that cannot be read.
    """
    pairs = find_pairs(root, layout, classes)
    findings = [
        finding(
            "missing-partner",
            "error",
            str(missing.path),
            message_without_name(f"{missing.message}.", missing.path),
        )
        for missing in pairs.missing
    ]
    rows = evenly(len(pairs.samples))
    inspected, small = _inspected(pairs.samples, rows, cache, progress)
    for sample, result in zip(pairs.samples, inspected, strict=True):
        findings += result.findings(sample)
    findings += _duplicates(pairs.samples, inspected)
    defined = [result.share for result in inspected if result.share is not None]
    if defined and not any(defined):
        message = f"none of the {len(defined)} masks has a person in it; there is nothing to learn."
        findings.append(finding("no-person", "error", str(root), message))
    shares = {
        row: inspected[row].share
        for row in rows
        if inspected[row].size is not None and inspected[row].share is not None
    }
    outlines = sum(0 < (share or 0.0) < 1 for share in shares.values())
    if defined and min(defined) == 1:
        findings.append(finding("full-mask", "error", str(root), ALL_FULL))
    elif outlines >= MIN_PAIRS or (outlines and cache is None):  # few are not kept small by a cache
        together = label_sample(small, list(shares), lambda row: pairs.samples[row].read_image())
        findings += label_findings(together, str(root))
        outlines = min(outlines, count_outlines(together)) if outlines >= MIN_PAIRS else outlines
    totals = Counter(str(each.code) for each in findings)
    return AuditReport(
        root=str(root),
        layout=find_layout(root, layout).layout,
        pairs=len(pairs.samples),
        findings=tuple(findings),
        totals=dict(sorted(totals.items())),
        taken=pairs.taken,
        not_judged="" if outlines >= MIN_PAIRS else _not_judged(outlines),
    )


def _not_judged(outlines: int) -> str:
    have = "1 mask has" if outlines == 1 else f"{outlines} masks have"
    return (
        f"only {have} an outline, so whether masks belong to their images was not judged "
        f"({MIN_PAIRS} are needed)"
    )


def _inspected(
    samples: Sequence[Sample],
    rows: Sequence[int],
    cache: Cache | None,
    progress: ItemProgress | None,
) -> tuple[list[InspectedSample], ResizedImages]:
    """What is known of all pairs, and those of `rows` small, from one decoding."""
    if cache is not None:
        cached = cache.resized(samples, size=(SIDE, SIDE), mask_resize="area")
        if len(rows) >= MIN_PAIRS:
            with suppress(DataError):  # files that cannot be read: the inspection says so
                cached.prepare(rows, progress)
        return cache.inspect(samples, progress=progress), cached
    memory = ImagesInMemory(samples, (SIDE, SIDE), "area")
    chosen = set(rows)

    def keep(index: int, image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
        if index in chosen:
            memory.keep(index, image, mask)

    return inspect_all(samples, keep=keep, progress=progress), memory


def _duplicates(samples: Sequence[Sample], inspected: Sequence[InspectedSample]) -> list[Finding]:
    """One finding per group of pictures that show the same."""
    signatures = {
        sample.id: result.signature
        for sample, result in zip(samples, inspected, strict=True)
        if result.signature is not None
    }
    pairs = find_duplicates(list(signatures.values()))
    changed = "a changed copy (saved again, resized, cropped, turned or in other light)"
    codes: dict[Code, str] = {"exact-duplicate": "the same pixels", "near-duplicate": changed}
    known = {sample.id: sample for sample in samples}
    findings = []
    for code, what in codes.items():
        exact = code == "exact-duplicate"
        alike = [(pair.first, pair.second) for pair in pairs if (pair.kind == "exact") == exact]
        copies: dict[str, list[str]] = defaultdict(list)
        for name, leader in group_ids(list(signatures), alike).items():
            if name != leader:
                copies[leader].append(name)
        for first, others in sorted(copies.items()):
            contradict = exact and _contradict([known[name] for name in (first, *others)])
            consequence = (
                ", and their masks differ, so one of them is wrong; keep one of each."
                if contradict
                else "; a split keeps them in one part, scores count them more than once."
            )
            message = f"{what} as {', '.join(others)}{consequence}"
            findings.append(
                finding(
                    code, "error" if contradict else "warning", str(known[first].image), message
                )
            )
    return findings


def _contradict(copies: Sequence[Sample]) -> bool:
    """Whether masks of the same image say different things."""
    masks = []
    with suppress(HumansegError):  # the inspection says what cannot be read
        if len({truth_digest(sample) for sample in copies}) == 1:
            return False
        masks = [resize_mask(sample.read_mask(), (SIDE, SIDE)) for sample in copies]
    return any(iou(masks[0], mask) < SAME_MASK for mask in masks[1:])
