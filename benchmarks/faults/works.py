"""Work that takes long enough to be ended half-way, and what must have come of it in the end."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.faults.warm import run
from PIL import Image
from tests.builders.clips import write_clip
from tests.builders.formula_model import brightness_onnx, write_model
from tests.conftest import draw_folder

from humanseg.data import draw_scene

ENGINE = ("--backend", "onnxruntime")
_TIMES = {
    "environment",
    "images_per_second",
    "latency_seconds",
    "peak_memory_bytes",
    "seconds",
    "timings",
    "train_seconds",
    "wall_seconds",
}
"""What is not the same in two runs."""

CACHED = "[0-9a-f]" * 32
"""Names of what a cache keeps."""

_PLAN = """
data: {{root: {root}}}
split: {{protocol: holdout, validation: 0.2, test: 0.2}}
model: {{encoder_name: tu-test_efficientnet, encoder_weights: none, image_size: [32, 32]}}
optimiser: {{learning_rate: 0.01}}
training:
  epochs: 6
  batch_size: 4
  precision: fp32
  memory_format: contiguous
  onnx: false
  ema_decay: 0.5
"""

Parts = dict[str, object]


@dataclass(frozen=True)
class Work:
    """A command with a folder `out`, which the same command goes on with."""

    name: str
    words: Callable[[Path], list[str]]
    """The command for a folder as it is."""
    parts: Callable[[Path], Parts]
    """What of the result is there, piece by piece: at any time some of what is there in the end."""
    finished: Callable[[Path], Parts]
    """What is finished, with marks that change if it is done once more."""


@dataclass(frozen=True)
class Material:
    """What the works read."""

    model: Path
    photos: Path
    clip: Path
    pairs: Path
    train: Path
    compare: Path
    trained: Path
    """A finished run, once `train_once` was called."""


def draw_material(root: Path) -> Material:
    """Draw pictures, a clip and a small data set, and write two plans."""
    photos = root / "photos"
    photos.mkdir(parents=True)
    for number in range(12):
        image, _ = draw_scene(np.random.default_rng(number), (72, 96))
        Image.fromarray(image).save(photos / f"{number:02}.png")
    pairs = draw_folder(root / "pairs", 20)
    train, compare = root / "train.yaml", root / "compare.yaml"
    train.write_text(_PLAN.format(root=json.dumps(str(pairs))))
    compare.write_text(train.read_text() + "archs: [unet, fpn]\n")
    clip = write_clip(root / "clip.mp4", frames=40)
    model = write_model(root / "model", onnx=brightness_onnx())
    return Material(model, photos, clip, pairs, train, compare, root / "trained")


def train_once(material: Material) -> None:
    """Make `Material.trained`."""
    words = ["train", "--config", str(material.train), "-o", str(material.trained), "--quiet"]
    ended = run(words, material.photos.parent)
    if not (material.trained / "result.json").exists():
        raise SystemExit(f"training: fails undisturbed: {ended.err}")


def compare_once(material: Material) -> Path:
    """A finished comparison, made when it is first asked for."""
    folder = material.compare.with_name("compared")
    if not folder.exists():
        ended = run(works(material)["comparison"].words(folder), material.photos.parent)
        if not (folder / "results.json").exists():
            raise SystemExit(f"comparison: fails undisturbed: {ended.err}")
    return folder


def works(material: Material) -> dict[str, Work]:
    """Everything that writes files for more than a moment, by name."""
    predict = ["predict", "--model", str(material.model), *ENGINE, "--quiet", "-o"]
    all_works = (
        Work(
            "prediction",
            lambda out: [*predict, str(out), str(material.photos), "--workers", "2"],
            lambda out: _digests(out, "*.png"),
            lambda out: _stamps(out, "*.png"),
        ),
        Work(
            "video",
            lambda out: [*predict, f"{out}/", str(material.clip), "--as", "overlay"],
            lambda out: _digests(out, "*.mp4"),
            lambda out: _stamps(out, "*.mp4"),
        ),
        Work(
            "cache",
            lambda out: ["data", "check", str(material.pairs), "--cache", str(out)],
            lambda out: _digests(out, CACHED),
            lambda out: _stamps(out, CACHED),
        ),
        Work("training", lambda out: _training(material, out), _run_parts, _run_finished),
        Work(
            "comparison",
            lambda out: ["compare", "--config", str(material.compare), "-o", str(out), "--quiet"],
            _comparison_parts,
            lambda out: _under(out, _run_finished),
        ),
    )
    return {work.name: work for work in all_works}


def _training(material: Material, out: Path) -> list[str]:
    cache = ["--quiet", "--cache", str(out.with_name("cache"))]
    if (out / "config.yaml").exists():
        return ["train", "--resume", str(out), *cache]
    return ["train", "--config", str(material.train), "-o", str(out), *cache]


def _digests(folder: Path, pattern: str) -> Parts:
    """Digests of files, but for what lies in folders that have a temporary name."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob(pattern))
        if not any(parent.name.endswith(".part") for parent in path.parents)
    }


def _stamps(folder: Path, pattern: str) -> Parts:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob(pattern)
    }


def _rows(run: Path) -> list[dict[str, str]]:
    file = run / "metrics.csv"
    return list(csv.DictReader(file.read_text().splitlines())) if file.exists() else []


def _run_parts(run: Path) -> Parts:
    parts = _digests(run, "*.safetensors") | _digests(run, "predictions/*.png")
    for row in _rows(run):
        parts[f"epoch {row['epoch']}"] = [row[name] for name in row if name not in _TIMES]
    return parts | _record(run / "result.json")


def _run_finished(run: Path) -> Parts:
    # The last epoch's row is written just before its checkpoint.
    epochs: Parts = {row["epoch"]: row["seconds"] for row in _rows(run)[:-1]}
    return epochs | _stamps(run, "result.json")


def _comparison_parts(out: Path) -> Parts:
    parts = _under(out, _run_parts) | _digests(out, "truth/*.png")
    record = _record(out / "results.json")
    whole = record and not json.loads(str(record["results.json"]))["missing"]
    return parts | (record if whole else {})


def _under(out: Path, of_run: Callable[[Path], Parts]) -> Parts:
    return {
        f"{run.name}/{name}": value
        for run in sorted((out / "runs").glob("*"))
        for name, value in of_run(run).items()
    }


def _record(file: Path) -> Parts:
    """A record without its times, and where it lies."""
    return {file.name: json.dumps(_timeless(json.loads(file.read_text())))} if file.exists() else {}


def _timeless(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _timeless(item) for key, item in value.items() if key not in _TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value
