"""What an ONNX file says of itself, by onnx's own reader."""

from __future__ import annotations

from pathlib import Path

import onnx


def metadata(file: Path) -> dict[str, str]:
    """`metadata_props` of a file."""
    return {entry.key: entry.value for entry in onnx.load(file).metadata_props}
