"""What all label formats are read into: outlines of people by picture."""

from __future__ import annotations

import base64
import binascii
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ValidationError

from humanseg.annotations.outlines import Segmentation
from humanseg.images.files import check_pixels
from humanseg.images.resize import Size
from humanseg.system.errors import DataError, ImageError

PERSON = ("person",)
"""Classes that are people if nothing else is said."""

_Model = TypeVar("_Model", bound=BaseModel)
_Shape = TypeVar("_Shape")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Missing:
    """A picture or mask that cannot be used because its partner is not there."""

    path: Path
    message: str
    """What is wrong, as a sentence without its full stop."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One picture of a file of labels."""

    names: tuple[str, ...]
    """Its file, as the labels name it; then other names, to be tried one after the other."""
    labels: Path
    """The file of labels that it is in."""
    size: Size | None
    """(height, width); None where coordinates are shares of the picture."""
    people: tuple[Segmentation, ...]
    """Outlines of every person."""
    ignored: Segmentation | None = None
    """Pixels that count neither in the loss nor in scores."""
    problem: str | None = None
    """Why it cannot be used, as half a sentence."""

    def scaled(self, size: Size) -> LabelledImage:
        """The same in pixels of the picture's file, whose size is (height, width)."""
        factors = np.array(size[::-1], dtype=np.float64)
        people = [
            [(np.reshape(ring, (-1, 2)) * factors).ravel().tolist() for ring in outline]
            for outline in self.people
        ]
        return replace(self, size=size, people=tuple(people))


@dataclass(frozen=True, slots=True)
class LabelSet:
    """What labels say."""

    images: tuple[LabelledImage, ...]
    folders: tuple[Path, ...]
    """Where pictures may lie, the likeliest first."""
    taken: str
    """Which classes were taken for people and which left out, as the end of a sentence."""
    missing: tuple[Missing, ...] = ()


class Classes:
    """Tells people from other classes, and counts both."""

    def __init__(self, wanted: Sequence[str]) -> None:
        """Take these names, in capitals or not, for people."""
        self._wanted = {name.strip().casefold(): name for name in wanted}
        self._counts: Counter[str] = Counter()

    def person(self, name: str) -> bool:
        """Whether an outline of this class is one of a person; counts it."""
        self._counts[name] += 1
        return self.is_person(name)

    def is_person(self, name: str) -> bool:
        """Whether a class is of people."""
        return name.strip().casefold() in self._wanted

    def taken(self, path: Path, declared: Iterable[str] | None = None) -> str:
        """What was taken for people, and what was left out.

        `path` is that of the labels; `declared` are the classes, where the format lists them.

        Raises:
            DataError: there are classes, and none is of people.
        """
        names = sorted({*self._counts, *(declared or ())})
        people = [name for name in names if self.is_person(name)]
        others = [name for name in names if name not in people]
        if not people and (others or declared is not None):
            wanted = " or ".join(repr(name) for name in self._wanted.values())
            raise DataError(
                f"{path}: no class is {wanted}; its classes are "
                f"{', '.join(others[:_SHOWN]) or 'none'}. Name those that are people with "
                "--classes."
            )
        counted = ", ".join(f"{name} ({self._counts[name]})" for name in people) or "nobody"
        drawn = [name for name in others if self._counts[name]]
        rest = ", ".join(f"{name} ({self._counts[name]})" for name in drawn[:_SHOWN])
        return f"people: {counted}{f'; left out: {rest}' if rest else ''}"


def read_text(path: Path) -> str:
    """A file of labels.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")  # some tools write a BOM
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text in UTF-8 ({error}).") from error


def read_json(path: Path) -> Any:  # noqa: ANN401  whatever it holds
    """What a JSON file holds.

    Raises:
        DataError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not JSON ({error}).") from error


def parsed(kind: type[_Model], value: object, path: Path, tool: str) -> _Model:
    """A part of the file of a tool, with the fields that are needed.

    Raises:
        DataError: a field is missing or of another type.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its content"
        raise DataError(
            f"{path}: is not a file of {tool} ({where}: {first['msg'].lower()})."
        ) from error


def png_mask(text: str, *, packed: bool = False) -> NDArray[np.bool_]:
    """A mask that a tool keeps as a PNG in base64, perhaps `packed` by zlib once more.

    bool (height, width): its opacity, or what is not black.

    Raises:
        ValueError: it is damaged, or too large.
    """
    try:
        content = base64.b64decode(text, validate=True)
        if packed:
            content = zlib.decompressobj().decompress(content, 1 << 28)
        image = Image.open(io.BytesIO(content), formats=("PNG",))
        check_pixels(image.size, "a mask")
        pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else "L"))
    except (binascii.Error, zlib.error, OSError, SyntaxError, ImageError) as error:
        raise ValueError(f"a mask is no PNG that can be read ({error})") from error
    return np.asarray((pixels if pixels.ndim == 2 else pixels[..., 3]) > 0)


def outlines_of(
    shapes: Iterable[_Shape], outline: Callable[[_Shape], Segmentation]
) -> tuple[tuple[Segmentation, ...], str | None]:
    """Outlines of people's shapes, and what is wrong with the last that has none (ValueError)."""
    people: list[Segmentation] = []
    problem = None
    for shape in shapes:
        try:
            people.append(outline(shape))
        except ValueError as error:
            problem = str(error)
    return tuple(people), problem
