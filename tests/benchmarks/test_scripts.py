"""From what the measuring scripts measured to the figures that they write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks.bundled_accuracy import Scores, summaries
from benchmarks.edges import Row as EdgesRow
from benchmarks.edges import summarise
from benchmarks.folder import folder_row, photographs
from benchmarks.install_size import installation
from benchmarks.startup import PROGRAMS, too_slow
from benchmarks.startup import Row as StartupRow
from PIL import Image

from benchmarks import startup
from humanseg.data.composition import KINDS


def _scores(seed: int, iou: float, area: float, *, refined: bool = False) -> Scores:
    return Scores(
        run=f"run{seed}",
        seed=seed,
        backend="openvino",
        precision="int8",
        flip_averaging=False,
        refined=refined,
        pictures=58,
        iou=iou,
        boundary_iou=iou - 0.2,
        person_free=95,
        person_free_area=area,
        person_free_marked=0.2,
        scenes=dict.fromkeys(KINDS, iou / 2),
    )


def test_bundled_accuracy__means_and_sample_deviations_over_seeds() -> None:
    scores = [_scores(1, 0.8, 0.01), _scores(2, 0.9, 0.03), _scores(3, 0.88, 0.02)]
    plain, refined = summaries([*scores, _scores(1, 0.5, 0.0, refined=True)])
    assert (plain.seeds, plain.backend, plain.precision, plain.refined) == (
        *(3, "openvino", "int8", False),
    )
    assert plain.iou_mean == pytest.approx(0.86)
    assert plain.iou_sd == pytest.approx(((0.06**2 + 0.04**2 + 0.02**2) / 2) ** 0.5)
    assert plain.boundary_iou_mean == pytest.approx(0.66)
    assert plain.boundary_iou_sd == pytest.approx(plain.iou_sd)
    assert plain.person_free_area_mean == pytest.approx(0.02)
    assert plain.person_free_area_largest == 0.03
    assert plain.scenes == pytest.approx(dict.fromkeys(KINDS, 0.43))
    assert (refined.seeds, refined.iou_mean, refined.iou_sd) == (1, 0.5, 0.0)


def test_edges__gains_are_over_plain_by_picture() -> None:
    def row(name: str, variant: str, iou: float | None, boundary: float | None) -> EdgesRow:
        return EdgesRow(
            id=name, variant=variant, iou=iou, boundary_iou=boundary, milliseconds=boundary or 9.0
        )

    rows = [
        row("a", "plain", 0.8, 0.5), row("a", "refined", 0.9, 0.7),
        row("b", "plain", 0.6, 0.6), row("b", "refined", 0.5, 0.5),
        row("c", "plain", 0.7, 0.4), row("c", "refined", 0.7, 0.4),
        row("d", "plain", None, None), row("d", "refined", 0.0, None),
    ]  # fmt: skip
    refined = summarise("refined", rows, ["a", "b", "c", "d"])
    assert refined.iou is not None
    assert refined.iou.estimate == pytest.approx((0.9 + 0.5 + 0.7 + 0.0) / 4)
    assert refined.iou_gain is not None
    assert refined.iou_gain.estimate == pytest.approx((0.1 - 0.1 + 0.0) / 3)
    assert refined.boundary_iou_gain is not None
    assert refined.boundary_iou_gain.estimate == pytest.approx((0.2 - 0.1 + 0.0) / 3)
    assert (refined.better, refined.worse) == (1, 1)
    assert refined.milliseconds == pytest.approx(0.6)  # median of 0.7, 0.5, 0.4 and 9
    plain = summarise("plain", rows, ["a", "b", "c", "d"])
    assert (plain.better, plain.worse) == (0, 0)


def test_folder__rate_and_memory() -> None:
    row = folder_row(None, 1000, 16.0, peak_kib=2048)
    assert (row.pictures_per_second, row.peak_memory_mib) == (62.5, 2.0)


def test_folder__photographs_have_the_size_and_begin_anew(tmp_path: Path) -> None:
    for number, name in enumerate(("a.jpg", "b.png")):
        Image.new("RGB", (30, 20), (100 * number, 0, 0)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    images = photographs(tmp_path, (6, 4))
    taken = [next(images) for _ in range(3)]
    assert [image.size for image in taken] == [(6, 4)] * 3
    reds = [int(np.asarray(image)[0, 0, 0]) for image in taken]
    assert reds == [0, 100, 0]
    with pytest.raises(SystemExit, match="holds no pictures"):
        next(photographs(tmp_path / "nothing", (6, 4)))


def test_install_size__sums_what_was_installed_without_the_tools() -> None:
    sizes = {"humanseg": 3 * 2**20, "numpy": 2**19, "pip": 9 * 2**20, "setuptools": 5}
    row = installation("video", sizes)
    assert (row.extra, row.total_mib) == ("video", 3.5)
    assert row.distributions == {"humanseg": 3.0, "numpy": 0.5}


def test_startup__first_run_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def times() -> Iterator[float]:
        yield from [100.0] * len(PROGRAMS)  # the untimed runs
        for round_time in (1.0, 3.0, 2.0):
            yield from [round_time + at for at in range(len(PROGRAMS))]

    following = times()
    monkeypatch.setattr(startup, "_run", lambda code: (next(following), len(code)))
    rows = startup.measure(3)
    assert [row.program for row in rows] == list(PROGRAMS)
    assert rows[0].seconds == (1.0, 3.0, 2.0)
    assert [row.median for row in rows] == [2.0 + at for at in range(len(PROGRAMS))]
    assert rows[0].modules == len(PROGRAMS["python"])


def test_startup__limits() -> None:
    def row(program: str, median: float) -> StartupRow:
        return StartupRow(program=program, modules=1, seconds=(median,), median=median)

    rows = [row("import humanseg", 0.21), row("humanseg --help", 0.4), row("python", 9.0)]
    assert [late.program for late in too_slow(rows)] == ["import humanseg"]


def test_video__medians_of_rounds_and_flicker_of_both_ways() -> None:
    pytest.importorskip("av")
    from benchmarks.flicker import Flicker
    from benchmarks.video import flicker_rows, speeds

    smoothed, plain = speeds({True: [20.0, 18.0, 19.5], False: [21.0, 22.0]})
    assert (smoothed.smoothing, smoothed.median) == (True, 19.5)
    assert (plain.smoothing, plain.median, plain.frames_per_second) == (False, 21.5, (21.0, 22.0))
    rows = flicker_rows(Flicker(14.0, 13.0, 0.5, 9), Flicker(3.0, 2.0, 0.5, 9))
    assert [(row.smoothing, row.change, row.flips) for row in rows] == [
        (False, 14.0, 13.0),
        (True, 3.0, 2.0),
    ]
