"""Measurements as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from humanseg.benchmark.speed_record import (
    Configuration,
    Contestant,
    Machine,
    PeersRecord,
    SpeedRecord,
    Timing,
)
from humanseg.cli.terminal import numbered, score, table
from humanseg.results import Environment, Interval

BUSY = 0.2
"""Load per core before a measurement above which other work spoils it."""
DRIFT = 0.1
"""Share by which medians of rounds may differ before that is told."""

_MEGABYTE = 1_000_000


def speed_in_words(record: SpeedRecord) -> list[str]:
    """Tables of times, throughput, memory and cold start, and what could not be measured."""
    height, width = record.image_size
    parts = [
        _header(record.model, record.environment, record.machine),
        [f"Network alone, one picture of {width}x{height}: ms", *table([*_network_rows(record)])],
        ["From file to mask at the picture's size: ms", *table([*_picture_rows(record)])],
    ]
    if record.throughput:
        title = f"Pictures per second, {record.throughput[0].picture}, every core at work"
        parts.append([title, *table([*_throughput_rows(record)])])
    parts.append(
        [
            "Fresh process: ms to the first mask, and peak memory in MB",
            *table([*_start_rows(record)]),
        ]
    )
    if record.unavailable:
        lines = [f"{one.backend} {one.precision}: {one.reason}" for one in record.unavailable]
        parts.append(["Not measured", *lines])
    return [line for part in parts for line in [*part, ""]][:-1]


def peers_in_words(record: PeersRecord) -> list[str]:
    """Tables of accuracy, pictures without people, time, and the first one less each other."""
    parts = [
        _header(record.model, record.environment, record.machine),
        table(_contestant_rows(record)),
    ]
    if record.differences:
        first = record.contestants[0].name
        rows = [("", "IoU", "95 %", "Boundary IoU", "95 %", "time ratio")]
        rows += [
            (
                f"{first} against {one.other}",
                *_difference(one.iou),
                *_difference(one.boundary_iou),
                f"{one.time_ratio:.2f}",
            )
            for one in record.differences
        ]
        parts.append(["Differences on the same pictures", *table(rows)])
    return [line for part in parts for line in [*part, ""]][:-1]


def noise_in_words(record: SpeedRecord) -> list[str]:
    """What speaks against quoting these times; nothing if nothing does."""
    lines = busy_in_words(record.machine)
    timings = [
        timing for one in record.measured for timing in (one.network, *one.pictures.values())
    ]
    drifts = [timing.drift for timing in timings if timing.drift is not None]
    moved = [drift for drift in drifts if drift > DRIFT]
    if not drifts:
        lines.append("humanseg: note: one round does not tell how far times drift.")
    elif moved:
        lines.append(
            f"humanseg: note: {len(moved)} of {len(drifts)} medians moved by more than "
            f"{DRIFT:.0%} between rounds, at most by {max(moved):.0%}."
        )
    return lines


def doubts_in_words(record: PeersRecord) -> list[str]:
    """What speaks against quoting this comparison; nothing if nothing does."""
    lines = busy_in_words(record.machine)
    if record.data_fingerprint in (record.trained_on, *record.also_trained_on):
        lines.append(
            "humanseg: note: our model was trained on pictures of this very data set; only those "
            "that were held out, with --split, compare fairly."
        )
    return lines


def busy_in_words(machine: Machine) -> list[str]:
    """That other work was running, if it was."""
    if machine.load_before is None or machine.load_before <= BUSY * machine.usable_cores:
        return []
    return [
        f"humanseg: note: other work was running (load {machine.load_before:.1f} on "
        f"{numbered(machine.usable_cores, 'core')} before the start); do not quote these times."
    ]


def _header(model: str, environment: Environment, machine: Machine) -> list[str]:
    names = ("onnxruntime", "openvino", "torch")
    versions = [
        f"{name} {environment.versions[name]}" for name in names if name in environment.versions
    ]
    return [
        f"{model}: humanseg {environment.humanseg}, {', '.join(versions)}",
        f"{environment.processor}, {numbered(machine.usable_cores, 'core')}, {environment.date}",
    ]


def _way(configuration: Configuration) -> tuple[str, str, str]:
    device = "" if configuration.device == "cpu" else f" {configuration.device}"
    return (
        f"{configuration.backend}{device}",
        configuration.precision,
        str(configuration.threads),
    )


def _milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _drifted(timing: Timing) -> str:
    return "-" if timing.drift is None else f"{timing.drift:.1%}"


def _quartiles(timing: Timing) -> str:
    return f"{_milliseconds(timing.lower_quartile)}-{_milliseconds(timing.upper_quartile)}"


def _network_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "median", "p95", "quartiles", "drift", "ratio"
    fastest = min(one.network.median for one in record.measured)
    for one in record.measured:
        timing = one.network
        yield (
            *_way(one.configuration),
            _milliseconds(timing.median),
            _milliseconds(timing.p95),
            _quartiles(timing),
            _drifted(timing),
            f"{timing.median / fastest:.2f}",
        )


def _picture_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "picture", "median", "p95", "quartiles", "drift"
    for one in record.measured:
        for name, timing in one.pictures.items():
            yield (
                *_way(one.configuration),
                name,
                _milliseconds(timing.median),
                _milliseconds(timing.p95),
                _quartiles(timing),
                _drifted(timing),
            )


def _throughput_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "workers", "median", "lowest", "highest", "peak MB"
    for one in record.throughput:
        yield (
            *_way(one.configuration),
            str(one.workers),
            f"{one.median:.1f}",
            f"{min(one.rates):.1f}",
            f"{max(one.rates):.1f}",
            _megabytes(one.peak_memory),
        )


def _start_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "import", "load", "first", "total", "drift", "peak MB"
    for one in record.measured:
        start = one.cold_start
        yield (
            *_way(one.configuration),
            *(_milliseconds(t.median) for t in (start.imported, start.loaded, start.first)),
            _milliseconds(start.total.median),
            _drifted(start.total),
            _megabytes(one.peak_memory),
        )


def _megabytes(peaks: tuple[int, ...] | None) -> str:
    return "-" if not peaks else f"{max(peaks) / _MEGABYTE:.0f}"


def _contestant_rows(record: PeersRecord) -> list[Sequence[str]]:
    columns: list[Sequence[str]] = [("", *(one.name for one in record.contestants))]

    def add(label: str, cells: Iterator[str]) -> None:
        columns.append((label, *cells))

    all_of = record.contestants
    if all_of[0].summary is not None:
        add("Pictures with truth", (str(len(one.scores)) for one in all_of))
        add("IoU, mean over pictures", (_summary(one, "iou_mean") for one in all_of))
        add("Boundary IoU, mean", (_summary(one, "boundary_iou_mean") for one in all_of))
    if all_of[0].marked_area is not None:
        add("Pictures without people", (str(len(one.person_free)) for one in all_of))
        add("Area marked there", (f"{one.marked_area or 0:.2%}" for one in all_of))
        add("Pictures marked there", (f"{one.marked_pictures or 0:.1%}" for one in all_of))
    add("Time per picture, median, ms", (_milliseconds(one.time.median) for one in all_of))
    add("p95, ms", (_milliseconds(one.time.p95) for one in all_of))
    add("Quartiles, ms", (_quartiles(one.time) for one in all_of))
    add("Loading, s", (f"{one.load_seconds:.2f}" for one in all_of))
    return columns


def _summary(one: Contestant, name: str) -> str:
    return "-" if one.summary is None else score(getattr(one.summary, name))


def _difference(interval: Interval | None) -> tuple[str, str]:
    if interval is None:
        return "-", "-"
    if interval.low is None or interval.high is None:
        return f"{interval.estimate:+.4f}", "-"
    return f"{interval.estimate:+.4f}", f"[{interval.low:+.4f}, {interval.high:+.4f}]"
