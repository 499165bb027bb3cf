"""The tables about using the bundled model, from the result files."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.everyday_record import (
    EverydayRecord,
    empty_table,
    people_table,
    percent_interval,
)
from benchmarks.matting import Result as MattingRecord
from benchmarks.peers.record import PeersRecord
from benchmarks.tables import interval, link, percent, points, table, three
from pydantic import BaseModel

from humanseg.benchmark.speed_record import Machine, SpeedRecord
from humanseg.cli.benchmark_text import BUSY, DRIFT, drift_in_words
from humanseg.results import Environment, Interval, read_record

_NAMES = {"mediapipe": "MediaPipe selfie", "mediapipe-landscape": "MediaPipe selfie, landscape"}


def everyday_tables(path: Path) -> str:
    """The bundled model, its first version and others on images of many kinds."""
    record = read_record(path, EverydayRecord)
    return f"{people_table(record)}\n\n{empty_table(record)}\n\nFrom {link(path)}."


def beside_table(path: Path, systems: Sequence[str]) -> str:
    """Some systems of a file of many, one a column: IoU with people, regions without."""
    record = read_record(path, EverydayRecord)
    rows = []
    for each in record.sets:
        measured = {system.system: system for system in each.systems}
        chosen = [measured[name] for name in systems]
        if each.people:
            cells = [interval(system.iou) for system in chosen]
            rows.append([f"{each.name} ({each.people}): per-image IoU", *cells])
            cells = [interval(system.boundary_iou) for system in chosen]
            rows.append([f"{each.name}: Boundary IoU", *cells])
        if each.nobody:
            cells = [percent_interval(system.nobody_region) for system in chosen]
            rows.append([f"{each.name} ({each.nobody}): with a region of 0.3 % or more", *cells])
    return f"{table(['', *systems], rows)}\n\nFrom {link(path)}."


def peers_table(path: Path) -> str:
    """Accuracy and time of the bundled model and of others, on the same images in one run."""
    result = read_record(path, PeersRecord)
    differences = {difference.other: difference for difference in result.differences}
    rows = []
    for system in result.systems:
        summary, behind = system.summary, differences.get(system.name)
        rows.append(
            [
                _NAMES.get(system.name, system.name.replace(" x", ", threads: ")),
                three(summary.iou_mean if summary else None),
                points(behind.iou) if behind else "",
                three(summary.boundary_iou_mean if summary else None),
                points(behind.boundary_iou) if behind else "",
                percent(system.marked_area),
                percent(system.marked_pictures),
                f"{1000 * system.time.median:.0f} ms",
            ]
        )
    first = result.systems[0]
    header = [
        f"{len(first.scores)} held-out pictures, {len(first.person_free)} photographs without "
        "people",
        "per-image IoU",
        "first row minus this, points [95 % CI]",
        "Boundary IoU",
        "first row minus this, points [95 % CI]",
        "area marked where nobody is",
        "pictures marked where nobody is",
        "picture to mask",
    ]
    where = conditions(result.environment, result.machine)
    return f"{table(header, rows)}\n\n{_image_by_image(result)}{where} From {link(path)}."


def _image_by_image(result: PeersRecord) -> str:
    """How often the first system is behind each foreign one, which a mean does not tell."""
    first, *others = result.systems
    sentences = []
    for other in (system for system in others if not system.name.startswith("humanseg ")):
        theirs = {score.id: score.iou for score in other.scores}
        differences = [
            100 * (score.iou - behind)
            for score in first.scores
            if score.iou is not None and (behind := theirs.get(score.id)) is not None
        ]
        if differences:
            sentences.append(
                f"{_NAMES.get(other.name, other.name)} has the higher IoU on "
                f"{sum(value < 0 for value in differences)} of {len(differences)} pictures; the "
                f"median difference is {statistics.median(differences):+.1f} points. "
            )
    return "".join(sentences)


def conditions(
    environment: Environment, machine: Machine, drifts: Sequence[float | None] = ()
) -> str:
    """On what machine a table was measured, and what speaks against quoting its times."""
    sentences = [f"{environment.processor}, {environment.cores} cores."]
    load = machine.load_before
    if load is not None and load > BUSY * machine.usable_cores:
        sentences.append(
            f"Other work may have run: load {load:.2f} before the start, above {BUSY:.1f} per core."
        )
    measured = [drift for drift in drifts if drift is not None]
    if measured and max(measured) > DRIFT:
        sentences.append(f"{drift_in_words(measured)}.")
    return " ".join(sentences)


def speed_table(path: Path) -> str:
    """Times of the network alone and from file to mask, by backend and precision."""
    result = read_record(path, SpeedRecord)
    rows = [
        [
            f"{way.configuration.backend}, {way.configuration.precision}",
            str(way.configuration.threads),
            f"{1000 * way.network.median:.1f} ({1000 * way.network.p95:.1f})",
            *(f"{1000 * timing.median:.0f}" for timing in way.pictures.values()),
            f"{way.cold_start.total.median:.2f} s",
            "–" if way.peak_memory is None else f"{max(way.peak_memory) / 2**20:.0f} MiB",
        ]
        for way in result.measured
    ]
    grid = "x".join(map(str, result.image_size))
    header = [
        "bundled model",
        "threads",
        f"network at {grid}, median (p95), ms",
        *(f"{size.height * size.width / 1e6:.1f} MP file to mask, ms" for size in result.pictures),
        "cold start",
        "peak memory",
    ]
    drifts = [
        timing.drift for way in result.measured for timing in (way.network, *way.pictures.values())
    ]
    where = conditions(result.environment, result.machine, drifts)
    return f"{table(header, rows)}\n\n{where} From {link(path)}."


class _Rows(BaseModel):
    """What the tables read of a file that a benchmark script wrote."""

    model_config = {"extra": "ignore"}


R = TypeVar("R", bound=_Rows)


def _load(path: Path, form: type[R]) -> R:
    return form.model_validate_json(path.read_text(encoding="utf-8"))


class _Seeds(_Rows):
    backend: str
    precision: str
    flip_averaging: bool
    refined: bool
    seeds: int
    iou_mean: float
    iou_sd: float
    boundary_iou_mean: float
    boundary_iou_sd: float
    person_free_area_mean: float
    scenes: dict[str, float]


class _Accuracy(_Rows):
    person_free_photographs: int
    summaries: tuple[_Seeds, ...]


def accuracy_table(path: Path) -> str:
    """The bundled recipe over seeds."""
    result = _load(path, _Accuracy)
    rows = []
    for way in result.summaries:
        name = f"{way.backend}, {way.precision}"
        name += ", flip averaging" if way.flip_averaging else ""
        name += ", refined edges" if way.refined else ""
        rows.append(
            [
                name,
                f"{way.iou_mean:.3f} ± {way.iou_sd:.3f}",
                f"{way.boundary_iou_mean:.3f} ± {way.boundary_iou_sd:.3f}",
                *(three(way.scenes.get(kind)) for kind in ("small", "several", "large")),
                percent(way.person_free_area_mean),
            ]
        )
    counts = {way.seeds for way in result.summaries}
    if len(counts) != 1:
        raise SystemExit(f"{path.name}: not every way has the same number of seeds.")
    header = [
        f"bundled recipe, {counts.pop()} seeds",
        "per-image IoU ± SD over seeds",
        "Boundary IoU ± SD",
        "IoU, small people",
        "IoU, several",
        "IoU, large",
        "area marked where nobody is",
    ]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


class _FolderRow(_Rows):
    pictures: int
    pictures_per_second: float
    workers: int | None


class _Folder(_Rows):
    backend: str
    precision: str
    source: str
    mean_bytes: float
    folder: tuple[_FolderRow, ...]
    large_bytes: int
    large_median_ms: float


class _VideoSpeed(_Rows):
    smoothing: bool
    median: float


class _Flicker(_Rows):
    smoothing: bool
    change: float | None
    flips: float | None


class _Video(_Rows):
    clip: str
    size: tuple[int, int]
    speed: tuple[_VideoSpeed, ...]
    flicker: tuple[_Flicker, ...]


class _Program(_Rows):
    program: str
    median: float


class _Startup(_Rows):
    rows: tuple[_Program, ...]


class _Installation(_Rows):
    extra: str
    total_mib: float


class _Install(_Rows):
    installations: tuple[_Installation, ...]


_SHOWN_PROGRAMS = (
    "import humanseg",
    "humanseg --help",
    "from humanseg import Segmenter",
    "first mask, onnxruntime",
    "first mask, openvino",
)


def work_table(folder: Path, video: Path, startup: Path, install: Path) -> str:
    """Whole jobs, starting, and the weight of an installation."""
    rows = [*_folder_rows(folder), *_video_rows(video), *_startup_rows(startup)]
    return table(["whole jobs", "", "from"], [*rows, *_install_rows(install)])


def _folder_rows(path: Path) -> list[list[str]]:
    result = _load(path, _Folder)
    usual = next(row for row in result.folder if row.workers is None)
    return [
        [
            f"a folder of {usual.pictures} JPEG files of one megapixel ({result.source}, "
            f"{result.mean_bytes / 1000:.0f} kB each) to masks",
            f"{usual.pictures_per_second:.0f} per second",
            link(path),
        ],
        [
            f"a JPEG file of twelve megapixels ({result.source}, {result.large_bytes / 1e6:.1f} "
            "MB) to a mask file at full size",
            f"{result.large_median_ms:.0f} ms",
            link(path),
        ],
    ]


def _video_rows(path: Path) -> list[list[str]]:
    result = _load(path, _Video)
    smooth = next(row for row in result.speed if row.smoothing)
    flips = {row.smoothing: row.flips for row in result.flicker}
    return [
        [
            f"{result.size[0]}p video ({result.clip}) to a blurred background, smoothed",
            f"{smooth.median:.0f} frames per second",
            link(path),
        ],
        [
            "flicker of its mask where the picture stands still, per thousand pixels: as found, "
            "and smoothed",
            ", ".join("–" if flips[way] is None else f"{flips[way]:.1f}" for way in (False, True)),
            link(path),
        ],
    ]


def _startup_rows(path: Path) -> list[list[str]]:
    medians = {row.program: row.median for row in _load(path, _Startup).rows}
    return [[name, f"{medians[name]:.2f} s", link(path)] for name in _SHOWN_PROGRAMS]


def _install_rows(path: Path) -> list[list[str]]:
    return [
        [
            f"installed size with [{row.extra}]" if row.extra else "installed size, base",
            f"{row.total_mib:.0f} MiB",
            link(path),
        ]
        for row in _load(path, _Install).installations
    ]


class _Interval(_Rows):
    estimate: float
    low: float | None
    high: float | None


class _Variant(_Rows):
    variant: str
    iou: _Interval | None
    boundary_iou: _Interval | None
    better: int
    worse: int
    milliseconds: float


class _Gain(_Rows):
    labels: int
    choice: str
    iou_before: float
    iou_after: float
    iou: Interval | None
    boundary_iou: Interval | None


class _Loop(_Rows):
    test: int
    gains: tuple[_Gain, ...]


def loop_table(path: Path) -> str:
    """IoU of the same images before and after fine-tuning on few corrected ones."""
    result = _load(path, _Loop)
    by_row: dict[tuple[int, str], list[_Gain]] = defaultdict(list)
    for gain in result.gains:
        by_row[gain.labels, gain.choice].append(gain)
    rows = [
        [
            f"{labels}, {choice}",
            three(statistics.fmean(gain.iou_before for gain in gains)),
            three(statistics.fmean(gain.iou_after for gain in gains)),
            ", ".join(points(gain.iou) for gain in gains),
            ", ".join(points(gain.boundary_iou) for gain in gains),
        ]
        for (labels, choice), gains in by_row.items()
    ]
    header = [
        f"pictures corrected; {result.test} others scored",
        "per-image IoU before",
        "after",
        "gain of each seed, points [95 %]",
        "of Boundary IoU",
    ]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


class _Output(_Rows):
    output: str
    settings: str
    milliseconds: float


class _Edges(_Rows):
    pictures: int
    summaries: tuple[_Variant, ...]
    effects: tuple[_Output, ...]


def edges_table(path: Path) -> str:
    """What refinement and flip averaging bring and take, for docs/edges.md."""
    result = _load(path, _Edges)
    rows = [
        [
            variant.variant,
            three(variant.iou.estimate if variant.iou else None),
            three(variant.boundary_iou.estimate if variant.boundary_iou else None),
            f"{variant.better} / {variant.worse}",
            f"{variant.milliseconds:.0f}",
        ]
        for variant in result.summaries
    ]
    header = [
        f"{result.pictures} held-out pictures, bundled model in torch",
        "per-image IoU",
        "Boundary IoU",
        "pictures with better / worse contours",
        "ms of one core",
    ]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def outputs_table(path: Path) -> str:
    """Time of every output at 1080p, for docs/edges.md."""
    rows = [
        [effect.output, effect.settings, f"{effect.milliseconds:.0f}"]
        for effect in _load(path, _Edges).effects
    ]
    header = ["output, 1920x1080", "settings", "ms of one core"]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def matting_table(path: Path) -> str:
    """How near alpha comes to the true one, for docs/edges.md."""
    result = read_record(path, MattingRecord)
    rows = [
        [row.method, *map(interval, (row.sad, row.mse, row.gradient)), str(row.better)]
        for row in result.summaries
    ]
    header = [
        f"{result.scenes} composed scenes",
        "sum of differences, thousands",
        "mean squared error",
        "gradient error, thousands",
        "scenes with less than unrefined",
    ]
    return f"{table(header, rows)}\n\nFrom {link(path)}."
