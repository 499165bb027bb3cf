"""One composed scene: a background, people at chosen sizes, objects behind and before them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from humanseg.data.composition.material import Cutout, Material, crop_background

Kind = Literal["nobody", "small", "several", "large"]

KINDS: dict[Kind, float] = {"nobody": 0.3, "small": 0.2, "several": 0.25, "large": 0.25}
"""Share of scenes by kind: nobody; one to three people far away; two to six at mixed distances;
one or two close by, often cut by the border."""

_LONGEST = (384, 576)  # pixels, of a scene
_ASPECTS = (0.67, 0.75, 1.0, 1.33, 1.5, 1.78)  # width to height, as cameras have them


def compose_scene(
    rng: np.random.Generator, kind: Kind, material: Material
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Compose a scene.

    Returns:
        Image, uint8 (H, W, 3) RGB, and mask, bool (H, W): True where a person is seen.
    """
    longest = int(rng.integers(*_LONGEST))
    aspect = float(rng.choice(_ASPECTS))
    size = (longest, round(longest * aspect)) if aspect < 1 else (round(longest / aspect), longest)
    image = crop_background(rng, material.background(rng), size).astype(np.float32)
    mask = np.zeros(size, dtype=np.bool_)
    for cutout, height, is_person in _cast(rng, kind, material):
        _lay(rng, image, mask, cutout, height, is_person=is_person)
    return _finish(rng, image), mask


def _cast(
    rng: np.random.Generator, kind: Kind, material: Material
) -> list[tuple[Cutout, float, bool]]:
    """Who and what is laid, from far to near: cut-out, height as a share of the scene's, person."""
    heights: NDArray[np.float64] = np.empty(0)
    if kind == "small":
        heights = rng.uniform(0.08, 0.35, rng.integers(1, 4))
    elif kind == "several":
        heights = rng.uniform(0.35, 0.8) * rng.uniform(0.5, 1.2, rng.integers(2, 7))
    elif kind == "large":
        heights = rng.uniform(0.6, 1.3, rng.integers(1, 3))
    cast = [(material.person(rng), height, True) for height in heights.tolist()]
    if material.object is not None:
        count = rng.integers(0, 5 if kind == "nobody" else 3)
        things = rng.uniform(0.1, 0.7, count).tolist()
        cast += [(material.object(rng), height, False) for height in things]
    # What is far is small and lies behind; a little disorder, or nothing would ever be hidden.
    return sorted(cast, key=lambda member: member[1] * rng.uniform(0.6, 1.6))


def _lay(
    rng: np.random.Generator,
    image: NDArray[np.float32],
    mask: NDArray[np.bool_],
    cutout: Cutout,
    share: float,
    *,
    is_person: bool,
) -> None:
    """Lay a cut-out on the scene, in place."""
    layer = _scaled(rng, cutout, share * mask.shape[0])
    height, width = layer.shape[:2]
    bottom = rng.uniform(0.55, 1.0) * mask.shape[0] if cutout.standing else mask.shape[0]
    if share < 0.6:  # far people end anywhere: on a wall, behind a hedge
        bottom = rng.uniform(max(0.35, share), 1.0) * mask.shape[0]
    top = round(bottom - height)
    if share > 0.9:
        top = max(top, round(rng.uniform(0.0, 0.3) * mask.shape[0]))  # heads stay in sight
    ends = (-0.3 * width, mask.shape[1] - 0.7 * width)
    left = round(rng.uniform(min(ends), max(ends)))  # what is wider than the scene fills it
    rows = slice(max(0, top), max(0, min(mask.shape[0], top + height)))
    columns = slice(max(0, left), max(0, min(mask.shape[1], left + width)))
    part = layer[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    if part.size == 0:
        return
    alpha = part[..., 3:] / 255.0
    background = image[rows, columns]
    colours = _matched(rng, part[..., :3], background)
    image[rows, columns] = colours * alpha + background * (1.0 - alpha)
    covered = alpha[..., 0] >= 0.5
    mask[rows, columns] = np.where(covered, is_person, mask[rows, columns])


def _scaled(rng: np.random.Generator, cutout: Cutout, height: float) -> NDArray[np.float32]:
    """The cut-out at a height in pixels, perhaps mirrored: float32 (h, w, 4), 0 to 255."""
    tall, wide = cutout.image.shape[:2]
    rows = max(2, round(min(height, 1.5 * tall)))  # enlarging much would give the layer away
    size = (max(2, round(wide * rows / tall)), rows)
    # Pillow scales RGBA with premultiplied alpha, so no colour of the old background comes in.
    layer = np.asarray(Image.fromarray(cutout.image).resize(size, Image.Resampling.BILINEAR))
    return (layer[:, ::-1] if rng.random() < 0.5 else layer).astype(np.float32)


def _matched(
    rng: np.random.Generator, colours: NDArray[np.float32], background: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Colours under a light that resembles the background's, in part."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.94, 1.06, 3)
    shift = rng.uniform(0.0, 0.5) * (background.mean() - colours.mean()) * 0.5
    return np.asarray(np.clip(colours * gain + shift, 0.0, 255.0), dtype=np.float32)


def _finish(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A common blur or noise over everything, so that edges do not tell what was laid."""
    pixels = Image.fromarray(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        pixels = pixels.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.9))))
    finished = np.asarray(pixels)
    if rng.random() < 0.3:
        noise = rng.normal(0.0, rng.uniform(1.0, 6.0), finished.shape)
        finished = np.clip(np.rint(finished + noise), 0, 255).astype(np.uint8)
    return finished
