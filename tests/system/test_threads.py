from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing

import pytest

from humanseg.system.threads import ordered_map, read_ahead


def counting(number: int, taken: list[int]) -> Generator[int, None, None]:
    for item in range(number):
        taken.append(item)
        yield item


def test_ordered_map__keeps_the_order_with_few_items_under_way() -> None:
    taken: list[int] = []

    def slow(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0.0)
        return number * number

    for number, result in enumerate(ordered_map(slow, counting(30, taken), threads=2, depth=3)):
        assert result == number * number
        assert len(taken) <= number + 3
    assert len(taken) == 30


def test_ordered_map__closing_it_ends_its_threads() -> None:
    taken: list[int] = []
    before = threading.active_count()
    results = ordered_map(lambda item: item * 2, counting(100_000, taken))
    assert [next(results) for _ in range(50)] == list(range(0, 100, 2))
    assert len(taken) < 50_000
    results.close()
    assert threading.active_count() == before


def test_ordered_map__an_error_comes_in_its_place() -> None:
    def work(number: int) -> int:
        if number == 4:
            raise ValueError("four")
        return number

    results = ordered_map(work, range(10), threads=2, depth=3)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="four"):
        next(results)


def test_ordered_map__an_error_of_the_source_comes_after_what_was_begun() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2, 3)
        raise ValueError("broken")

    results = ordered_map(lambda item: item * 2, items(), threads=2, depth=8)
    assert [next(results) for _ in range(3)] == [2, 4, 6]
    with pytest.raises(ValueError, match="broken"):
        next(results)


def test_read_ahead__keeps_the_order_and_ends() -> None:
    items = read_ahead(counting(100, []), depth=3)
    assert list(items) == list(range(100))
    assert list(items) == []


def test_read_ahead__works_in_another_thread_but_only_so_far_ahead() -> None:
    made: list[int] = []
    threads = set()

    def source() -> Generator[int, None, None]:
        for number in range(50):
            threads.add(threading.get_ident())
            made.append(number)
            yield number

    for number in read_ahead(source(), depth=2):
        time.sleep(0.002)
        assert len(made) <= number + 2
    assert len(made) == 50
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_read_ahead__an_error_comes_after_the_items_before_it() -> None:
    def source() -> Generator[int, None, None]:
        yield 1
        raise KeyError("broken")

    items = read_ahead(source(), depth=5)
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)
    assert list(items) == []


def endless(closed: threading.Event) -> Generator[int, None, None]:
    try:
        while True:
            yield 0
    finally:
        closed.set()


def test_read_ahead__leaving_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()
    before = threading.active_count()
    with closing(read_ahead(endless(closed), depth=2)) as items:
        next(items)
    assert closed.is_set()
    assert threading.active_count() == before


def test_read_ahead__stages_end_from_the_last_to_the_first() -> None:
    closed = threading.Event()

    def failing(items: Iterator[int]) -> Generator[int, None, None]:
        yield next(items)
        raise RuntimeError("the second stage")

    before = threading.active_count()
    first = read_ahead(endless(closed), depth=2)
    second = read_ahead(failing(first), depth=2)
    with (
        pytest.raises(RuntimeError, match="the second stage"),
        closing(first),
        closing(second),
    ):
        list(second)
    assert closed.is_set()
    assert threading.active_count() == before
