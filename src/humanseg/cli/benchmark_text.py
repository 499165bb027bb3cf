"""Measurements as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from humanseg.benchmark.speed_record import Configuration, Machine, SpeedRecord, Timing
from humanseg.cli.terminal import numbered, table
from humanseg.results import Environment

BUSY = 0.2
"""Load per core before a measurement above which other work spoils it."""
DRIFT = 0.1
"""Share by which medians of rounds may differ before a note says so."""

_MEGABYTE = 1_000_000


def speed_in_words(record: SpeedRecord) -> list[str]:
    """Tables of times, throughput, memory and cold start, and what could not be measured."""
    height, width = record.image_size
    parts = [
        header(record.model, record.environment, record.machine),
        [f"Network alone, one picture of {width}x{height}: ms", *table([*_network_rows(record)])],
        ["From file to mask at the picture's size: ms", *table([*_picture_rows(record)])],
    ]
    if record.throughput:
        title = f"Pictures per second, {record.throughput[0].picture}, every core at work"
        parts.append([title, *table([*_throughput_rows(record)])])
    title = "Fresh process: ms to the first mask, and peak memory in MB"
    parts.append([title, *table([*_start_rows(record)])])
    if record.unavailable:
        lines = [f"{way.backend} {way.precision}: {way.reason}" for way in record.unavailable]
        parts.append(["Not measured", *lines])
    return [line for part in parts for line in [*part, ""]][:-1]


def noise_in_words(record: SpeedRecord) -> list[str]:
    """What speaks against quoting these times; nothing if nothing does."""
    lines = busy_in_words(record.machine)
    timings = [
        timing for way in record.measured for timing in (way.network, *way.pictures.values())
    ]
    drifts = [timing.drift for timing in timings if timing.drift is not None]
    if not drifts:
        lines.append("humanseg: note: one round does not tell how far times drift.")
    elif max(drifts) > DRIFT:
        lines.append(f"humanseg: note: {drift_in_words(drifts)}.")
    return lines


def drift_in_words(drifts: Sequence[float]) -> str:
    """How many medians moved between rounds, and how far."""
    moved = [drift for drift in drifts if drift > DRIFT]
    return (
        f"{len(moved)} of {len(drifts)} medians moved by more than {DRIFT:.0%} between rounds, at "
        f"most by {max(drifts):.0%}"
    )


def busy_in_words(machine: Machine) -> list[str]:
    """That other work was running, if it was."""
    if machine.load_before is None or machine.load_before <= BUSY * machine.usable_cores:
        return []
    return [
        f"humanseg: note: other work was running (load {machine.load_before:.1f} on "
        f"{numbered(machine.usable_cores, 'core')} before the start); do not quote these times."
    ]


def header(model: str, environment: Environment, machine: Machine) -> list[str]:
    """What was measured, by which versions, where and when."""
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
    name = f"{configuration.backend}{device}"
    return name, configuration.precision, str(configuration.threads)


def milliseconds(seconds: float) -> str:
    """Three digits of a time."""
    value = seconds * 1000
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _drifted(timing: Timing) -> str:
    return "-" if timing.drift is None else f"{timing.drift:.1%}"


def quartiles(timing: Timing) -> str:
    """The lower and the upper one, in milliseconds."""
    return f"{milliseconds(timing.lower_quartile)}-{milliseconds(timing.upper_quartile)}"


def _figures(timing: Timing) -> tuple[str, str, str, str]:
    """Median, 95th percentile, quartiles and drift."""
    return (
        milliseconds(timing.median),
        milliseconds(timing.p95),
        quartiles(timing),
        _drifted(timing),
    )


def _network_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "median", "p95", "quartiles", "drift", "ratio"
    fastest = min(way.network.median for way in record.measured)
    for way in record.measured:
        ratio = f"{way.network.median / fastest:.2f}"
        yield *_way(way.configuration), *_figures(way.network), ratio


def _picture_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "picture", "median", "p95", "quartiles", "drift"
    for way in record.measured:
        for name, timing in way.pictures.items():
            yield *_way(way.configuration), name, *_figures(timing)


def _throughput_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "workers", "median", "lowest", "highest", "peak MB"
    for way in record.throughput:
        yield (
            *_way(way.configuration),
            str(way.workers),
            f"{way.median:.1f}",
            f"{min(way.rates):.1f}",
            f"{max(way.rates):.1f}",
            _megabytes(way.peak_memory),
        )


def _start_rows(record: SpeedRecord) -> Iterator[Sequence[str]]:
    yield "backend", "precision", "threads", "import", "load", "first", "total", "drift", "peak MB"
    for way in record.measured:
        start = way.cold_start
        yield (
            *_way(way.configuration),
            *(milliseconds(t.median) for t in (start.imported, start.loaded, start.first)),
            milliseconds(start.total.median),
            _drifted(start.total),
            _megabytes(way.peak_memory),
        )


def _megabytes(peaks: tuple[int, ...] | None) -> str:
    return "-" if not peaks else f"{max(peaks) / _MEGABYTE:.0f}"
