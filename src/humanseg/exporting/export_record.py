"""What is known about an exported file."""

from __future__ import annotations

from typing import Literal

from humanseg.model_directory import Parity, Quantisation
from humanseg.results import SCHEMA_VERSION, Record

Format = Literal["onnx", "openvino"]


class ExportRecord(Record):
    """One exported network: FILE.json beside it."""

    schema_version: Literal[1] = SCHEMA_VERSION
    model: str
    """Model directory that was exported."""
    format: Format
    precision: Literal["fp32", "fp16", "int8"]
    """How weights are stored; `fp16` computes in float32, `int8` in whole numbers."""
    files: dict[str, str]
    """SHA-256 of every file that was written, by name."""
    size_bytes: int
    """Of all these files."""
    image_size: tuple[int, int]
    """Height and width in pixels that the file takes pictures in."""
    threshold: float
    """A pixel is a person where its probability is at least this."""
    parity: Parity
    """The file, loaded again, against torch."""
    tolerance: float
    """What was allowed."""
    quantisation: Quantisation | None = None
    """How int8 was calibrated and what it lost; None for other precisions."""
    versions: dict[str, str]
    """Of humanseg and of the packages that wrote the file."""
