"""Look into an ONNX file before an engine gets it: what goes in, what comes out, what it refers to.

Engines read the files that an ONNX file names, relative to the working directory if it was loaded
from bytes (OpenVINO 2026.4). A stranger's model must not choose what is read, so a file that keeps
weights elsewhere is refused. The base installation has no ONNX package, hence the small reader of
protocol buffers; field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from humanseg.images.resize import Size
from humanseg.system.errors import ModelError, UsageError

INPUT = "image"
OUTPUT = "probability"
HEIGHT, WIDTH = "height", "width"
"""Names of the sides where a file leaves them free."""

_LARGEST = 1 << 30
"""Bytes; no segmentation network comes near."""
_UINT8, _FLOAT = 2, 1  # TensorProto.DataType
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14

_PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Every way to a tensor: by kind of message, the field's number and the kind of its content."""

_Field: TypeAlias = tuple[int, int | memoryview]
_Signature: TypeAlias = tuple[str, int, tuple[int | str, ...]]


class _Damaged(Exception):
    """Not an ONNX file, or not one that can be used; the message says why."""


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file that humanseg can run."""

    name: str
    """Its path, or `ONNX network` for one in memory."""
    content: bytes
    fixed_size: Size | None
    """(height, width) of the network's grid; None if the file leaves it free."""

    def size(self, asked: Size | None) -> Size:
        """(height, width) of the grid that the file is run with, where `asked` is wanted."""
        size = asked or self.fixed_size
        if size is None:
            raise UsageError(f"{self.name}: takes images of any size; give image_size.")
        if self.fixed_size not in (None, size):
            raise ModelError(
                f"{self.name}: is for images of {self.fixed_size} alone, not {size}; give that, or "
                "backend torch, or make the file anew with `humanseg export`."
            )
        return size


def read_onnx(file: Path | bytes) -> OnnxFile:
    """Read an ONNX file or its content and check that it takes pictures and gives probabilities.

    One input `image`, uint8 (N, H, W, 3) with N free, and one output `probability`, float32 (N, H,
    W), with all weights inside. H and W are fixed, or free under the names `height` and `width`.

    Raises:
        ModelError: missing, damaged, or another kind of network.
    """
    name = "ONNX network" if isinstance(file, bytes) else str(file)
    try:
        if isinstance(file, Path) and file.stat().st_size > _LARGEST:
            raise _Damaged("it is larger than 1 GiB")
        content = file if isinstance(file, bytes) else file.read_bytes()
        _refuse_references(content)
        return OnnxFile(name, content, _checked_size(content))
    except OSError as error:
        raise ModelError(f"{name}: cannot be read ({error.strerror}).") from error
    except _Damaged as error:
        raise ModelError(
            f"{name}: is not a network that humanseg can run ({error}). Copy the file again, or "
            "make it anew with `humanseg export`."
        ) from error


def _fields(message: bytes | memoryview) -> Iterator[_Field]:
    """Number and content of a message's fields: an int, or the bytes of a part."""
    data, offset, end = memoryview(message), 0, len(message)
    while offset < end:
        tag, offset = _varint(data, offset)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, offset = _varint(data, offset)
            yield number, value
            continue
        if kind == 2:
            length, offset = _varint(data, offset)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise _Damaged("it is no ONNX file")
        if number == 0 or length > end - offset:
            raise _Damaged("it is no ONNX file, or cut short")
        yield number, data[offset : offset + length]
        offset += length


def _varint(data: memoryview, offset: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if offset >= len(data):
            raise _Damaged("it is no ONNX file, or cut short")
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise _Damaged("it is no ONNX file")


def _part(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Damaged("it is no ONNX file")
    return value


def _parts(message: bytes | memoryview, number: int) -> list[memoryview]:
    return [_part(value) for field, value in _fields(message) if field == number]


def _refuse_references(content: bytes) -> None:
    """Refuse tensors that live in other files, wherever in the file they are."""
    waiting: list[tuple[str, memoryview]] = [("model", memoryview(content))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            if kind == "tensor":
                if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0):
                    raise _Damaged("it keeps weights in other files, which is not allowed")
            elif number in _PARTS[kind]:
                waiting.append((_PARTS[kind][number], _part(value)))


def _checked_size(content: bytes) -> Size | None:
    """Sides of the network's grid, once input and output are as they must be; None if free."""
    graphs = _parts(content, 7)
    if len(graphs) != 1:
        raise _Damaged("it is no ONNX file")
    match [_signature(part) for part in _parts(graphs[0], 11)]:
        case [(name, kind, (str(), height, width, 3))] if (name, kind) == (INPUT, _UINT8):
            pass
        case _:
            raise _Damaged(f"its input must be {INPUT!r}, uint8 (N, height, width, 3)")
    match [_signature(part) for part in _parts(graphs[0], 12)]:
        case [(name, kind, (_, rows, columns))] if (
            (name, kind) == (OUTPUT, _FLOAT)
            and (isinstance(rows, str) or rows == height)
            and (isinstance(columns, str) or columns == width)
        ):
            pass
        case _:
            raise _Damaged(f"its output must be {OUTPUT!r}, float32 (N, {height}, {width})")
    if isinstance(height, int) and isinstance(width, int):
        return height, width
    if (height, width) != (HEIGHT, WIDTH):
        raise _Damaged(f"free sides of its input must be called {HEIGHT!r} and {WIDTH!r}")
    return None


def _signature(value_info: memoryview) -> _Signature:
    """Name, element type and shape of an input or output; a text for a free dimension."""
    tensors = [tensor for kind in _parts(value_info, 2) for tensor in _parts(kind, 1)]
    kinds = [value for tensor in tensors for number, value in _fields(tensor) if number == 1]
    shapes = [shape for tensor in tensors for shape in _parts(tensor, 2)]
    match _parts(value_info, 1), kinds, shapes:
        case [name], [int() as kind], [shape]:
            return _text(name), kind, tuple(_dimension(part) for part in _parts(shape, 1))
    return "", 0, ()


def _dimension(part: memoryview) -> int | str:
    """A side, or the name of a free one, which may be empty."""
    fields = list(_fields(part))
    sizes = [value for number, value in fields if number == 1 and isinstance(value, int)]
    names = [_text(_part(value)) for number, value in fields if number == 2]
    return sizes[-1] if sizes else "".join(names[-1:])


def _text(part: memoryview) -> str:
    return bytes(part).decode("utf-8", errors="replace")
