"""Close-ups and parts of data sets that the bundled model's recipe names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.close_ups import SMALLEST, windows
from benchmarks.subset import of_fold, of_nobody
from PIL import Image

from humanseg.data.samples import Sample


def _standing() -> np.ndarray:
    mask = np.zeros((1000, 600), bool)
    mask[100:900, 200:400] = True
    return mask


def test_windows__lie_inside_and_hold_a_person_in_part() -> None:
    mask = _standing()
    drawn = list(windows(mask, np.random.default_rng(0), head=False))
    assert len(drawn) >= 5
    for rows, columns in drawn:
        assert min(rows.start, columns.start) >= 0
        inside = mask[rows, columns]
        assert min(inside.shape) >= SMALLEST
        assert 0.12 <= inside.mean() <= 0.92
        assert inside.sum() < mask.sum()  # the person is cut off


def test_windows__of_heads_stay_in_the_upper_part() -> None:
    drawn = list(windows(_standing(), np.random.default_rng(0), head=True))
    assert drawn
    assert all((rows.start + rows.stop) / 2 < 100 + 0.35 * 800 for rows, _ in drawn)


def test_windows__depend_on_the_generator_only() -> None:
    first, again = (
        list(windows(_standing(), np.random.default_rng(3), head=False)) for _ in range(2)
    )
    assert first == again


def test_folds__divide_the_sorted_ids() -> None:
    samples = [Sample(id=name, image=Path(name)) for name in "dbacfe"]
    inside = [sample.id for sample in of_fold(samples, 5, 0, inside=True)]
    outside = [sample.id for sample in of_fold(samples, 5, 0, inside=False)]
    assert inside == ["a", "f"]
    assert outside == ["b", "c", "d", "e"]


def test_nobody__gets_empty_masks_of_the_same_size(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (30, 20), "green").save(tmp_path / "photos" / "lawn.jpg")
    (sample,) = of_nobody(tmp_path / "photos", tmp_path / "masks")
    assert sample.read_mask().shape == sample.read_image().shape[:2] == (20, 30)
    assert not sample.read_mask().any()
