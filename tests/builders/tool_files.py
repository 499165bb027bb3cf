"""Files as labelling tools write them, of one picture and any mask or outline of a person."""

from __future__ import annotations

import base64
import io
import json
import zlib
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Mask = NDArray[np.bool_]
Points = list[tuple[float, float]]

VOC_COLOURS = {1: (128, 0, 0), 15: (192, 128, 128), 255: (224, 224, 192)}


def picture(path: Path, size: tuple[int, int] = (12, 16)) -> Path:
    """A picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def text(path: Path, content: str) -> Path:
    """A text file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def labelme_shape(points: Points, **changes: object) -> dict[str, Any]:
    """A shape of LabelMe 5."""
    return {
        "label": "person",
        "points": [list(point) for point in points],
        "group_id": None,
        "description": "",
        "shape_type": "polygon",
        "flags": {},
        "mask": None,
    } | changes


def labelme(size: tuple[int, int], *shapes: dict[str, Any], image: str = "a.jpg") -> str:
    """A file of LabelMe 5."""
    return json.dumps(
        {
            "version": "5.5.0",
            "flags": {},
            "shapes": list(shapes),
            "imagePath": image,
            "imageData": None,
            "imageHeight": size[0],
            "imageWidth": size[1],
        }
    )


def labelme_mask(mask: Mask) -> str:
    """LabelMe's `img_arr_to_b64` of a mask, which is of bool."""
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def supervisely_bitmap(mask: Mask) -> str:
    """Supervisely's `Bitmap.data_2_base64`: a palette PNG whose first colour is transparent."""
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette([0, 0, 0, 255, 255, 255])
    stream = io.BytesIO()
    image.save(stream, format="PNG", transparency=0, optimize=0)
    return base64.b64encode(zlib.compress(stream.getvalue())).decode()


def supervisely(size: tuple[int, int], *objects: dict[str, Any]) -> str:
    """An annotation of Supervisely."""
    common = {"id": 1, "classId": 2, "labelerLogin": "x", "tags": [], "classTitle": "person"}
    return json.dumps(
        {
            "description": "",
            "tags": [],
            "size": {"height": size[0], "width": size[1]},
            "objects": [common | item for item in objects],
        }
    )


def cvat(size: tuple[int, int], *shapes: str, image: str = "a.jpg") -> str:
    """A task's annotations as "CVAT for images 1.1"."""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>people</name>
      <labels>
        <label>
          <name>person</name>
          <color>#fa3253</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
        <label>
          <name>dog</name>
        </label>
      </labels>
    </task>
  </meta>
  <image id="0" name="{image}" subset="default" width="{size[1]}" height="{size[0]}">
    {"".join(shapes)}
  </image>
</annotations>
"""


def cvat_mask(mask: Mask, *, left: int, top: int) -> str:
    """A mask of CVAT: runs row by row, background first."""
    values = mask.ravel().tolist()
    runs = [len(list(group)) for _, group in groupby(values)]
    runs = [0, *runs] if values[0] else runs
    return (
        f'<mask label="person" source="semi-auto" occluded="0" rle="{", ".join(map(str, runs))}" '
        f'left="{left}" top="{top}" width="{mask.shape[1]}" height="{mask.shape[0]}" z_order="0">'
        "</mask>"
    )


def cvat_polygon(points: Points, label: str = "person") -> str:
    """A polygon of CVAT."""
    joined = ";".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return (
        f'<polygon label="{label}" source="manual" occluded="0" points="{joined}" z_order="0">'
        "</polygon>"
    )


def brush(mask: Mask) -> list[int]:
    """Label Studio's `mask2rle`: all four channels of each pixel, in its run lengths."""
    values = np.repeat(mask.astype(np.uint8).ravel() * 255, 4).tolist()
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    for value, group in groupby(values):
        length = len(list(group))
        while length > 0:
            run = min(length, 1 << 16)
            bits += f"1{3:02b}{run - 1:016b}{value:08b}"
            length -= run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def label_studio(
    size: tuple[int, int], *values: dict[str, Any], image: str = "/data/upload/1/0a1b2c3d-a.jpg"
) -> str:
    """Label Studio's JSON of one task."""
    results = [
        {
            "id": "x",
            "type": "brushlabels" if "rle" in value else "polygonlabels",
            "from_name": "tag",
            "to_name": "image",
            "origin": "manual",
            "image_rotation": 0,
            "original_width": size[1],
            "original_height": size[0],
            "value": {"brushlabels" if "rle" in value else "polygonlabels": ["person"]} | value,
        }
        for value in values
    ]
    annotation = {"id": 1, "result": results, "was_cancelled": False, "ground_truth": False}
    task = {"id": 1, "data": {"image": image}, "annotations": [annotation], "predictions": []}
    return json.dumps([task])


def voc(indices: NDArray[np.uint8]) -> Image.Image:
    """A palette PNG of Pascal VOC."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    for index, colour in VOC_COLOURS.items():
        palette[index] = colour
    image = Image.fromarray(indices)
    image.putpalette(palette.ravel().tolist())
    return image
