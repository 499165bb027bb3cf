from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from humanseg.benchmark.speed_record import Timing
from humanseg.benchmark.timing import summarise_times, time_calls


def test_time_calls__times_each_call_alone(
    fake_clock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = fake_clock(0.5, 10.0, 0.25, 10.0, 0.125)  # call, pause, call, pause, call
    monkeypatch.setattr("humanseg.benchmark.timing.time", SimpleNamespace(perf_counter=clock))
    assert time_calls(lambda: None, calls=3, warm_up=0) == (0.5, 0.25, 0.125)


def test_time_calls__does_not_time_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    ticks = map(float, range(100))
    monkeypatch.setattr(
        "humanseg.benchmark.timing.time", SimpleNamespace(perf_counter=ticks.__next__)
    )
    seconds = time_calls(lambda: called.append(1), calls=4, warm_up=3)
    assert len(called) == 7
    assert seconds == (1.0, 1.0, 1.0, 1.0)


def test_summarise_times__has_known_order_statistics() -> None:
    timing = summarise_times([[1.0, 2.0, 3.0], [4.0, 5.0]])
    assert timing.count == 5
    assert (timing.minimum, timing.median, timing.maximum) == (1.0, 3.0, 5.0)
    assert (timing.lower_quartile, timing.upper_quartile) == (2.0, 4.0)
    assert timing.p95 == pytest.approx(4.8)  # between the 4th and 5th of 5: position 3.8
    assert timing.rounds == ((1.0, 2.0, 3.0), (4.0, 5.0))


def test_summarise_times__agrees_with_numpy() -> None:
    seconds = np.random.default_rng(0).gamma(2.0, 0.01, size=(5, 20))
    timing = summarise_times(seconds.tolist())
    assert timing.median == pytest.approx(np.median(seconds), abs=1e-7)
    assert timing.p95 == pytest.approx(np.percentile(seconds, 95), abs=1e-7)


def test_summarise_times__drift_is_the_spread_of_the_rounds_medians() -> None:
    timing = summarise_times([[1.0, 1.0, 9.0], [1.1, 1.1, 1.1], [1.3, 1.3, 0.1]])
    assert timing.median == 1.1
    assert timing.drift == pytest.approx(0.3 / 1.1, abs=1e-4)


def test_summarise_times__one_round_has_no_drift() -> None:
    assert summarise_times([[1.0, 2.0]]).drift is None


def test_timing__comes_back_from_json() -> None:
    timing = summarise_times([[0.1, 0.2], [0.3]])
    assert Timing.model_validate_json(timing.model_dump_json()) == timing
