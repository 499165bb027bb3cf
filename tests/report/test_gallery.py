from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
from PIL import Image

from humanseg.report.gallery import (
    LONGEST_SIDE,
    MISSED,
    WRONG,
    choose,
    gallery,
    overlay,
    shown_size,
)
from humanseg.report.page import read_pictures
from humanseg.report.summary import load_study


def test_choose__follows_the_rule() -> None:
    means = {"a": 0.99, "b": 0.95, "c": 0.90, "d": 0.85, "e": 0.80, "f": 0.75, "g": 0.7, "h": 0.2}
    first = {**means, "b": 1.0, "e": 0.9}
    second = {**means, "b": 0.9, "e": 0.7}
    chosen = choose({"unet": first, "fpn": second}, seed=1)
    assert [one.id for one in chosen[:6]] == ["a", "d", "h", "g", "e", "b"]
    assert [one.reason.split(":")[0] for one in chosen] == [
        "Best",
        "Median",
        "Among the worst",
        "Among the worst",
        "Networks disagree",
        "Networks disagree",
        "Drawn at random",
        "Drawn at random",
    ]
    assert {one.id for one in chosen[6:]} == {"c", "f"}


def test_choose__seed_decides_the_random_ones_alone() -> None:
    scores = {"unet": {str(place): 1 - place / 100 for place in range(60)}}
    draws = {tuple(one.id for one in choose(scores, seed)) for seed in range(5)}
    assert len(draws) > 1
    assert len({draw[:4] for draw in draws}) == 1
    assert choose(scores, 3) == choose(scores, 3)


def test_choose__few_pictures_are_never_shown_twice() -> None:
    chosen = choose({"unet": {"a": 0.5, "b": 0.4}, "fpn": {"a": 0.5}}, seed=0)
    assert [one.id for one in chosen] == ["a", "b"]
    assert choose({}, seed=0) == []


def test_overlay__paints_errors_and_keeps_the_person() -> None:
    base = np.full((1, 4, 3), (200, 100, 50), dtype=np.uint8)
    truth = np.array([[True, True, False, False]])
    predicted = np.array([[True, False, True, False]])
    hit, missed, wrong, rest = overlay(base, truth, predicted)[0].tolist()
    assert hit == [200, 100, 50]
    assert np.abs(np.array(missed) - np.array(MISSED)).max() <= 0.2 * 255
    assert np.abs(np.array(wrong) - np.array(WRONG)).max() <= 0.2 * 255
    assert rest[0] == rest[1] == rest[2]


def test_shown_size__shrinks_and_never_enlarges() -> None:
    assert shown_size((1000, 500)) == (LONGEST_SIDE, LONGEST_SIDE // 2)
    assert shown_size((20, 10)) == (20, 10)
    assert shown_size((1, 5000)) == (1, LONGEST_SIDE)


def test_gallery__lost_files_leave_words(finished_copy: Path) -> None:
    study = load_study(finished_copy)
    (first, *_) = gallery(study, {})
    (finished_copy / "truth" / f"{first.id}.png").unlink()
    names = {row.id for row in gallery(study, {}) if row.cells[1].problem}
    assert names == {first.id}
    second = gallery(study, {})[1]
    (finished_copy / "runs/unet-seed42/predictions" / f"{second.id}.png").write_bytes(b"no picture")
    cells = gallery(study, {})[1].cells
    assert "does not say where" in cells[0].problem
    assert cells[2].problem.startswith("The mask cannot be shown.")
    assert str(finished_copy) not in cells[2].problem
    assert cells[2].notes[0].startswith("IoU 0.")
    assert not cells[3].problem


def test_gallery__pictures_are_jpeg_of_the_stated_size(finished: Path) -> None:
    study = load_study(finished)
    files = read_pictures(finished / "pictures.json")
    for row in gallery(study, files):
        for cell in row.cells:
            data = base64.b64decode(cell.uri.removeprefix("data:image/jpeg;base64,"))
            image = Image.open(io.BytesIO(data))
            assert (image.height, image.width) == cell.size
            assert max(image.size) <= LONGEST_SIDE
