"""What happens to an image on its way to a copy: cropped, saved again, framed, with noise."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

Change = Callable[[Image.Image], Image.Image]


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """Without these shares of its width and height at each side."""

    def crop(image: Image.Image) -> Image.Image:
        width, height = image.size
        start = round(left * width), round(top * height)
        return image.crop((*start, round((1 - right) * width), round((1 - bottom) * height)))

    return crop


def saved(quality: int) -> Change:
    """Saved as JPEG."""

    def save(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return save


def letterboxed(image: Image.Image) -> Image.Image:
    """In the middle of a black square."""
    side = max(image.size)
    square = Image.new("RGB", (side, side))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def noisy(deviation: float) -> Change:
    """With noise of so many grey levels."""

    def add(image: Image.Image) -> Image.Image:
        noise = np.random.default_rng(0).normal(0, deviation, (image.height, image.width, 3))
        return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))

    return add
