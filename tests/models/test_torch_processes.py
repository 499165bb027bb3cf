"""A segmenter on torch in other processes, and pickled."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.inference.segmenter import Segmenter

pytestmark = pytest.mark.contract

VERSION_1 = Path(__file__).parents[1] / "fixtures" / "model-v1"


def _grid(segmenter: Segmenter) -> NDArray[np.float32]:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return segmenter.predict(picture).grid


def test_pickled__opens_its_model_anew() -> None:
    segmenter = Segmenter(VERSION_1, backend="torch", threads=1)
    copy = pickle.loads(pickle.dumps(segmenter))
    assert copy.engine is not segmenter.engine
    assert (copy.engine.name, copy.engine.device) == ("torch", segmenter.engine.device)
    assert np.array_equal(_grid(copy), _grid(segmenter))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_process__predicts_the_same(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    segmenter = Segmenter(VERSION_1, backend="torch", threads=1)
    here = _grid(segmenter)
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        there = pool.submit(_grid, segmenter).result(timeout=120)
    assert np.array_equal(there, here)
