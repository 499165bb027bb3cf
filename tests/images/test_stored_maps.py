from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humanseg.images import read_mask
from humanseg.images.stored_maps import read_probability, write_mask, write_probability
from humanseg.system.errors import DataError


def test_probability__comes_back_as_it_was_said_to(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((7, 11), dtype=np.float32)
    values[0, :3] = 0.0, 1.0, 0.5
    stored = write_probability(tmp_path / "deep" / "a.png", values)
    np.testing.assert_array_equal(read_probability(tmp_path / "deep" / "a.png"), stored)
    assert stored.dtype == np.float32
    assert np.abs(stored - values).max() <= 1 / 131070 + 1e-7
    assert stored[0, 0] == 0.0
    assert stored[0, 1] == 1.0
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.png"]


def test_mask__comes_back(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((9, 17)) > 0.5
    write_mask(tmp_path / "m.png", mask)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_probability__missing_or_damaged(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="stored prediction; delete the run's folder"):
        read_probability(tmp_path / "a.png")


def test_probability__a_mask_is_none(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="no stored prediction"):
        read_probability(tmp_path / "a.png")


def test_probability__a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_probability(tmp_path / "a.png", np.zeros((2, 2), dtype=np.float32))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
