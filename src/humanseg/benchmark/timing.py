"""From repeated times to the figures that are reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from humanseg.benchmark.speed_record import Timing

_DIGITS = 7  # a tenth of a microsecond; clocks are no finer


def time_calls(call: Callable[[], object], *, calls: int, warm_up: int) -> tuple[float, ...]:
    """Seconds of each of `calls` calls, after `warm_up` that are not timed."""
    for _ in range(warm_up):
        call()
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return tuple(seconds)


def summarise_times(rounds: Sequence[Sequence[float]]) -> Timing:
    """Median, 95th percentile, quartiles and drift of seconds by round, each of at least one."""
    rounded = tuple(tuple(round(value, _DIGITS) for value in times) for times in rounds)
    every = np.concatenate(rounded)
    lower, median, upper, p95 = (
        round(float(value), _DIGITS) for value in np.percentile(every, (25, 50, 75, 95))
    )
    return Timing(
        rounds=rounded,
        count=len(every),
        median=median,
        p95=p95,
        lower_quartile=lower,
        upper_quartile=upper,
        minimum=float(every.min()),
        maximum=float(every.max()),
        drift=_drift(rounded, median),
    )


def _drift(rounds: Sequence[Sequence[float]], median: float) -> float | None:
    """Spread of the rounds' medians: what a slow or busy minute did to one of them."""
    if len(rounds) < 2 or median <= 0:
        return None
    medians = [float(np.median(times)) for times in rounds]
    return round((max(medians) - min(medians)) / median, 4)
