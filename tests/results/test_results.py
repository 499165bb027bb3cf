from __future__ import annotations

import json
from pathlib import Path

import pytest

from humanseg.results import (
    EpochRecord,
    FailedRun,
    ImageScore,
    read_record,
    write_record,
    write_text,
)
from humanseg.system.errors import DataError


def _score() -> ImageScore:
    return ImageScore(
        id="a", height=2, width=3, tp=1, fp=2, fn=3, tn=0, boundary_intersection=1, boundary_union=4
    )


def test_write_and_read__round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "score.json"
    write_record(path, _score())
    assert read_record(path, ImageScore) == _score()


def test_derived_scores__by_hand() -> None:
    score = _score()
    assert score.iou == pytest.approx(1 / 6)
    assert score.dice == pytest.approx(2 / 7)
    assert score.boundary_iou == 0.25
    assert score.pixel_accuracy == pytest.approx(1 / 6)
    assert score.foreground_share == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not json", "not a humanseg record"),
        ('{"a": ' * 100_000, "not a humanseg record"),
        ("[1]", "not a humanseg record"),
        ('{"schema_version": 99}', "schema version 99; this humanseg reads version 1"),
        ('{"name": "x"}', "damaged at error"),
        ('{"name": "x", "error": "y", "more": 1}', "damaged at more"),
    ],
)
def test_read__bad_file_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(DataError, match=sentence) as caught:
        read_record(path, FailedRun)
    assert str(path) in str(caught.value)


def test_read__missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_record(tmp_path / "none.json", FailedRun)


def test_record__nan_is_refused() -> None:
    values = dict.fromkeys(EpochRecord.model_fields, 1.0) | {"epoch": 1, "train_loss": float("nan")}
    with pytest.raises(ValueError, match="finite"):
        EpochRecord.model_validate(values)


def test_write__failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_text(path, "old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_write__keeps_json_readable(tmp_path: Path) -> None:
    write_record(tmp_path / "a.json", FailedRun(name="é", error="x"))
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["name"] == "é"
