"""A comparison with other projects as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.peers.record import PeersRecord, SystemResult

from humanseg.cli.benchmark_text import busy_in_words, header, milliseconds, quartiles
from humanseg.cli.terminal import score, table
from humanseg.results import Interval


def peers_in_words(record: PeersRecord) -> list[str]:
    """Tables of accuracy, images without people, time, and the first system less each other."""
    lines = [*header(record.model, record.environment, record.machine), ""]
    lines += table(_system_rows(record.systems))
    if record.differences:
        rows: list[Sequence[str]] = [("", "IoU", "95 %", "Boundary IoU", "95 %", "time ratio")]
        rows += [
            (
                f"{record.systems[0].name} against {difference.other}",
                *_cells(difference.iou),
                *_cells(difference.boundary_iou),
                f"{difference.time_ratio:.2f}",
            )
            for difference in record.differences
        ]
        lines += ["", "Differences on the same images", *table(rows)]
    return lines


def doubts_in_words(record: PeersRecord) -> list[str]:
    """What speaks against quoting this comparison; nothing if nothing does."""
    lines = busy_in_words(record.machine)
    if record.seen_images:
        lines.append(
            f"humanseg: note: our model was trained on {len(record.seen_images)} of these images, "
            "or on copies of them; this is no fair comparison."
        )
    elif record.data_fingerprint in (record.trained_on, *record.also_trained_on):
        lines.append(
            "humanseg: note: our model was trained on images of this very data set; only those "
            "that were held out, with --split, compare fairly."
        )
    return lines


def _system_rows(systems: Sequence[SystemResult]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [("", *(system.name for system in systems))]

    def add(label: str, cells: Iterable[str]) -> None:
        rows.append((label, *cells))

    if systems[0].summary is not None:
        add("Images with truth", (str(len(system.scores)) for system in systems))
        add("IoU, mean over images", (_summary(system, "iou_mean") for system in systems))
        add("Boundary IoU, mean", (_summary(system, "boundary_iou_mean") for system in systems))
    if systems[0].marked_area is not None:
        add("Images without people", (str(len(system.person_free)) for system in systems))
        add("Area marked there", (f"{system.marked_area or 0:.2%}" for system in systems))
        add("Images marked there", (f"{system.marked_pictures or 0:.1%}" for system in systems))
    add("Time per image, median, ms", (milliseconds(system.time.median) for system in systems))
    add("p95, ms", (milliseconds(system.time.p95) for system in systems))
    add("Quartiles, ms", (quartiles(system.time) for system in systems))
    add("Loading, s", (f"{system.load_seconds:.2f}" for system in systems))
    return rows


def _summary(system: SystemResult, name: str) -> str:
    return "-" if system.summary is None else score(getattr(system.summary, name))


def _cells(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return "-", "-"
    if interval.low is None or interval.high is None:
        return f"{interval.estimate:+.4f}", "-"
    return f"{interval.estimate:+.4f}", f"[{interval.low:+.4f}, {interval.high:+.4f}]"
