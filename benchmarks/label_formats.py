"""How well labels that are written and read again agree with the masks that they were made of.

python benchmarks/label_formats.py -o benchmarks/results/DATE-label-formats.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
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
TOLERANCES = (0.0, 0.5, 1.0, 2.0)


def main() -> None:
    """Draw scenes, write and read their labels, and write the agreement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640))
    options = parser.parse_args()
    size = (options.size[0], options.size[1])
    rows = []
    for name in PICTURES:
        for tolerance in TOLERANCES if name != "voc" else (None,):
            rows.append(measure(name, tolerance, options.count, size))
            print(rows[-1])
    document = {
        "what": "IoU of masks of drawn scenes with what is read from their labels",
        "date": datetime.now(UTC).date().isoformat(),
        "humanseg": __version__,
        "scenes": options.count,
        "size": size,
        "formats": rows,
    }
    options.output.write_text(json.dumps(document, indent=1) + "\n")


def measure(
    name: LabelName, tolerance: float | None, count: int, size: tuple[int, int]
) -> dict[str, object]:
    """Agreement of one format: over scenes with people, least and mean; and bytes per scene."""
    settings = {} if tolerance is None else {"tolerance": tolerance}
    output = effect_of(name, among=OutputHolder, **settings)
    assert isinstance(output, LabelOutput)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        masks = write(root, output, PICTURES[name], count, size)
        agreement = np.array(
            [
                iou(sample.read_mask(), masks[sample.id])
                for sample in discover(root, name)
                if masks[sample.id].any()
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
        "bytes_per_scene": round(length / count),
    }


def write(
    root: Path, output: LabelOutput, pictures: str, count: int, size: tuple[int, int]
) -> dict[str, NDArray[np.bool_]]:
    """Scenes and their labels; the masks by name."""
    masks: dict[str, NDArray[np.bool_]] = {}
    files = []
    (root / pictures).mkdir()
    (root / output.folder).mkdir(exist_ok=True)
    for seed in range(count):
        image, mask = draw_scene(np.random.default_rng(seed), size)
        Image.fromarray(image).save(root / pictures / f"{seed}.png", compress_level=1)
        seen = f"{'../' if output.folder else ''}{pictures}/{seed}.png"
        labelled = Labelled(f"{seed}.png", seen, mask, mask[::4, ::4].astype(np.float32))
        files.append(root / output.folder / f"{seed}{output.suffix}")
        files[-1].write_bytes(output.content(labelled))
        masks[str(seed)] = mask
    output.finish(root, files)
    return masks


def iou(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one size."""
    return float((first & second).sum() / (first | second).sum())


if __name__ == "__main__":
    main()
