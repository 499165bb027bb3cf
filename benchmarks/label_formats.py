"""How well labels that are written and read again agree with the masks that they were made of.

python benchmarks/label_formats.py -o benchmarks/results/DATE-label-formats.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from humanseg import __version__
from humanseg.annotations.label_output import Labelled, LabelOutput, OutputHolder
from humanseg.data import discover, draw_scene
from humanseg.effects.effect import LabelName, effect_of

PICTURES: dict[LabelName, str] = {
    "coco": "images",
    "yolo": "images",
    "labelme": "images",
    "voc": "JPEGImages",
}
TOLERANCES = (0.0, 0.75, 1.5, 3.0)


def main() -> None:
    """Draw scenes, write and read their labels, and write the agreement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640))
    options = parser.parse_args()
    size = (options.size[0], options.size[1])
    scenes = [draw_scene(np.random.default_rng(seed), size)[1] for seed in range(options.count)]
    rows = []
    for name in PICTURES:
        for tolerance in TOLERANCES if name != "voc" else (None,):
            rows.append(measure(name, tolerance, scenes))
            print(rows[-1])
    document = {
        "what": "IoU of masks of drawn scenes with what is read from their labels; usual: 0.75",
        "date": datetime.now(UTC).date().isoformat(),
        "humanseg": __version__,
        "scenes": options.count,
        "size": size,
        "formats": rows,
    }
    options.output.write_text(json.dumps(document, indent=1) + "\n")


def measure(
    name: LabelName, tolerance: float | None, scenes: Sequence[NDArray[np.bool_]]
) -> dict[str, object]:
    """Agreement of one format: over scenes with people, least and mean; and bytes per scene."""
    settings = {} if tolerance is None else {"tolerance": tolerance}
    output = effect_of(name, among=OutputHolder, **settings)
    assert isinstance(output, LabelOutput)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, output, PICTURES[name], scenes)
        agreement = np.array(
            [
                iou(sample.read_mask(), scenes[int(sample.id)])
                for sample in discover(root, name)
                if scenes[int(sample.id)].any()
            ]
        )
        files = [path for path in root.rglob("*") if path.is_file() and "mages" not in str(path)]
        length = sum(path.stat().st_size for path in files)
    return {
        "format": name,
        "tolerance": tolerance,
        "scenes_with_people": len(agreement),
        "iou_least": round(float(agreement.min()), 5),
        "iou_mean": round(float(agreement.mean()), 5),
        "bytes_per_scene": round(length / len(scenes)),
    }


def write(
    root: Path, output: LabelOutput, pictures: str, scenes: Sequence[NDArray[np.bool_]]
) -> None:
    """Labels of scenes, and pictures without content in their sizes."""
    files = []
    (root / pictures).mkdir()
    (root / output.folder).mkdir(exist_ok=True)
    for seed, mask in enumerate(scenes):
        Image.new("RGB", mask.shape[::-1]).save(root / pictures / f"{seed}.png")
        seen = f"{'../' if output.folder else ''}{pictures}/{seed}.png"
        labelled = Labelled(f"{seed}.png", seen, mask, mask[::4, ::4].astype(np.float32))
        files.append(root / output.folder / f"{seed}{output.suffix}")
        files[-1].write_bytes(output.content(labelled))
    output.finish(root, files)


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one size."""
    return float((first & second).sum() / (first | second).sum())


if __name__ == "__main__":
    main()
