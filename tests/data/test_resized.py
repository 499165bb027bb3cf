from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.data import Sample, resized
from humanseg.data.resized import ImagesInMemory, ResizedImages
from humanseg.images.resize import resize_image, resize_mask, resize_mask_nearest
from humanseg.system.errors import DataError

Write = Callable[..., Path]
SIZE = (8, 8)


def make_samples(write: Write, count: int) -> list[Sample]:
    samples = []
    for number in range(count):
        mask = np.random.default_rng(number + 99).random((12, 16)) < 0.5
        image = write(f"{number}.png", seed=number)
        samples.append(Sample(str(number), image, write(f"m{number}.png", mask)))
    return samples


@pytest.mark.parametrize("mask_resize", ["area", "nearest"])
def test_memory__gives_what_decoding_gives_in_the_order_asked(
    write: Write, mask_resize: str
) -> None:
    samples = make_samples(write, 5)
    grid: ResizedImages = ImagesInMemory(samples, SIZE, mask_resize)
    assert (len(grid), grid.ids, grid.size) == (5, ("0", "1", "2", "3", "4"), SIZE)
    rows = [3, 0, 3, 4]
    images, masks, _ = grid.get(rows)
    shrink = resize_mask if mask_resize == "area" else resize_mask_nearest
    assert images.dtype == np.uint8
    assert masks.dtype == np.bool_
    for row, image, mask in zip(rows, images, masks, strict=True):
        assert np.array_equal(image, resize_image(samples[row].read_image(), SIZE))
        assert np.array_equal(mask, shrink(samples[row].read_mask(), SIZE))
    empty = grid.get([])
    assert (empty[0].shape, empty[1].shape) == ((0, 8, 8, 3), (0, 8, 8))


def test_memory__decodes_once_and_hands_out_copies(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    read = Sample.read_image

    def counted(self: Sample) -> NDArray[np.uint8]:
        decoded.append(self.id)
        return read(self)

    monkeypatch.setattr(Sample, "read_image", counted)
    grid = ImagesInMemory(make_samples(write, 6), SIZE, "area")
    calls: list[tuple[int, int]] = []
    grid.prepare([1, 2, 2, 1], lambda done, total: calls.append((done, total)))
    assert sorted(decoded) == ["1", "2"]
    assert calls == [(1, 2), (2, 2)]
    grid.prepare([0, 1, 2], lambda done, total: calls.append((done, total)))
    assert calls[2:] == [(3, 3)]
    first = grid.get([2])[0]
    before = first.copy()
    first[:] = 0
    assert np.array_equal(grid.get([2])[0], before)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(grid.get, [[row] for row in range(6)] * 5))
    assert sorted(decoded) == ["0", "1", "2", "3", "4", "5"]


def test_memory__names_what_cannot_be_read_and_keeps_the_rest(write: Write) -> None:
    samples = make_samples(write, 3)
    samples[1].image.write_bytes(b"no picture")
    grid = ImagesInMemory(samples, SIZE, "area")
    problem = r"1 of 3 samples cannot be read\. .*1\.png.* `humanseg data check` lists all\."
    for _ in range(2):
        with pytest.raises(DataError, match=problem):
            grid.prepare([0, 1, 2])
    for sample in (samples[0], samples[2]):
        sample.image.unlink()
    assert len(grid.get([0, 2])[0]) == 2


def test_memory__counts_the_copies_of_several_processes(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = ImagesInMemory(make_samples(write, 1), SIZE, "area")
    bytes_each = SIZE[0] * SIZE[1] * 4
    monkeypatch.setattr(resized, "available_memory", lambda: 30 * bytes_each)
    grid.check_room(10, processes=2)
    with pytest.raises(
        DataError, match=r"10 pictures at \d+x\d+ in 4 processes need .*--cache DIR"
    ):
        grid.check_room(10, processes=4)


def test_memory__refuses_more_than_there_is(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resized, "available_memory", lambda: 1000)
    grid = ImagesInMemory(make_samples(write, 6), SIZE, "area")
    grid.prepare([0, 1, 2])  # 768 bytes
    with pytest.raises(
        DataError,
        match=r"^4 pictures at 8x8 need 0\.0 GB of memory, of which 0\.0 GB are available; "
        "give --cache DIR",
    ):
        ImagesInMemory(make_samples(write, 6), SIZE, "area").prepare(range(4))
    monkeypatch.setattr(resized, "available_memory", lambda: None)
    ImagesInMemory(make_samples(write, 6), SIZE, "area").prepare(range(6))
