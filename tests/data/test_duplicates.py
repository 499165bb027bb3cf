from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.data import draw_scene
from humanseg.data.duplicates import (
    MAX_HASH_DISTANCE,
    Signature,
    find_duplicates,
    group_ids,
    signature,
)
from humanseg.errors import ImageError
from humanseg.images import read_image

Write = Callable[..., Path]


def scene(seed: int) -> NDArray[np.uint8]:
    return draw_scene(np.random.default_rng(seed), (96, 128))[0]


def groups(pictures: dict[str, Path]) -> dict[str, str]:
    duplicates = find_duplicates([signature(read_image(path)) for path in pictures.values()])
    return group_ids(list(pictures), [(pair.first, pair.second) for pair in duplicates])


def test_groups__copies_resized_recompressed_and_mirrored(tmp_path: Path, write: Write) -> None:
    image = scene(0)
    pictures = {"b": write("b.png", image), "copy": write("copy.bmp", image)}
    pictures["other"] = write("other.png", scene(1))
    pictures["small"] = tmp_path / "small.jpg"
    Image.fromarray(image).resize((90, 70)).save(pictures["small"], quality=60)
    pictures["mirror"] = tmp_path / "mirror.jpg"
    Image.fromarray(image[:, ::-1]).save(pictures["mirror"], quality=80)
    duplicates = groups(pictures)
    assert duplicates == {name: "other" if name == "other" else "b" for name in pictures}
    assert list(duplicates) == list(pictures)


def test_groups__chains_join_and_take_the_first_name(write: Write) -> None:
    image = scene(0)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    duplicates = groups({"z": write("z.png", mirrored), "y": write("y.png", image),
                    "x": write("x.png", mirrored)})  # fmt: skip
    assert set(duplicates.values()) == {"x"}


def test_groups__different_pictures_stay_apart(write: Write) -> None:
    pictures = {f"s{seed}": write(f"s{seed}.png", scene(seed)) for seed in range(12)}
    for level in range(0, 256, 40):  # flat pictures have index perceptual hash and are not alike
        flat = np.full((20, 20, 3), level, dtype=np.uint8)
        pictures[f"flat{level}"] = write(f"flat{level}.png", flat)
    assert groups(pictures) == {name: name for name in pictures}


def test_groups__none(write: Write) -> None:
    assert groups({}) == {}


def test_groups__unreadable(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        groups({"a": tmp_path / "a.png"})


def test_find_duplicates__says_how_and_crosses_its_blocks() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 8, 3)).astype(np.uint8) for _ in range(600)]
    pictures = [image.repeat(8, axis=0).repeat(8, axis=1) for image in pictures]
    pictures[599] = pictures[3]
    pictures[300] = np.ascontiguousarray(pictures[280][:, ::-1])
    near = pictures[20].copy()
    near[0, 0] ^= 1
    pictures[510] = near
    duplicates = find_duplicates([signature(image) for image in pictures])
    assert [(pair.first, pair.second, pair.kind) for pair in duplicates] == [
        (3, 599, "exact"), (20, 510, "near"), (280, 300, "mirrored"),
    ]  # fmt: skip


def test_find_duplicates__misses_no_pair_that_comparing_all_finds() -> None:
    rng = np.random.default_rng(1)
    thumbnail = np.zeros((32, 32, 3), dtype=np.uint8)
    hashes = rng.integers(0, 1 << 64, 40, dtype=np.uint64)
    signatures = []
    for position in range(400):
        pair = [int(hashes[number]) for number in rng.integers(0, len(hashes), 2)]
        for side in (0, 1):
            for bit in rng.choice(64, rng.integers(0, 7), replace=False).tolist():
                pair[side] ^= 1 << bit
        signatures.append(Signature(str(position), pair[0], pair[1], thumbnail))
    expected = []
    for first, index in enumerate(signatures):
        for second, other in enumerate(signatures[first + 1 :], start=first + 1):
            if (index.hash ^ other.hash).bit_count() <= MAX_HASH_DISTANCE:
                expected.append((first, second, "near"))
            elif (index.hash ^ other.mirrored).bit_count() <= MAX_HASH_DISTANCE:
                expected.append((first, second, "mirrored"))
    duplicates = [(pair.first, pair.second, pair.kind) for pair in find_duplicates(signatures)]
    assert duplicates == expected
    assert len({kind for _, _, kind in expected}) == 2


@pytest.mark.parametrize("backwards", [False, True])
def test_group_ids__long_chains_take_no_time(backwards: bool) -> None:
    count = 20_000  # comparing each with each would take minutes
    pairs = [(index, index + 1) for index in range(count - 1)]
    duplicates = group_ids(
        [f"{index:05d}" for index in range(count)], pairs[::-1] if backwards else pairs
    )
    assert set(duplicates.values()) == {"00000"}
