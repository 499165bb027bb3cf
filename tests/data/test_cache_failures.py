from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

from humanseg.data import cache_entries, discover, read_facts
from humanseg.data.cache import Cache
from humanseg.data.cache_entries import CacheFolder
from humanseg.data.resized import ImagesInMemory
from humanseg.system.atomic import write_bytes
from humanseg.system.errors import DataError, UsageError

if TYPE_CHECKING:
    from tests.data.conftest import CachedData

pytestmark = pytest.mark.fault

SIZE = (8, 8)
COUNT = 12


def test_cache__of_another_version_takes_nothing_from_it(
    cached: CachedData, monkeypatch: pytest.MonkeyPatch, decoded: Counter[str]
) -> None:
    cached.resized().prepare(range(COUNT))
    with monkeypatch.context() as other:
        other.setattr(cache_entries, "FORMAT", cache_entries.FORMAT + 1)
        assert not cached.open().digests(discover(cached.root))
        assert cached.holds(cached.resized())
    decoded.clear()
    cached.resized().prepare(range(COUNT))
    assert not decoded


@pytest.mark.parametrize("length", [0, 3, 100, None])
def test_cache__damaged_facts_are_found_out_anew(
    cached: CachedData, length: int | None, decoded: Counter[str]
) -> None:
    samples = discover(cached.root)
    facts = read_facts(samples, cache=cached.open())
    file = cached.file("facts", 3)
    file.write_bytes(b"nonsense" * 600 if length is None else file.read_bytes()[:length])
    for again in ({"images/03", "masks/03"}, set()):
        decoded.clear()
        assert read_facts(samples, cache=cached.open()) == facts
        assert set(decoded) == again


def flip(cached: CachedData, index: int, *, mask: bool = False) -> None:
    """Change a bit of the pixels of a sample."""
    file = cached.file("8x8-area", index)
    content = bytearray(file.read_bytes())
    content[8 * 8 * 3 if mask else 5] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("mask", [False, True])
def test_cached_images__damaged_pixels_are_made_again(
    cached: CachedData, mask: bool, decoded: Counter[str]
) -> None:
    resized = cached.resized()
    resized.prepare(range(COUNT))
    cached.notes.clear()
    flip(cached, 3, mask=mask)
    decoded.clear()
    resized.get(range(COUNT))
    assert cached.notes == [
        cached.said("1 pictures in it are damaged or gone; they are made again.")
    ]
    assert dict(decoded) == {"images/03": 1, "masks/03": 1}
    assert cached.holds(resized)
    assert cached.holds(cached.resized())
    assert len(cached.notes) == 1


