"""A network that cannot follow a camera gives way to a faster one."""

from __future__ import annotations

from tests.builders.video_runs import Stub

from humanseg.video.pace import Pace


def test_pace__exchanges_a_network_that_works_all_the_time_once() -> None:
    faster = Stub()
    pace = Pace(lambda: faster)
    assert [pace.after(0.1, 0.105) for _ in range(30)] == [None] * 30
    assert pace.after(0.1, 0.105) is faster
    assert pace.note == (
        "the network took 100 ms a frame, too long for this camera: a faster one took over"
    )
    assert [pace.after(0.1, 0.1) for _ in range(90)] == [None] * 90


def test_pace__leaves_a_network_that_waits_for_frames() -> None:
    pace = Pace(Stub)
    assert [pace.after(0.029, 1 / 30) for _ in range(300)] == [None] * 300  # 87 % of the time
    assert pace.note is None


def test_pace__looks_again_where_a_machine_gets_slower() -> None:
    pace = Pace(Stub)
    calm = [pace.after(0.01, 0.04) for _ in range(61)]
    slow = [pace.after(0.04, 0.04) for _ in range(30)]
    assert calm == [None] * 61
    assert slow[:-1] == [None] * 29
    assert isinstance(slow[-1], Stub)
