from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from humanseg.system import malloc
from humanseg.system.malloc import expect_large_buffers, keep_freed_memory


class _Library:
    """Stands for glibc."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []
        self.trimmed = 0

    def mallopt(self, parameter: int, value: int) -> None:
        self.calls.append((parameter, value))

    def malloc_trim(self, _pad: int) -> None:
        self.trimmed += 1


def test_keep_freed_memory__ends_with_the_outermost_block(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _Library()
    monkeypatch.setattr(malloc, "_glibc", lambda: library)
    with keep_freed_memory() as possible:
        assert possible
        entered = list(library.calls)
        with pytest.raises(ValueError, match="stop"), keep_freed_memory():
            raise ValueError("stop")
        assert library.calls == entered
        assert library.trimmed == 0
    assert len(library.calls) > len(entered)
    assert library.trimmed == 1


def test_keep_freed_memory__does_nothing_where_there_is_no_glibc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(malloc, "sys", SimpleNamespace(platform="darwin"))
    with keep_freed_memory() as possible:
        assert not possible


_FAULTS = """
import resource, sys
import numpy as np
from humanseg.system.malloc import expect_large_buffers

if sys.argv[1] == "expecting":
    expect_large_buffers()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.zeros(2_000_000, dtype=np.uint8).fill(1)
        buffers = [np.empty(1_000_000, dtype=np.float32) for _ in range(3)]
        for buffer in buffers:
            buffer.fill(1)
        del buffers, buffer
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="about glibc")
def test_expect_large_buffers__pages_are_not_fetched_again_for_every_picture() -> None:
    def faults(word: str) -> int:
        command = [sys.executable, "-c", _FAULTS, word]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert faults("as it is") > 10_000  # 12 MB in pages of 4 KiB, 20 times: 60,000
    assert faults("expecting") < 100


def test_expect_large_buffers__does_nothing_where_there_is_no_glibc(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(malloc, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(malloc, "_set", None)
    expect_large_buffers()
