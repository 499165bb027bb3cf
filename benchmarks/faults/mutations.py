"""Damage to a file's bytes, as disks, transfers and editors do it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def _flip_bits(rng: np.random.Generator, data: bytearray) -> None:
    for index in rng.integers(0, len(data), rng.integers(1, 9)):
        data[index] ^= 1 << int(rng.integers(8))


def _truncate(rng: np.random.Generator, data: bytearray) -> None:
    del data[int(rng.integers(0, len(data))) :]


def _double_chunk(rng: np.random.Generator, data: bytearray) -> None:
    start, stop = sorted(rng.integers(0, len(data), 2).tolist())
    index = int(rng.integers(0, len(data)))
    data[index:index] = data[start:stop]


def _cut_chunk(rng: np.random.Generator, data: bytearray) -> None:
    start = int(rng.integers(0, len(data)))
    del data[start : start + int(rng.integers(1, 40))]


def _edit_header(rng: np.random.Generator, data: bytearray) -> None:
    for index in rng.integers(0, min(len(data), 64), rng.integers(1, 4)):
        data[index] = int(rng.choice([0, 1, 2, 127, 128, 255]))


def _random_bytes(rng: np.random.Generator, data: bytearray) -> None:
    start = int(rng.integers(0, len(data)))
    noise = rng.bytes(int(rng.integers(1, 64)))
    data[start : start + len(noise)] = noise


def _large_number(rng: np.random.Generator, data: bytearray) -> None:
    start = int(rng.integers(0, max(1, min(len(data), 400) - 4)))
    length = int(rng.choice([2, 4]))
    value = int(rng.choice([0, 1, 255, 0x7FFF, 0xFFFF]))
    data[start : start + length] = value.to_bytes(length, "big" if rng.integers(2) else "little")


MUTATIONS = (
    _flip_bits,
    _truncate,
    _double_chunk,
    _cut_chunk,
    _edit_header,
    _random_bytes,
    _large_number,
)


def mutants(original: bytes, count: int, seed: object) -> Iterator[bytes]:
    """Copies of a file's content, each damaged otherwise; the second half is damaged twice.

    `seed` is anything with a name of its own: the same mutants for the same name.
    """
    rng = np.random.default_rng(list(str(seed).encode()))
    for number in range(count):
        data = bytearray(original)
        MUTATIONS[number % len(MUTATIONS)](rng, data)
        if number >= count // 2 and data:
            MUTATIONS[int(rng.integers(len(MUTATIONS)))](rng, data)
        yield bytes(data)
