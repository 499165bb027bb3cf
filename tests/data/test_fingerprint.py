from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from humanseg.data import Sample, fingerprint
from humanseg.data.fingerprint import sample_digests
from humanseg.system.errors import DataError

Write = Callable[..., Path]


@pytest.fixture
def samples(write: Write) -> list[Sample]:
    return [
        Sample(name, write(f"{name}.png", seed=seed), write(f"m{name}.png", seed=seed + 10))
        for seed, name in enumerate("abc")
    ]


def test_fingerprint__same_for_same_content(samples: list[Sample], tmp_path: Path) -> None:
    first = fingerprint(samples)
    assert len(first) == 64
    assert fingerprint(samples[::-1]) == first
    moved = tmp_path / "elsewhere.x"
    samples[0].image.rename(moved)
    assert fingerprint([Sample("a", moved, samples[0].mask), *samples[1:]]) == first


def test_fingerprint__changes_with_any_byte_name_or_picture(samples: list[Sample]) -> None:
    seen = {fingerprint(samples), fingerprint(samples[:2])}
    a, b, c = samples
    seen.add(fingerprint([Sample("d", a.image, a.mask), b, c]))
    seen.add(fingerprint([Sample("a", b.image, a.mask), Sample("b", a.image, b.mask), c]))
    assert a.mask is not None
    seen.add(fingerprint([Sample("a", a.mask, a.image), b, c]))
    a.mask.write_bytes(a.mask.read_bytes() + b"\0")
    seen.add(fingerprint(samples))
    a.image.write_bytes(a.image.read_bytes() + b"\0")
    seen.add(fingerprint(samples))
    assert len(seen) == 7


def test_fingerprint__covers_annotations(samples: list[Sample]) -> None:
    image = samples[0].image
    square = [[1.0, 1.0, 5.0, 1.0, 5.0, 5.0]]
    variants = [
        Sample("a", image, size=(10, 10)),
        Sample("a", image, size=(10, 20)),
        Sample("a", image, annotations=(square,), size=(10, 10)),
        Sample("a", image, annotations=(square, square), size=(10, 10)),
        Sample("a", image, annotations=({"size": [10, 10], "counts": [100]},), size=(10, 10)),
    ]
    assert len({fingerprint([sample]) for sample in variants}) == len(variants)


def test_fingerprint__missing_file(samples: list[Sample]) -> None:
    samples[1].image.unlink()
    with pytest.raises(DataError, match=r"b\.png: cannot be read \(No such file"):
        fingerprint(samples)


def test_fingerprint__takes_digests_that_are_known(samples: list[Sample]) -> None:
    whole = fingerprint(samples)
    digests = {sample.id: sample_digests(sample) for sample in samples[1:]}
    for sample in samples[1:]:
        sample.image.unlink()
    assert fingerprint(samples, digests=digests) == whole
    assert fingerprint(samples, digests=digests | {"b": ("0", "0")}) != whole
