from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from humanseg.data import Sample, fingerprint, read_facts
from humanseg.data.fingerprint import sample_digests
from humanseg.data.inspection import inspect, inspect_all
from humanseg.data.metadata import derive_facts, describe_data
from humanseg.system.errors import ImageError

Write = Callable[..., Path]


@pytest.fixture
def samples(write: Write, half: NDArray[np.bool_]) -> list[Sample]:
    return [
        Sample(name, write(f"{name}.png", seed=seed), write(f"{name}_mask.png", half))
        for seed, name in enumerate("abc")
    ]


def test_inspect__one_decoding_gives_all(samples: list[Sample], decoded: Counter[str]) -> None:
    inspection = inspect(samples[0], digests=True)
    assert set(decoded.values()) == {1}
    assert len(decoded) == 2
    assert inspection.image is not None
    assert inspection.mask is not None
    assert np.array_equal(inspection.image, samples[0].read_image())
    assert np.array_equal(inspection.mask, samples[0].read_mask())
    assert inspection.result.share == 0.5
    assert inspection.result.size == (12, 16)
    assert inspection.result.digests == sample_digests(samples[0])
    assert inspect(samples[0]).result.digests is None


def test_derive_facts__opens_nothing_and_says_the_same(
    samples: list[Sample], decoded: Counter[str]
) -> None:
    results = [inspect(sample, digests=True).result for sample in samples]
    decoded.clear()
    facts = derive_facts(samples, results)
    digests = {
        sample.id: result.digests
        for sample, result in zip(samples, results, strict=True)
        if result.digests is not None
    }
    record = describe_data(samples, facts, fingerprint(samples, digests=digests))
    assert not decoded
    assert record.fingerprint == fingerprint(samples)
    assert facts == read_facts(samples)


def test_inspect__unreadable_files_are_remarks_and_have_no_digest(
    samples: list[Sample], tmp_path: Path
) -> None:
    samples[1].image.write_bytes(b"no image")
    (tmp_path / "c_mask.png").unlink()
    indices: list[int] = []
    results = inspect_all(samples, keep=lambda index, image, mask: indices.append(index))
    assert indices == [0]
    assert [[remark.code for remark in result.remarks] for result in results] == [
        [], ["unreadable-image"], ["unreadable-mask"],
    ]  # fmt: skip
    assert inspect(samples[2], digests=True).result.digests is None
    with pytest.raises(ImageError, match=r"b\.png"):
        derive_facts(samples, results)


def test_inspect__outlines_without_area_are_remarked(write: Write) -> None:
    square, nothing = [[1, 1, 5, 1, 5, 5, 1, 5]], [[3, 3, 3, 3, 3, 3]]
    sample = Sample("a", write("a.png"), annotations=(square, nothing), size=(12, 16))
    (remark,) = inspect(sample).result.remarks
    assert (remark.code, remark.severity) == ("empty-outline", "warning")
    assert remark.message.startswith("1 outline of a person covers no pixel")
    both = Sample("a", write("a.png"), annotations=(nothing, nothing), size=(12, 16))
    codes = [remark.code for remark in inspect(both).result.remarks]
    assert codes == ["empty-outline", "empty-mask"]
