"""Measure one configuration in a fresh process: JSON request on stdin, JSON answer on stdout.

Run as a file, so that nothing of humanseg is imported before its import is timed. The request is a
`ProbeRequest` of `humanseg.benchmark.fresh`, the answer its `ProbeAnswer`, or
{"unavailable": REASON} where this machine, installation or model has no such thing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from humanseg.inference.segmenter import Segmenter


def _main() -> None:
    answers = _claim_stdout()
    request = json.load(sys.stdin)
    start = time.perf_counter()
    from humanseg.inference.segmenter import Segmenter
    from humanseg.system.errors import ModelError, UsageError

    imported = time.perf_counter() - start
    try:
        start = time.perf_counter()
        segmenter = Segmenter(request["model"], **request["way"])
        loaded = time.perf_counter() - start
    except (UsageError, ModelError) as error:
        answer: dict[str, Any] = {"unavailable": str(error)}
    else:
        if request["workers"]:
            answer = _throughput(segmenter, request)
        else:
            answer = {"imported": imported, "loaded": loaded} | _latency(segmenter, request)
        from humanseg.system.memory import peak_memory

        answer |= {
            "opened": segmenter.engine.way,
            "image_size": segmenter.image_size,
            "flip_averaging": segmenter.flip_averaging,
            "memory": peak_memory(),
        }
    json.dump(answer, answers)
    answers.flush()


def _claim_stdout() -> IO[str]:
    """The real standard output; whatever libraries print goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _latency(segmenter: Segmenter, request: dict[str, Any]) -> dict[str, Any]:
    pictures: list[str] = request["pictures"]
    start = time.perf_counter()
    segmenter.mask(pictures[request["usual"]])
    first = time.perf_counter() - start
    total = time.monotonic() - request["started"]  # this clock is the same in all processes

    import numpy as np

    from humanseg.benchmark.timing import time_calls

    calls, warm_up = request["calls"], request["warm_up"]
    height, width = segmenter.image_size
    grid = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    engine = segmenter.engine
    return {
        "first": first,
        "total": total,
        "network": time_calls(lambda: engine(grid), calls=calls, warm_up=warm_up),
        "pictures": [
            time_calls(lambda path=path: segmenter.mask(path), calls=calls, warm_up=1)  # type: ignore[misc]
            for path in pictures
        ],
    }


def _throughput(segmenter: Segmenter, request: dict[str, Any]) -> dict[str, Any]:
    from concurrent.futures import ThreadPoolExecutor

    path: str = request["pictures"][request["usual"]]
    count = request["calls"] * request["workers"]
    with ThreadPoolExecutor(request["workers"]) as pool:
        for _ in pool.map(segmenter.mask, [path] * (request["warm_up"] * request["workers"])):
            pass
        start = time.perf_counter()
        for _ in pool.map(segmenter.mask, [path] * count):
            pass
        return {"rate": count / (time.perf_counter() - start)}


if __name__ == "__main__":
    _main()
