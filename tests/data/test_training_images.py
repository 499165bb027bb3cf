"""What a model directory remembers of its training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from humanseg.data import draw_scene
from humanseg.data.signatures import Signature, image_bits, signature
from humanseg.data.training_images import (
    joined,
    read_training_images,
    seen_in_training,
    write_training_images,
)
from humanseg.model_directory import TRAINING_IMAGES_FILE
from humanseg.system.errors import ModelError


def scene(seed: int) -> Signature:
    rng = np.random.default_rng(seed)
    image = draw_scene(rng, (192, 256))[0].astype(np.float64)
    texture = rng.integers(0, 120, (12, 16, 1)).repeat(16, axis=0).repeat(16, axis=1)
    return signature(np.clip(image * 0.5 + texture, 0, 255).astype(np.uint8))


def turned(image: Signature) -> Signature:
    """The signature of the image turned by 180 degrees."""
    return Signature("00" * 32, image.thumbnail[::-1, ::-1])


def test_seen__some_of_the_training_images_and_changed_copies(tmp_path: Path) -> None:
    write_training_images(tmp_path, image_bits([scene(seed) for seed in range(12)]))
    images = {"new": scene(50), "own": scene(3), "copy": turned(scene(4)), "other": scene(51)}
    assert seen_in_training(tmp_path, images) == ("own", "copy")


def test_file__is_small_has_no_names_and_keeps_each_image_once(tmp_path: Path) -> None:
    images = image_bits([scene(seed) for seed in range(6)])
    write_training_images(tmp_path, joined(images, images))
    with np.load(tmp_path / TRAINING_IMAGES_FILE, allow_pickle=False) as stored:
        shapes = {name: (stored[name].shape, stored[name].dtype) for name in stored.files}
    assert shapes == {"digests": ((6, 8), np.uint8), "signs": ((6, 15), np.uint8)}


def test_flat_image__is_known_by_its_pixels_alone(tmp_path: Path) -> None:
    flat = [signature(np.full((20, 20, 3), level, dtype=np.uint8)) for level in (0, 99)]
    write_training_images(tmp_path, image_bits(flat[:1]))
    assert seen_in_training(tmp_path, {"black": flat[0], "grey": flat[1]}) == ("black",)


def test_directory_without_the_file__knows_none(tmp_path: Path) -> None:
    assert read_training_images(tmp_path) is None
    assert seen_in_training(tmp_path, {"a": scene(0)}) == ()


def test_damaged_file__is_refused(tmp_path: Path) -> None:
    (tmp_path / TRAINING_IMAGES_FILE).write_bytes(b"PK no archive")
    with pytest.raises(ModelError, match=r"training-images\.npz: is damaged"):
        read_training_images(tmp_path)
