"""Data sets on a disk whose files hold nothing: for what looks at names alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NAMES = ["1", "10", "100", "101", "2", "99"]
"""In the order of the public data set's table."""
PREFIX = "Human-Segmentation-Dataset-master"
"""Of the paths in that table."""


def touch(root: Path, *names: str) -> None:
    """Write files that cannot be decoded."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def make_original(root: Path, *, order: list[str] = NAMES) -> None:
    """The layout of the public data set, with its table."""
    rows = ["masks,images"]
    for name in order:
        touch(root, f"Training_Images/{name}.jpg", f"Ground_Truth/{name}.png")
        rows.append(f"{PREFIX}/Ground_Truth/{name}.png,{PREFIX}/Training_Images/{name}.jpg")
    (root / "train.csv").write_text("\n".join(rows) + "\n")


def coco_document(**changes: object) -> dict[str, Any]:
    """A COCO document of a person in b.jpg and a dog in a.jpg."""
    square = [[1, 1, 5, 1, 5, 5, 1, 5]]
    document: dict[str, Any] = {
        "images": [
            {"id": 7, "file_name": "b.jpg", "height": 12, "width": 16},
            {"id": 8, "file_name": "a.jpg", "height": 12, "width": 16},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 1, "segmentation": square},
            {"id": 2, "image_id": 8, "category_id": 2, "segmentation": square},
        ],
        "categories": [{"id": 1, "name": "Person"}, {"id": 2, "name": "dog"}],
    }
    return document | changes


def write_coco(root: Path, **changes: object) -> Path:
    """Write the document beside images/a.jpg and images/b.jpg."""
    touch(root, "images/a.jpg", "images/b.jpg")
    path = root / "people.json"
    path.write_text(json.dumps(coco_document(**changes)))
    return path
