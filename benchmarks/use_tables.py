"""The README's tables about using the bundled model, from the result files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.tables import link, newest, percent, points, table, three
from pydantic import BaseModel

from humanseg.benchmark.speed_record import PeersRecord, SpeedRecord
from humanseg.results import read_record

_NAMES = {"mediapipe": "MediaPipe selfie", "mediapipe-landscape": "MediaPipe selfie, landscape"}


def peers_table() -> str:
    """Accuracy and time of the bundled model and of others, on the same pictures in one run."""
    path = newest("peers")
    result = read_record(path, PeersRecord)
    differences = {one.other: one for one in result.differences}
    rows = []
    for one in result.contestants:
        summary, behind = one.summary, differences.get(one.name)
        rows.append(
            [
                _NAMES.get(one.name, one.name.replace(" x", ", threads: ")),
                three(summary.iou_mean if summary else None),
                points(behind.iou) if behind else "",
                three(summary.boundary_iou_mean if summary else None),
                points(behind.boundary_iou) if behind else "",
                percent(one.marked_area),
                percent(one.marked_pictures),
                f"{1000 * one.time.median:.0f} ms",
            ]
        )
    labelled, empty = (len(part) for part in _pictures(result))
    header = [
        f"{labelled} held-out pictures, {empty} photographs without people",
        "per-image IoU",
        "first less this, points [95 %]",
        "Boundary IoU",
        "first less this, points [95 %]",
        "area marked where nobody is",
        "pictures marked where nobody is",
        "picture to mask",
    ]
    machine = f"{result.environment.processor}, {result.environment.cores} cores"
    return f"{table(header, rows)}\n\n{machine}. From {link(path)}."


def _pictures(result: PeersRecord) -> tuple[Sequence[object], Sequence[object]]:
    first = result.contestants[0]
    return first.scores, first.person_free


def speed_table() -> str:
    """Times of the network alone and from file to mask, by backend and precision."""
    path = newest("speed")
    result = read_record(path, SpeedRecord)
    rows = []
    for one in result.measured:
        way = one.configuration
        rows.append(
            [
                f"{way.backend}, {way.precision}",
                str(way.threads),
                f"{1000 * one.network.median:.1f} ({1000 * one.network.p95:.1f})",
                *(f"{1000 * timing.median:.0f}" for timing in one.pictures.values()),
                f"{one.cold_start.total.median:.2f} s",
                "–" if one.peak_memory is None else f"{max(one.peak_memory) / 2**20:.0f} MiB",
            ]
        )
    grid = "x".join(map(str, result.image_size))
    sizes = [f"{one.height * one.width / 1e6:.1f} MP file to mask, ms" for one in result.pictures]
    header = [
        "bundled model",
        "threads",
        f"network at {grid}, median (p95), ms",
        *sizes,
        "cold start",
        "peak memory",
    ]
    machine = f"{result.environment.processor}, {result.environment.cores} cores"
    return f"{table(header, rows)}\n\n{machine}. From {link(path)}."


class _Rows(BaseModel):
    """What the tables read of a file that a benchmark script wrote."""

    model_config = {"extra": "ignore"}


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


def accuracy_table() -> str:
    """The bundled recipe over seeds."""
    path = newest("bundled-lite0")
    result = _Accuracy.model_validate_json(path.read_text(encoding="utf-8"))
    rows = []
    for one in result.summaries:
        way = f"{one.backend}, {one.precision}"
        way += ", flip averaging" if one.flip_averaging else ""
        way += ", refined edges" if one.refined else ""
        rows.append(
            [
                way,
                f"{one.iou_mean:.3f} ± {one.iou_sd:.3f}",
                f"{one.boundary_iou_mean:.3f} ± {one.boundary_iou_sd:.3f}",
                *(three(one.scenes.get(kind)) for kind in ("small", "several", "large")),
                percent(one.person_free_area_mean),
            ]
        )
    seeds = statistics.mode(one.seeds for one in result.summaries)
    header = [
        f"bundled recipe, {seeds} seeds",
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
    folder: tuple[_FolderRow, ...]
    large_median_ms: float


class _VideoSpeed(_Rows):
    smoothing: bool
    median: float


class _Flicker(_Rows):
    smoothing: bool
    change: float | None
    flips: float | None


class _Video(_Rows):
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


def _load(kind: str, form: type[BaseModel]) -> tuple[BaseModel, str]:
    path = newest(kind)
    return form.model_validate_json(path.read_text(encoding="utf-8")), link(path)


def work_table() -> str:
    """Whole jobs, starting, and the weight of an installation."""
    folder, from_folder = _load("folder", _Folder)
    video, from_video = _load("video", _Video)
    startup, from_startup = _load("startup", _Startup)
    install, from_install = _load("install", _Install)
    assert isinstance(folder, _Folder)
    assert isinstance(video, _Video)
    assert isinstance(startup, _Startup)
    assert isinstance(install, _Install)
    usual = next(row for row in folder.folder if row.workers is None)
    smooth = {row.smoothing: row for row in video.speed}
    flicker = {row.smoothing: row for row in video.flicker}
    rows = [
        [
            f"a folder of {usual.pictures} JPEG files of one megapixel to masks",
            f"{usual.pictures_per_second:.0f} per second",
            from_folder,
        ],
        [
            "a JPEG file of twelve megapixels to a mask file at full size",
            f"{folder.large_median_ms:.0f} ms",
            from_folder,
        ],
        [
            f"{video.size[0]}p video to a blurred background, smoothed",
            f"{smooth[True].median:.0f} frames per second",
            from_video,
        ],
        [
            "flicker of its mask where the picture stands still, per thousand pixels: "
            "as found, and smoothed",
            f"{flicker[False].flips or 0.0:.1f}, {flicker[True].flips or 0.0:.1f}",
            from_video,
        ],
        *(
            [row.program, f"{row.median:.2f} s", from_startup]
            for row in startup.rows
            if row.program not in ("python", "humanseg predict --help")
        ),
        *(
            [
                f"installed size with [{one.extra}]" if one.extra else "installed size, base",
                f"{one.total_mib:.0f} MiB",
                from_install,
            ]
            for one in install.installations
        ),
    ]
    return table(["whole jobs", "", "from"], rows)


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


class _Output(_Rows):
    output: str
    settings: str
    milliseconds: float


class _Edges(_Rows):
    pictures: int
    summaries: tuple[_Variant, ...]
    effects: tuple[_Output, ...]


def _edges() -> tuple[_Edges, str]:
    path = newest("edges-lite0")
    where = f"[{path.name}](../benchmarks/results/{path.name})"
    return _Edges.model_validate_json(path.read_text(encoding="utf-8")), where


def edges_table() -> str:
    """What refinement and flip averaging bring and take, for docs/edges.md."""
    result, where = _edges()
    rows = [
        [
            one.variant,
            three(one.iou.estimate if one.iou else None),
            three(one.boundary_iou.estimate if one.boundary_iou else None),
            f"{one.better} / {one.worse}",
            f"{one.milliseconds:.0f}",
        ]
        for one in result.summaries
    ]
    header = [
        f"{result.pictures} held-out pictures, bundled model in torch",
        "per-image IoU",
        "Boundary IoU",
        "pictures with better / worse contours",
        "ms of one core",
    ]
    return f"{table(header, rows)}\n\nFrom {where}."


def outputs_table() -> str:
    """Time of every output at 1080p, for docs/edges.md."""
    result, where = _edges()
    rows = [[one.output, one.settings, f"{one.milliseconds:.0f}"] for one in result.effects]
    return f"{table(['output, 1920x1080', 'settings', 'ms of one core'], rows)}\n\nFrom {where}."