def test_cached_images__disk_that_forgets_is_named(
    cached: CachedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    resized = cached.resized()
    resized.prepare(range(COUNT))
    flip(cached, 0)
    monkeypatch.setattr(CacheFolder, "put", lambda self, kind, key, value: None)
    with pytest.raises(DataError, match=r"cache: does not give back what was just written to it"):
        resized.get([0])


def test_cached_images__file_that_is_gone_is_made_again(
    cached: CachedData, decoded: Counter[str]
) -> None:
    used = cached.resized()
    used.prepare(range(COUNT))
    shutil.rmtree(cached.folder / "8x8-area")
    fresh = cached.resized()
    fresh.prepare([1])
    assert cached.holds(used)
    assert cached.holds(fresh)
    assert "gone" in cached.notes[-1]


FILL = """
import sys, time
from functools import partial
from pathlib import Path
from humanseg.data import Sample, discover
from humanseg.data.cache import Cache

root, folder, log, pause, *gate = sys.argv[1:]
read = Sample.read_image

def slow(self):
    time.sleep(float(pause))
    with open(log, "a") as stream:
        stream.write(self.id + "\\n")
    while gate and not Path(gate[0]).exists():
        time.sleep(0.01)
    return read(self)

Sample.read_image = slow
samples = discover(Path(root))
note = partial(print, flush=True)
resized = Cache(Path(folder), note=note).resized(samples, size=(8, 8), mask_resize="area")
resized.prepare(range(len(samples)))
"""


def start(cached: CachedData, log: Path, pause: float, *gate: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", FILL, cached.root, cached.folder, log, pause, *gate]
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)


def kept(cached: CachedData) -> int:
    """Number of pictures whose pixels are there."""
    return len(list((cached.folder / "8x8-area").glob("[0-9a-f]*")))


def wait_for(ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 240
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_cache__killed_process_loses_no_more_than_the_last_pictures(
    cached: CachedData, tmp_path: Path, decoded: Counter[str]
) -> None:
    process = start(cached, tmp_path / "log", 0.1)
    try:
        wait_for(lambda: kept(cached) >= 4)
    finally:
        process.kill()
        process.communicate()
    survived = kept(cached)
    assert 4 <= survived < COUNT
    resized = cached.resized()
    resized.prepare(range(COUNT))
    assert len([name for name in decoded if name.startswith("images")]) == COUNT - survived
    assert cached.holds(resized)


def test_cache__of_two_processes_one_fills_and_both_find_everything(
    cached: CachedData, tmp_path: Path
) -> None:
    logs, gate = [tmp_path / "log0", tmp_path / "log1"], tmp_path / "gate"
    first = start(cached, logs[0], 0, gate)
    wait_for(logs[0].exists)
    second = start(cached, logs[1], 0, gate)
    assert second.stdout is not None
    said = second.stdout.readline()
    gate.touch()
    for process in (first, second):
        process.communicate(timeout=240)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "waiting for another process that fills it." in said
    lines = [line for log in logs if log.exists() for line in log.read_text().split()]
    assert sorted(lines) == [f"{number:02d}" for number in range(COUNT)]
    assert cached.holds(cached.resized())


def test_cache__without_locks_processes_do_no_harm(
    cached: CachedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    resized = [cached.resized() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda grid: grid.prepare(range(COUNT)), resized))
    assert all(cached.holds(grid) for grid in resized)


def test_cache__no_room_is_said_before_anything_is_read(
    cached: CachedData, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(cached.root)._replace(free=20_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(
        DataError,
        match=r"12 pictures at 8x8 need 0\.1 MB, but its disk has 0\.0 MB free; make room or give",
    ):
        cached.resized().prepare(range(COUNT))
    assert not decoded
    cached.resized().prepare([0, 1])


def test_cache__full_disk_keeps_what_was_there(
    cached: CachedData, decoded: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes) -> None:
        if kept(cached) >= 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write_bytes(path, content)

    with monkeypatch.context() as disk:
        disk.setattr(cache_entries, "write_bytes", write)
        with pytest.raises(OSError, match="No space left") as raised:
            cached.resized().prepare(range(COUNT))
    assert raised.value.errno == errno.ENOSPC
    assert str(raised.value.filename).startswith(str(cached.folder))
    there = kept(cached)
    assert 5 <= there < COUNT
    decoded.clear()
    resized = cached.resized()
    resized.prepare(range(COUNT))
    assert len([name for name in decoded if name.startswith("images")]) == COUNT - there
    assert cached.holds(resized)


def test_cache__refuses_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/photo.jpg").write_bytes(b"x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/CACHEDIR.TAG").write_text("made by something else")
    with pytest.raises(UsageError, match="file: is a file; give --cache a new or empty folder"):
        Cache(tmp_path / "file", note=print)
    for name in ("full", "other"):
        with pytest.raises(UsageError, match=f"{name}: is not empty and no cache; give --cache"):
            Cache(tmp_path / name, note=print)
        assert len(list((tmp_path / name).iterdir())) == 1
    (tmp_path / "disk/lost+found").mkdir(parents=True)
    Cache(tmp_path / "disk", note=print)
    Cache(tmp_path / "disk", note=print)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_cache__whole_one_is_read_where_nothing_can_be_written(cached: CachedData) -> None:
    cached.resized().prepare(range(COUNT))
    everything = [cached.folder, *cached.folder.rglob("*")]
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert cached.holds(cached.resized())
    finally:
        for path in everything:
            path.chmod(0o755)


def test_cached_images__threads_may_read_and_prepare_at_once(
    cached: CachedData, decoded: Counter[str]
) -> None:
    resized = cached.resized()
    expected = ImagesInMemory(discover(cached.root), SIZE, "area").get(range(COUNT))
    decoded.clear()
    wrong: list[int] = []

    def read(seed: int) -> None:
        order = np.random.default_rng(seed).integers(0, COUNT, 6).tolist()
        images, masks, _ = resized.get(order)
        alike = np.array_equal(images, expected[0][order]) and np.array_equal(
            masks, expected[1][order]
        )
        if not alike:
            wrong.append(seed)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert set(decoded.values()) == {1}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")
def test_cached_images__reading_takes_no_memory(cached: CachedData) -> None:
    samples = discover(cached.root) * 12
    resized = cached.open().resized(samples, size=(1024, 1024), mask_resize="area")
    resized.prepare(range(len(samples)))
    resized.get([0])

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    before = resident()
    for row in range(len(samples)):
        resized.get([row])
    assert resident() - before < 8 << 20
