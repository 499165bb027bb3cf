"""The README's tables on use, made of small files written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.peers.record import Difference, ImageTime, PeersRecord, SystemResult
from benchmarks.use_tables import (
    accuracy_table,
    conditions,
    edges_table,
    outputs_table,
    peers_table,
    speed_table,
    work_table,
)
from tests.builders.records import environment

from humanseg.benchmark.speed_record import (
    ColdStart,
    Configuration,
    ImageFile,
    Machine,
    Measured,
    SpeedRecord,
)
from humanseg.benchmark.timing import summarise_times
from humanseg.evaluation.metrics import summarise
from humanseg.results import ImageScore, Interval, write_record


def _rows(table: str) -> list[dict[str, str]]:
    """Cells by heading, row by row."""
    head, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
        if line.startswith("|")
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def _write(folder: Path, name: str, content: object) -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _machine(load: float | None) -> Machine:
    return Machine(
        usable_cores=2,
        memory=None,
        features=(),
        load_before=load,
        load_after=None,
        thread_variables={},
    )


def _system(name: str, tp: int, boundary: int, area: float, seconds: float) -> SystemResult:
    score = ImageScore(
        id="1", height=10, width=10, tp=tp, fp=0, fn=50 - tp, tn=50,
        boundary_intersection=boundary, boundary_union=100,
    )  # fmt: skip
    time = ImageTime(id="1", marked=area, seconds=(seconds,))
    return SystemResult(
        name=name,
        settings={},
        load_seconds=1.5,
        scores=(score,),
        summary=summarise([score]),
        labelled=(time,),
        person_free=(time, time),
        marked_area=area,
        marked_pictures=0.5,
        time=summarise_times([time.seconds]),
    )


def test_peers_table__has_every_system_and_what_the_first_is_ahead(tmp_path: Path) -> None:
    record = PeersRecord(
        model="bundled",
        model_files={},
        trained_on="a",
        data_fingerprint="b",
        groups=1,
        person_free_fingerprint="c",
        calls=1,
        systems=(
            _system("humanseg openvino int8 x1", 40, 60, 0.002, 0.0166),
            _system("mediapipe", 25, 30, 0.1119, 0.0032),
        ),
        differences=(
            Difference(
                other="mediapipe",
                iou=Interval(estimate=0.3, low=0.1, high=0.4),
                boundary_iou=Interval(estimate=-0.012, low=-0.02, high=0.01),
                time_ratio=5.2,
            ),
        ),
        machine=_machine(0.3),
        environment=environment(),
    )
    write_record(tmp_path / "peers.json", record)
    table = peers_table(tmp_path / "peers.json")
    assert "| 1 held-out pictures, 2 photographs without people |" in table
    lines = [line.strip("| ") for line in table.splitlines() if line.startswith("|")]
    assert lines[2] == (
        "humanseg openvino int8, threads: 1 | 0.800 |  | 0.600 |  | 0.2 % | 50.0 % | 17 ms"
    )
    assert lines[3] == (
        "MediaPipe selfie | 0.500 | +30.0 [+10.0, +40.0] | 0.300 | -1.2 [-2.0, +1.0] | 11.2 % "
        "| 50.0 % | 3 ms"
    )
    assert "Other work" not in table
    behind = "MediaPipe selfie has the higher IoU on 0 of 1 pictures; the median difference is +30"
    assert behind in table


def test_conditions__say_what_speaks_against_quoting() -> None:
    where = environment()
    plain = f"{where.processor}, {where.cores} cores."
    assert conditions(where, _machine(None)) == plain
    assert conditions(where, _machine(0.4), [0.1, None]) == plain
    assert conditions(where, _machine(0.41), [0.05, 0.2, 0.4, None]) == (
        f"{plain} Other work may have run: load 0.41 before the start, above 0.2 per core. "
        "2 of 3 medians moved by more than 10% between rounds, at most by 40%."
    )


def test_speed_table__has_medians_and_the_largest_memory(tmp_path: Path) -> None:
    start = summarise_times([[0.456]])
    record = SpeedRecord(
        model="bundled",
        model_files={},
        image_size=(240, 320),
        flip_averaging=False,
        calls=3,
        warm_up=1,
        pictures=(ImageFile(name="a.jpg", height=1000, width=2100, bytes=9, generated=True),),
        measured=(
            Measured(
                configuration=Configuration(
                    backend="onnxruntime", precision="int8", device="cpu", threads=2
                ),
                network=summarise_times([[0.010, 0.020, 0.030]]),
                pictures={"a.jpg": summarise_times([[0.0424]])},
                cold_start=ColdStart(
                    imported=summarise_times([[9.0]]),
                    loaded=summarise_times([[9.0]]),
                    first=summarise_times([[9.0]]),
                    total=start,
                ),
                peak_memory=(99 * 2**20, 101 * 2**20),
            ),
        ),
        throughput=(),
        unavailable=(),
        machine=_machine(0.0),
        environment=environment(),
    )
    write_record(tmp_path / "speed.json", record)
    assert _rows(speed_table(tmp_path / "speed.json")) == [
        {
            "bundled model": "onnxruntime, int8",
            "threads": "2",
            "network at 240x320, median (p95), ms": "20.0 (29.0)",
            "2.1 MP file to mask, ms": "42",
            "cold start": "0.46 s",
            "peak memory": "101 MiB",
        }
    ]


def _seeds(**changes: object) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "backend": "openvino",
        "precision": "int8",
        "flip_averaging": False,
        "refined": False,
        "seeds": 3,
        "iou_mean": 0.8948,
        "iou_sd": 0.0096,
        "boundary_iou_mean": 0.6901,
        "boundary_iou_sd": 0.0099,
        "person_free_area_mean": 0.0071,
        "scenes": {"small": 0.7439, "several": 0.8735, "large": 0.9117, "nobody": 0.5},
    }
    return summary | changes


def test_accuracy_table__names_every_way(tmp_path: Path) -> None:
    ways = [_seeds(), _seeds(flip_averaging=True, refined=True, scenes={"small": 0.5})]
    path = _write(tmp_path, "bundled", {"person_free_photographs": 95, "summaries": ways})
    plain, both = _rows(accuracy_table(path))
    assert list(plain.values()) == [
        *("openvino, int8", "0.895 ± 0.010", "0.690 ± 0.010", "0.744", "0.874", "0.912", "0.7 %"),
    ]
    assert both["bundled recipe, 3 seeds"] == "openvino, int8, flip averaging, refined edges"
    assert [both[f"IoU, {kind}"] for kind in ("small people", "large")] == ["0.500", "–"]


def test_accuracy_table__refuses_unequal_numbers_of_seeds(tmp_path: Path) -> None:
    ways = {"person_free_photographs": 95, "summaries": [_seeds(), _seeds(seeds=2)]}
    with pytest.raises(SystemExit, match="same number of seeds"):
        accuracy_table(_write(tmp_path, "bundled", ways))


def test_work_table__takes_the_usual_way_of_every_file(tmp_path: Path) -> None:
    folder = {
        "backend": "openvino",
        "precision": "int8",
        "source": "drawn",
        "mean_bytes": 353055.9,
        "folder": [
            {"pictures": 10, "pictures_per_second": 99.0, "workers": 1},
            {"pictures": 1000, "pictures_per_second": 60.06, "workers": None},
        ],
        "large_bytes": 4178743,
        "large_median_ms": 64.7,
    }
    video = {
        "clip": "photograph",
        "size": [1080, 1920],
        "speed": [{"smoothing": False, "median": 21.3}, {"smoothing": True, "median": 19.9}],
        "flicker": [
            {"smoothing": True, "change": 9.0, "flips": 3.14},
            {"smoothing": False, "change": 9.0, "flips": None},
        ],
    }
    names = ["python", "import humanseg", "humanseg --help", "humanseg predict --help"]
    names += ("from humanseg import Segmenter", "first mask, onnxruntime", "first mask, openvino")
    startup = {"rows": [{"program": name, "median": 0.1 * at} for at, name in enumerate(names)]}
    install = {"installations": [{"extra": "", "total_mib": 187.5}, {"extra": "v", "total_mib": 2}]}
    files = {"folder": folder, "video": video, "startup": startup, "install": install}
    rows = _rows(work_table(*(_write(tmp_path, name, files[name]) for name in files)))
    assert [(row["whole jobs"], row[""]) for row in rows] == [
        ("a folder of 1000 JPEG files of one megapixel (drawn, 353 kB each) to masks",
         "60 per second"),
        ("a JPEG file of twelve megapixels (drawn, 4.2 MB) to a mask file at full size", "65 ms"),
        ("1080p video (photograph) to a blurred background, smoothed", "20 frames per second"),
        ("flicker of its mask where the picture stands still, per thousand pixels: as found, and "
         "smoothed", "–, 3.1"),
        ("import humanseg", "0.10 s"),
        ("humanseg --help", "0.20 s"),
        ("from humanseg import Segmenter", "0.40 s"),
        ("first mask, onnxruntime", "0.50 s"),
        ("first mask, openvino", "0.60 s"),
        ("installed size, base", "188 MiB"),
        ("installed size with [v]", "2 MiB"),
    ]  # fmt: skip
    assert rows[0]["from"] == "[folder.json](../benchmarks/results/folder.json)"
    assert rows[-1]["from"] == "[install.json](../benchmarks/results/install.json)"


def test_edges_tables__have_scores_counts_and_times(tmp_path: Path) -> None:
    content = {
        "pictures": 58,
        "summaries": [
            {
                "variant": "refined",
                "iou": {"estimate": 0.8952, "low": 0.8, "high": 0.9},
                "boundary_iou": None,
                "better": 23,
                "worse": 35,
                "milliseconds": 86.9,
            }
        ],
        "effects": [{"output": "cutout", "settings": "feather 5", "milliseconds": 39.55}],
    }
    path = _write(tmp_path, "edges", content)
    (row,) = _rows(edges_table(path))
    assert list(row.values()) == ["refined", "0.895", "–", "23 / 35", "87"]
    (row,) = _rows(outputs_table(path))
    assert list(row.values()) == ["cutout", "feather 5", "40"]
    assert "From [edges.json](../benchmarks/results/edges.json)." in edges_table(path)
