from __future__ import annotations

from types import SimpleNamespace

import pytest

from humanseg.system import malloc
from humanseg.system.malloc import keep_freed_memory


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
