from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.data import draw_scene
from humanseg.data.duplicates import find_duplicates, group_ids, signature
from humanseg.errors import ImageError
from humanseg.images import read_image

Write = Callable[..., Path]


def scene(seed: int) -> NDArray[np.uint8]:
    return draw_scene(np.random.default_rng(seed), (96, 128))[0]


def groups(pictures: dict[str, Path]) -> dict[str, str]:
    found = find_duplicates([signature(read_image(path)) for path in pictures.values()])
    return group_ids(list(pictures), [(pair.first, pair.second) for pair in found])


def test_groups__copies_resized_recompressed_and_mirrored(tmp_path: Path, write: Write) -> None:
    image = scene(0)
    pictures = {"b": write("b.png", image), "copy": write("copy.bmp", image)}
    pictures["other"] = write("other.png", scene(1))
    pictures["small"] = tmp_path / "small.jpg"
    Image.fromarray(image).resize((90, 70)).save(pictures["small"], quality=60)
    pictures["mirror"] = tmp_path / "mirror.jpg"
    Image.fromarray(image[:, ::-1]).save(pictures["mirror"], quality=80)
    found = groups(pictures)
    assert found == {name: "other" if name == "other" else "b" for name in pictures}
    assert list(found) == list(pictures)


def test_groups__chains_join_and_take_the_first_name(write: Write) -> None:
    image = scene(0)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    found = groups({"z": write("z.png", mirrored), "y": write("y.png", image),
                    "x": write("x.png", mirrored)})  # fmt: skip
    assert set(found.values()) == {"x"}


def test_groups__different_pictures_stay_apart(write: Write) -> None:
    pictures = {f"s{seed}": write(f"s{seed}.png", scene(seed)) for seed in range(12)}
    for level in range(0, 256, 40):  # flat pictures have one perceptual hash and are not alike
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
    found = find_duplicates([signature(image) for image in pictures])
    assert [(pair.first, pair.second, pair.kind) for pair in found] == [
        (3, 599, "exact"), (20, 510, "near"), (280, 300, "mirrored"),
    ]  # fmt: skip
