from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from benchmarks.image_changes import Change, cropped, letterboxed, noisy, saved
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from humanseg.data import draw_scene
from humanseg.data.duplicates import (
    MIN_AGREEMENT,
    CopyIndex,
    find_duplicates,
    find_shared,
    group_ids,
)
from humanseg.data.signatures import (
    BITS,
    ORIENTATIONS,
    Signature,
    image_bits,
    oriented,
    signature,
    window_frequencies,
)
from humanseg.data.training_images import seen_in_training
from humanseg.images import read_image
from humanseg.model_directory import bundled
from humanseg.system.errors import ImageError

Write = Callable[..., Path]
TURN = Image.Transpose


@cache
def scene(seed: int) -> NDArray[np.uint8]:
    """A drawn scene behind clouds of several sizes."""
    rng = np.random.default_rng(seed)
    image = draw_scene(rng, (192, 256))[0].astype(np.float64)
    for cells in (4, 8, 16, 32):
        clouds = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
        grown = np.asarray(clouds.resize((256, 192), Image.Resampling.BICUBIC), dtype=np.float64)
        image += (grown[..., None] - 128) * 0.4
    scene = np.clip(image * 0.7 + 20, 0, 255).astype(np.uint8)
    scene.flags.writeable = False
    return scene


@cache
def signed(seed: int) -> Signature:
    return signature(scene(seed))


