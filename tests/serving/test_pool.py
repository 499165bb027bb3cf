"""How much work is taken on, and what happens to work that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.requests import ClientDisconnect

from humanseg.serving.pool import Pool
from humanseg.serving.problem_details import Problem
from humanseg.serving.serve_metrics import ServeMetrics


def _pool(workers: int = 1, queue: int = 2, max_held_bytes: int = 1000) -> Pool:
    return Pool(workers, queue=queue, max_held_bytes=max_held_bytes, metrics=ServeMetrics())


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def test_check_room__more_than_workers_and_queue_is_refused() -> None:
    pool, release = _pool(workers=1, queue=2), threading.Event()

    async def main() -> None:
        waiting = [
            asyncio.ensure_future(pool.run(release.wait, gone=_future(), seconds=10))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        with pytest.raises(
            Problem, match=r"^3 pictures are under way; at most 3 are taken on\."
        ) as busy:
            pool.check_room(1)
        assert busy.value.status == 429
        assert int(busy.value.headers["Retry-After"]) >= 1
        with pytest.raises(Problem, match="pictures are under way"):
            pool.holding(0).__enter__()
        release.set()
        await asyncio.gather(*waiting)

    asyncio.run(main())
    assert pool.images == 0


def test_check_room__what_can_never_be_taken_on_is_not_asked_for_again() -> None:
    pool = _pool(workers=1, queue=2, max_held_bytes=1000)
    with pytest.raises(Problem) as many:
        pool.check_room(4)
    assert str(many.value) == (
        "The request has 4 pictures; at most 3 are taken on at a time. Send fewer in a request."
    )
    with pytest.raises(Problem) as long:
        pool.holding(1001).__enter__()
    assert str(long.value) == (
        "The request has 1001 bytes; at most 1000 are taken on at a time. Send a smaller one."
    )
    assert [(refused.value.status, refused.value.headers) for refused in (many, long)] == [
        (413, {})
    ] * 2


def test_holding__bytes_are_bounded_and_given_back() -> None:
    pool = _pool(max_held_bytes=1000)
    with pool.holding(600) as hold:
        hold(600)
        with pytest.raises(Problem, match="600 bytes are under way; at most 1000"):
            pool.holding(401).__enter__()
        with pool.holding(0) as other:
            other(400)
            assert pool.held == 1000
            with pytest.raises(Problem, match="1000 bytes are under way; at most 1000"):
                hold(1)
            with pytest.raises(Problem, match="The request has 1001 bytes; at most 1000"):
                hold(401)
        hold(-100)
        assert pool.held == 500
    assert pool.held == 0


def test_holding__what_is_only_announced_takes_no_room() -> None:
    pool = _pool(max_held_bytes=1000)
    with pool.holding(1000), pool.holding(1000) as hold:
        hold(1000)
        assert pool.held == 1000


def test_holding__nothing_new_when_draining() -> None:
    pool = _pool()
    with pool.holding(1) as hold:
        pool.draining = True
        hold(1)  # what was begun is finished
    with pytest.raises(Problem, match="is being stopped") as stopping:
        pool.holding(1).__enter__()
    assert stopping.value.status == 503


def test_run__result_and_error() -> None:
    def fail() -> None:
        raise ValueError("as planned")

    async def check(pool: Pool) -> None:
        assert await pool.run(lambda: 7, gone=_future(), seconds=5) == 7
        with pytest.raises(ValueError, match="as planned"):
            await pool.run(fail, gone=_future(), seconds=5)

    asyncio.run(check(_pool()))


def _while_busy(check: Callable[[Pool, threading.Event, list[str]], object]) -> None:
    """Run a check while the only worker is busy until the event is set."""
    pool, release, begun = _pool(), threading.Event(), threading.Event()
    done: list[str] = []

    def block() -> None:
        begun.set()
        release.wait(10)

    async def main() -> None:
        blocking = asyncio.ensure_future(pool.run(block, gone=_future(), seconds=10))
        await asyncio.to_thread(begun.wait, 10)
        await check(pool, release, done)  # type: ignore[misc]
        release.set()
        await blocking
        await pool.run(lambda: done.append("next"), gone=_future(), seconds=5)

    asyncio.run(main())
    assert done == ["next"]
    assert pool.images == 0


def test_run__work_whose_client_has_gone_is_not_computed() -> None:
    async def check(pool: Pool, release: threading.Event, done: list[str]) -> None:
        gone = _future()
        waiting = asyncio.ensure_future(
            pool.run(lambda: done.append("for nobody"), gone=gone, seconds=5)
        )
        await asyncio.sleep(0)
        gone.set_result(None)
        with pytest.raises(ClientDisconnect):
            await waiting

    _while_busy(check)


def test_run__work_that_waits_too_long_is_not_computed() -> None:
    async def check(pool: Pool, release: threading.Event, done: list[str]) -> None:
        with pytest.raises(Problem, match=r"not ready after 0\.01 s") as late:
            await pool.run(lambda: done.append("too late"), gone=_future(), seconds=0.01)
        assert late.value.status == 503

    _while_busy(check)


def test_run__work_that_cannot_be_stopped_counts_until_it_is_done() -> None:
    pool, release = _pool(), threading.Event()

    async def main() -> None:
        with pytest.raises(Problem, match="not ready"):
            await pool.run(lambda: release.wait(10), gone=_future(), seconds=0.2)
        assert pool.images == 1
        release.set()

    asyncio.run(main())
    pool.close()
    assert pool.images == 0


def test_close__does_not_wait_for_what_a_stop_has_given_up() -> None:
    pool, release = _pool(), threading.Event()

    async def main() -> None:
        with pytest.raises(Problem, match="not ready"):
            await pool.run(lambda: release.wait(60), gone=_future(), seconds=0.1)

    asyncio.run(main())
    pool.draining = True
    pool.close()
    assert pool.images == 1
    release.set()
