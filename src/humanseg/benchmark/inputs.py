"""The pictures that are timed: given ones, or generated ones of known sizes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from humanseg.batch.discovery import IMAGE_SUFFIXES
from humanseg.benchmark.speed_record import ImageFile
from humanseg.images import open_image
from humanseg.images.resize import Size
from humanseg.system.errors import UsageError

SIZES: tuple[Size, ...] = ((480, 640), (864, 1152), (1080, 1920), (3000, 4000))
"""(height, width): VGA, one megapixel, a frame of video, a phone's photograph of 12 megapixels."""

MOST = 20
"""More pictures would take hours; each is timed many times in every configuration."""

_QUALITY = 90
_OCTAVES = 9
_FADING = 0.6  # of each finer octave
_NOISE = 6.0  # of a sensor, in steps of brightness: files of photographs' size, 2 bits per pixel


def generate(folder: Path, sizes: Sequence[Size]) -> list[Path]:
    """Write one JPEG per size: clouds of every scale, as noisy as photographs, and a figure.

    What a decoder takes depends on how much there is in the file, hence the clouds. What the
    network takes does not depend on what the picture shows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for height, width in sizes:
        image = _clouds((height, width), np.random.default_rng(0))
        _add_figure(image)
        path = folder / f"{width}x{height}.jpg"
        image.save(path, quality=_QUALITY)
        paths.append(path)
    return paths


def _clouds(size: Size, rng: np.random.Generator) -> Image.Image:
    """Random fields of ever finer scale, added up with ever smaller weight."""
    height, width = size
    total = np.zeros((height, width, 3), dtype=np.float32)
    weight = 1.0
    for octave in range(_OCTAVES):
        side = 2 ** (octave + 2)
        cells = (min(side, height), min(side * width // height + 1, width))
        for channel in range(3):
            values = Image.fromarray(rng.normal(size=cells).astype(np.float32))
            field = values.resize((width, height), Image.Resampling.BICUBIC)
            total[:, :, channel] += weight * np.asarray(field)
        weight *= _FADING
    noise = rng.normal(scale=_NOISE, size=(height, width, 1)).astype(np.float32)
    pixels: NDArray[np.float32] = np.clip(128 + 55 * total + noise, 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def _add_figure(image: Image.Image) -> None:
    """A head on shoulders, so that there is a contour to bring to full size."""
    width, height = image.size
    draw = ImageDraw.Draw(image)
    middle, unit = width // 2, height // 10
    draw.ellipse((middle - 3 * unit, 5 * unit, middle + 3 * unit, 15 * unit), fill=(40, 60, 110))
    draw.ellipse((middle - unit, 2 * unit, middle + unit, 5 * unit), fill=(224, 178, 150))


def find(paths: Sequence[Path]) -> list[Path]:
    """Image files among paths; folders are searched with all that is in them, sorted."""
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: does not exist; give pictures or folders of pictures.")
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
        )
        if not inside:
            raise UsageError(f"{path}: holds no pictures ({', '.join(sorted(IMAGE_SUFFIXES))}).")
        files += inside
    return files


def describe(paths: Sequence[Path], *, generated: bool) -> tuple[ImageFile, ...]:
    """Name, size and bytes of pictures; each is opened, so that a bad one is found beforehand."""
    if len(paths) > MOST:
        raise UsageError(
            f"{len(paths)} pictures; at most {MOST} can be timed, since each is read many times in "
            "every configuration. Give fewer."
        )
    return tuple(
        ImageFile(
            name=name,
            height=image.height,
            width=image.width,
            bytes=path.stat().st_size,
            generated=generated,
        )
        for name, path, image in zip(names(paths), paths, map(open_image, paths), strict=True)
    )


def names(paths: Sequence[Path]) -> list[str]:
    """What to call pictures: their paths below the folder that holds them all."""
    if not paths:
        return []
    above = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    return [path.absolute().relative_to(above).as_posix() for path in paths]


def usual(pictures: Sequence[ImageFile]) -> int:
    """Index of the picture that is nearest to one megapixel: for the first mask and throughput."""
    distances = [abs(picture.height * picture.width - 1_000_000) for picture in pictures]
    return distances.index(min(distances))