CHANGES: dict[str, tuple[Change, str]] = {
    "saved at 95": (saved(95), "near"),
    "saved at 20": (saved(20), "near"),
    "half": (lambda image: image.resize((image.width // 2, image.height // 2)), "near"),
    "squeezed": (lambda image: image.resize((160, 160)), "near"),
    "mirrored": (lambda image: image.transpose(TURN.FLIP_LEFT_RIGHT), "mirrored"),
    "upside down": (lambda image: image.transpose(TURN.FLIP_TOP_BOTTOM), "turned"),
    "turned by 90": (lambda image: image.transpose(TURN.ROTATE_90), "turned"),
    "turned by 180": (lambda image: image.transpose(TURN.ROTATE_180), "turned"),
    "turned by 270": (lambda image: image.transpose(TURN.ROTATE_270), "turned"),
    "cropped by 3 %": (cropped(0.03, 0.03, 0.03, 0.03), "near"),
    "cropped by 5 %": (cropped(0.05, 0.05, 0.05, 0.05), "near"),
    "cropped by 10 %": (cropped(0.1, 0.1, 0.1, 0.1), "near"),
    "cropped by 15 %": (cropped(0.15, 0.15, 0.15, 0.15), "near"),
    "15 % off the left": (cropped(0.15, 0, 0, 0), "near"),
    "15 % off the top": (cropped(0, 0.15, 0, 0), "near"),
    "15 % off the right": (cropped(0, 0, 0.15, 0), "near"),
    "10 % off the bottom": (cropped(0, 0, 0, 0.1), "near"),
    "cropped unevenly": (cropped(0.02, 0.11, 0.07, 0.04), "near"),
    "brighter": (lambda image: ImageEnhance.Brightness(image).enhance(1.5), "near"),
    "darker": (lambda image: ImageEnhance.Brightness(image).enhance(0.6), "near"),
    "more contrast": (lambda image: ImageEnhance.Contrast(image).enhance(1.4), "near"),
    "paler": (lambda image: ImageEnhance.Color(image).enhance(0.4), "near"),
    "grey": (lambda image: image.convert("L").convert("RGB"), "near"),
    "letterboxed": (letterboxed, "near"),
    "noisy": (noisy(15), "near"),
    "mirrored, cropped": (
        lambda image: cropped(0.05, 0.05, 0.05, 0.05)(image.transpose(TURN.FLIP_LEFT_RIGHT)),
        "mirrored",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_find_shared__every_changed_copy_and_no_stranger(change: str) -> None:
    alter, kind = CHANGES[change]
    copies = [np.asarray(alter(Image.fromarray(scene(seed)))) for seed in range(6)]
    shared = find_shared(
        [signed(seed) for seed in range(12)],
        [*map(signature, copies), *(signed(seed) for seed in range(50, 56))],
    )
    assert [(pair.first, pair.second, pair.kind) for pair in shared] == [
        (position, position, kind) for position in range(6)
    ]


def test_find_duplicates__says_how() -> None:
    images = [scene(seed) for seed in range(20)]
    images.append(images[3])
    images.append(np.ascontiguousarray(images[5][:, ::-1]))
    images.append(np.ascontiguousarray(images[7][::-1]))
    images.append(images[9].copy())
    images[-1][0, 0] ^= 1
    duplicates = find_duplicates([signature(image) for image in images])
    assert [(pair.first, pair.second, pair.kind) for pair in duplicates] == [
        (3, 20, "exact"), (5, 21, "mirrored"), (7, 22, "turned"), (9, 23, "near"),
    ]  # fmt: skip


def test_flat_images__are_alike_only_if_their_pixels_are() -> None:
    flat = [np.full((20, 20, 3), level, dtype=np.uint8) for level in (0, 40, 40, 255)]
    duplicates = find_duplicates([signature(image) for image in flat])
    assert [(pair.first, pair.second, pair.kind) for pair in duplicates] == [(1, 2, "exact")]


def test_plain_images__are_copies_only_as_a_whole() -> None:
    def disk(x: int) -> NDArray[np.uint8]:
        down, across = np.mgrid[:128, :128]
        return np.where((across - x) ** 2 + (down - 60) ** 2 < 900, 220, 40).astype(np.uint8)

    images = [np.repeat(disk(x)[..., None], 3, 2) for x in (40, 54, 100)]
    images.append(images[0].copy())
    images[-1][5, 5] ^= 1
    images.append(images[1][:, ::-1].copy())
    images[-1][0, 0] ^= 1
    duplicates = find_duplicates([signature(image) for image in images])
    assert [(pair.first, pair.second, pair.kind) for pair in duplicates] == [
        (0, 3, "near"), (1, 4, "mirrored"),
    ]  # fmt: skip


def test_copy_index__finds_a_copy_among_bits_alone() -> None:
    index = CopyIndex(image_bits([signature(scene(seed)) for seed in range(8)]))
    crop = cropped(0.1, 0.1, 0.1, 0.1)(Image.fromarray(scene(5)))
    assert index.copies(signature(np.asarray(crop))) == {5: "near"}
    assert index.copies(signature(scene(5))) == {5: "exact"}
    assert index.copies(signature(scene(60))) == {}


@pytest.mark.parametrize(("differing", "copies"), [(20, {0: "near"}), (36, {})])
def test_copy_index__faint_frequencies_count_too(differing: int, copies: dict[int, str]) -> None:
    # Where few frequencies are strong, they agree by chance with some of thousands of photographs.
    soft = Image.fromarray(signature(scene(6)).thumbnail).filter(ImageFilter.GaussianBlur(1.5))
    image = Signature("00" * 32, np.asarray(soft))
    bits = image_bits([replace(image, exact="11" * 32)])
    windows = window_frequencies(image)
    middle = windows[((windows > 0) == bits.signs).sum(axis=1).argmax()]
    faintest = np.abs(middle).argsort()[:differing]
    assert np.abs(middle[faintest]).sum() < 1 - MIN_AGREEMENT
    bits.signs[0, faintest] ^= True
    assert CopyIndex(bits).copies(image) == copies


def test_drawn_image__is_no_copy_of_a_photograph() -> None:
    # Two photographs agree with it for 97.9 and 97.7 % of the frequencies' magnitude.
    drawn = draw_scene(np.random.default_rng([2000, 70]), (240, 320))[0]
    assert seen_in_training(bundled(), {"drawn": signature(drawn)}) == ()


def test_copy_index__of_nothing() -> None:
    assert CopyIndex(image_bits([])).copies(signature(scene(0))) == {}
    assert find_duplicates([]) == []
    assert find_shared([], [signature(scene(0))]) == []


@pytest.mark.parametrize(
    ("number", "turn"),
    [
        (0, None), (1, TURN.FLIP_TOP_BOTTOM), (2, TURN.FLIP_LEFT_RIGHT), (3, TURN.ROTATE_180),
        (4, TURN.TRANSPOSE), (7, TURN.TRANSVERSE),
    ],
)  # fmt: skip
def test_oriented__as_if_the_image_had_been_turned(number: int, turn: TURN | None) -> None:
    thumbnail = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    turned = thumbnail if turn is None else np.asarray(Image.fromarray(thumbnail).transpose(turn))
    before, after = (image_bits([Signature("00" * 32, each)]).signs for each in (thumbnail, turned))
    np.testing.assert_array_equal(oriented(before)[0, number], after[0])
    assert (len(ORIENTATIONS), BITS) == (8, 119)


def test_oriented__quarter_turns() -> None:
    thumbnail = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    signs = image_bits([Signature("00" * 32, thumbnail)]).signs
    for name, turn in (("turned by 90", TURN.ROTATE_90), ("turned by 270", TURN.ROTATE_270)):
        turned = np.asarray(Image.fromarray(thumbnail).transpose(turn))
        expected = image_bits([Signature("00" * 32, turned)]).signs[0]
        np.testing.assert_array_equal(oriented(signs)[0, ORIENTATIONS.index(name)], expected)


def test_signature__leaves_out_a_frame_and_squeezes() -> None:
    inner = np.random.default_rng(0).integers(60, 220, (8, 8, 1), dtype=np.uint8)
    inner = inner.repeat(8, axis=0).repeat(20, axis=1).repeat(3, axis=2)
    image = np.full((128, 200, 3), 7, dtype=np.uint8)
    image[32:96, 20:180] = inner
    thumbnail = signature(image).thumbnail
    assert thumbnail.shape == (32, 32)
    assert np.abs(thumbnail.astype(int) - signature(inner).thumbnail).mean() < 6
    assert thumbnail.min() > 45  # nothing of the frame


def groups(images: dict[str, Path]) -> dict[str, str]:
    duplicates = find_duplicates([signature(read_image(path)) for path in images.values()])
    return group_ids(list(images), [(pair.first, pair.second) for pair in duplicates])


def test_groups__copies_join_and_take_the_first_name(tmp_path: Path, write: Write) -> None:
    image = scene(0)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    images = {"z": write("z.png", mirrored), "y": write("y.png", image)}
    images["other"] = write("other.png", scene(1))
    images["x"] = tmp_path / "x.jpg"
    Image.fromarray(mirrored).resize((100, 90)).save(images["x"], quality=60)
    assert groups(images) == {"z": "x", "y": "x", "other": "other", "x": "x"}


def test_groups__unreadable(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        groups({"a": tmp_path / "a.png"})


@pytest.mark.parametrize("backwards", [False, True])
def test_group_ids__long_chains_take_no_time(backwards: bool) -> None:
    count = 20_000  # comparing each with each would take minutes
    pairs = [(index, index + 1) for index in range(count - 1)]
    duplicates = group_ids(
        [f"{index:05d}" for index in range(count)], pairs[::-1] if backwards else pairs
    )
    assert set(duplicates.values()) == {"00000"}
