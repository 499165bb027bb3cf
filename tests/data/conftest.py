from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.data import discover
from humanseg.data.cache import Cache, CachedImages
from humanseg.data.cache_entries import sample_keys
from humanseg.data.resized import ImagesInMemory, ResizedImages
from humanseg.images import files
from humanseg.images.resize import Size

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an array as a picture below `tmp_path`; noise of the given seed if there is none."""

    def make(name: str, values: NDArray[np.generic] | None = None, *, seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if values is None:
            values = np.random.default_rng(seed).integers(0, 256, (12, 16, 3)).astype(np.uint8)
        if values.dtype == np.bool_:
            values = values.astype(np.uint8) * 255
        Image.fromarray(values).save(path)
        return path

    return make


@pytest.fixture
def half() -> NDArray[np.bool_]:
    """A mask of 12 x 16 pixels whose left half is a person."""
    mask = np.zeros((12, 16), dtype=np.bool_)
    mask[:, :8] = True
    return mask


class CachedData(NamedTuple):
    """A data set, a folder for its cache, and what the cache said."""

    root: Path
    folder: Path
    notes: list[str]

    def open(self) -> Cache:
        return Cache(self.folder, note=self.notes.append)

    def resized(self, size: Size = (8, 8), mask_resize: str = "area") -> CachedImages:
        return self.open().resized(discover(self.root), size=size, mask_resize=mask_resize)

    def file(self, kind: str, index: int) -> Path:
        """Of what the cache keeps of a sample."""
        return self.folder / kind / sample_keys(discover(self.root))[index]

    def said(self, text: str) -> str:
        return f"cache {self.folder}: {text}"

    def add(self, name: str, *, seed: int) -> None:
        """Write a picture of noise, and a truth of noise."""
        rng = np.random.default_rng(seed)
        for folder, shape in (("images", (12, 16, 3)), ("masks", (12, 16))):
            values = rng.integers(0, 256, shape).astype(np.uint8)
            path = self.root / folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values if folder == "images" else (values // 128) * 255).save(path)

    def holds(self, resized: ResizedImages, mask_resize: str = "area") -> bool:
        """Whether all rows are what decoding gives."""
        expected = ImagesInMemory(discover(self.root), resized.size, mask_resize)
        everything = range(len(expected))
        pairs = zip(resized.get(everything)[:2], expected.get(everything)[:2], strict=True)
        return resized.ids == expected.ids and all(np.array_equal(*pair) for pair in pairs)


@pytest.fixture
def cached(tmp_path: Path) -> CachedData:
    """Twelve pictures and no cache yet."""
    made = CachedData(tmp_path / "data", tmp_path / "cache", [])
    for number in range(12):
        made.add(f"{number:02d}", seed=number)
    return made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was opened to be decoded."""
    counts: Counter[str] = Counter()
    original = files.open_file

    @contextmanager
    def counted(path: Path) -> Iterator[BinaryIO]:
        counts[f"{path.parent.name}/{path.stem}"] += 1
        with original(path) as stream:
            yield stream

    monkeypatch.setattr("humanseg.images.files.open_file", counted)
    return counts
