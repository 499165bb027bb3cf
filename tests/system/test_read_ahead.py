from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from humanseg.system.read_ahead import ReadAhead, ordered_map


def test_read_ahead__keeps_the_order_and_ends() -> None:
    with ReadAhead(iter(range(100)), depth=3) as items:
        assert list(items) == list(range(100))
        assert list(items) == []


def test_read_ahead__works_in_another_thread_but_only_so_far_ahead() -> None:
    made: list[int] = []
    threads = set()

    def source() -> Iterator[int]:
        for number in range(50):
            threads.add(threading.get_ident())
            made.append(number)
            yield number

    with ReadAhead(source(), depth=2) as items:
        for number in items:
            time.sleep(0.002)
            # Two wait, one is being handed over, and the next may have been begun.
            assert len(made) <= number + 1 + 2 + 2
    assert threads
    assert threading.get_ident() not in threads


def test_read_ahead__an_error_comes_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    with ReadAhead(source(), depth=5) as items:
        assert next(items) == 1
        with pytest.raises(KeyError, match="broken"):
            next(items)
        assert list(items) == []


def test_read_ahead__leaving_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with ReadAhead(source(), depth=2) as items:
        next(items)
    assert closed.is_set()
    assert threading.active_count() == before


def test_ordered_map__keeps_the_order_with_few_items_under_way() -> None:
    begun: list[int] = []

    def slow(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0.0)
        return number * number

    def items() -> Iterator[int]:
        for number in range(30):
            begun.append(number)
            yield number

    with ThreadPoolExecutor(2) as pool:
        for number, result in enumerate(ordered_map(pool, slow, items(), depth=3)):
            assert result == number * number
            assert len(begun) <= number + 3
    assert len(begun) == 30


def test_ordered_map__an_error_comes_in_its_place() -> None:
    def work(number: int) -> int:
        if number == 4:
            raise ValueError("four")
        return number

    results = []
    with ThreadPoolExecutor(2) as pool, pytest.raises(ValueError, match="four"):  # noqa: PT012
        for result in ordered_map(pool, work, range(10), depth=3):
            results.append(result)
    assert results == [0, 1, 2, 3]
