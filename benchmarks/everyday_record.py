"""The result file of `benchmarks.everyday`, and its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.tables import interval, percent, points, table

from humanseg.benchmark.speed_record import Machine
from humanseg.results import AttributeAnalysis, Environment, Interval, Record


class Measured(Record):
    """One system on one set of images."""

    system: str
    seen: int
    """Images that the model was trained on, or on a copy of them, as far as it remembers."""
    iou: Interval | None
    """Mean per-image IoU of the images with people, at the masks' native size; None without any."""
    boundary_iou: Interval | None
    ahead: Interval | None
    """Mean per-image IoU of the first system less this one's; None of the first."""
    attributes: tuple[AttributeAnalysis, ...]
    """By size, number and cut of the people, luminance and contrast; see docs/groups.md."""
    nobody_area: Interval | None
    """Mean share of the area marked in the images without people; None without any."""
    nobody_region: Interval | None
    """Share of these images with a region of at least 0.3 % of the area: somebody "found"."""
    nobody_marked: Interval | None
    """Share of these images with more than 0.1 % of the area marked."""
    ious: tuple[float | None, ...]
    """By image, in the order of `SetResult.ids`; None without people."""
    boundary_ious: tuple[float | None, ...]
    marked: tuple[float, ...]
    """Share of the area that is marked."""
    largest: tuple[float, ...]
    """Share of the area of the largest marked region."""


class SetResult(Record):
    """All systems on one set of images."""

    name: str
    fingerprint: str
    """SHA-256 over names and contents of all images and masks."""
    people: int
    """Images with people."""
    nobody: int
    """Images without."""
    groups: int
    """Of images that show the same; intervals resample them."""
    ids: tuple[str, ...]
    systems: tuple[Measured, ...]


class SystemInfo(Record):
    """What took part."""

    name: str
    settings: dict[str, str]
    """Versions, threshold, threads."""
    files: dict[str, str]
    """SHA-256 by file of a model directory; empty for a peer."""
    seconds: float | None = None
    """Median time from the decoded image to its mask; None unless times were asked for."""
    time_ratio: float | None = None
    """That over the time of the peer that ratios are against."""


class EverydayRecord(Record):
    """Several systems on several sets, each image shown to all in turn."""

    systems: tuple[SystemInfo, ...]
    sets: tuple[SetResult, ...]
    machine: Machine
    environment: Environment


def accuracy_table(measured: SetResult) -> str:
    """Systems on the images with people."""
    rows = [
        [each.system, interval(each.iou), interval(each.boundary_iou), points(each.ahead)]
        for each in measured.systems
    ]
    return table(["", "IoU", "Boundary IoU", "IoU of the first less this, points"], rows)


def nobody_table(measured: SetResult) -> str:
    """Systems on the images without people."""
    rows = [
        [
            each.system,
            *map(percent_interval, (each.nobody_area, each.nobody_region, each.nobody_marked)),
        ]
        for each in measured.systems
    ]
    return table(["", "area marked", "region of 0.3 % or more", "over 0.1 % marked"], rows)


def groups_table(measured: SetResult, systems: Sequence[str] = ()) -> str:
    """Mean IoU by group of every attribute; all systems, or those named."""
    chosen = [each for each in measured.systems if not systems or each.system in systems]
    rows = [
        [
            f"{first.attribute}: {group.name}",
            str(group.images),
            *(interval(each.attributes[a].groups[g].metrics.get("iou")) for each in chosen),
        ]
        for a, first in enumerate(chosen[0].attributes)
        for g, group in enumerate(first.groups)
    ]
    return table(["", "images", *(each.system for each in chosen)], rows)


def people_table(record: EverydayRecord) -> str:
    """All systems on all sets with people, and on the third of each with the smallest people."""
    rows = [
        [
            f"{each.name} ({each.people})",
            system.system,
            interval(system.iou),
            interval(_smallest(system)),
            interval(system.boundary_iou),
            points(system.ahead),
        ]
        for each in record.sets
        if each.people
        for system in each.systems
    ]
    header = [
        "images with people",
        "network",
        "per-image IoU [95 %]",
        "the third with the smallest people",
        "Boundary IoU [95 %]",
        "first row minus this, points [95 % CI]",
    ]
    return table(header, rows)


def _smallest(measured: Measured) -> Interval | None:
    """IoU of the images with the smallest people; None where they are too few."""
    (sizes,) = (each for each in measured.attributes if each.attribute == "person-size")
    return next(group.metrics.get("iou") for group in sizes.groups if group.name == "small")


def empty_table(record: EverydayRecord) -> str:
    """All systems on all sets without people."""
    rows = [
        [
            f"{each.name} ({each.nobody})",
            system.system,
            *map(
                percent_interval,
                (system.nobody_area, system.nobody_region, system.nobody_marked),
            ),
        ]
        for each in record.sets
        if each.nobody
        for system in each.systems
    ]
    header = [
        "images without people",
        "network",
        "area marked [95 %]",
        "with a region of 0.3 % or more",
        "with over 0.1 % marked",
    ]
    return table(header, rows)


def tables(record: EverydayRecord) -> Iterator[str]:
    """All of it in Markdown."""
    for each in record.sets:
        yield f"## {each.name}\n"
        if each.people:
            yield f"{each.people} images with people, {each.groups} groups\n"
            yield accuracy_table(each) + "\n"
            yield groups_table(each) + "\n"
        if each.nobody:
            yield f"{each.nobody} images without people\n"
            yield nobody_table(each) + "\n"
    if any(system.seconds for system in record.systems):
        rows = [
            [system.name, f"{1000 * (system.seconds or 0):.1f}", f"{system.time_ratio or 0:.2f}"]
            for system in record.systems
        ]
        yield table(["", "median, ms", "times the peer's"], rows)


def percent_interval(value: Interval | None) -> str:
    """A share in per cent with its interval, where it has one."""
    if value is None or value.low is None or value.high is None:
        return percent(value.estimate if value else None)
    return f"{percent(value.estimate)} [{100 * value.low:.1f}, {100 * value.high:.1f}]"
