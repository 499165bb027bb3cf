"""That mistakes are planted as their names say, and that the data check names them."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.planted import COPIES, SEED, SIZE, _checked, _planted

from humanseg.data import synthesize


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("planted") / "set", count=60, size=SIZE, seed=SEED)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("the second half of the masks moved on by one", "are moved on by one"),
        ("every mask full", "error: every mask is entirely person"),
        (
            "classes in colours",
            "error: its colours number classes, or people one by one: 2 of them",
        ),
        ("masks transposed", "error: masks are transposed"),
        ("every fifth mask turned by 180", "are turned by 180 degrees"),
        ("convex hulls instead of outlines", "are convex hulls"),
        ("every third mask a convex hull", "are convex hulls"),
        (COPIES, "error: the same pixels as copy-"),
    ],
)
def test_planted__is_named(sound: Path, tmp_path: Path, mistake: str, said: str) -> None:
    _planted(sound, tmp_path / "set", mistake)
    sentences = _checked(tmp_path / "set")
    (sentence,) = (each for each in sentences if said in each)
    assert sentence.startswith("error: ")
    assert len(sentences) == 1 or mistake == COPIES  # their masks are of other images too
