"""Damage files, a byte or a piece at a time, and read them as a user would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.faults.kills import fresh
from benchmarks.faults.mutations import mutants
from benchmarks.faults.warm import Ended, run
from benchmarks.faults.works import ENGINE, Material, works
from PIL import Image
from tests.builders import tool_files as tools

from humanseg.data import draw_scene

_NOTHING = "nothing was read"
_WEAK = "no better than"
_SIZE = (48, 64)
_SQUARE = [(12.0, 10.0), (40.0, 10.0), (40.0, 40.0), (12.0, 40.0)]


@dataclass(frozen=True)
class Reader:
    """A command, and the file that is damaged before it reads it."""

    kind: str
    build: Callable[[Path], Path]
    """Makes what the command reads in a folder; gives the file to damage."""
    words: Callable[[Path], list[str]]
    """The command for that folder."""
    result: Callable[[Path, Ended], object] | None = None
    """What must come out the same if it comes out at all; None where a file's content is data."""
    weak: bool = False
    """Whether a network comes out, with exit code 1 if it is a weak one."""


@dataclass(frozen=True)
class Damage:
    """What a command said of one damaged file."""

    kind: str
    file: str
    outcome: str
    """`refused`, `read`, or what is wrong."""
    wrong: bool


def damage(reader: Reader, scratch: Path, *, count: int) -> Iterator[Damage]:
    """Damage a file in `count` ways, each time from its sound state."""
    sound = fresh(scratch).with_name("sound")
    shutil.rmtree(sound, ignore_errors=True)
    sound.mkdir()
    file = reader.build(sound)
    expected = _read(reader, sound, scratch, file.read_bytes(), file)
    if expected[1] == _NOTHING:
        raise SystemExit(f"{reader.kind}: fails undamaged: {expected[0].err}")
    for content in mutants(file.read_bytes(), count, reader.kind + file.name):
        ended, result = _read(reader, sound, scratch, content, file)
        problem = ended.problem
        if problem is None and result not in (expected[1], _NOTHING):
            problem = "read as something else without a word"
        outcome = problem or ("refused" if result == _NOTHING else "read")
        yield Damage(reader.kind, file.name, outcome, problem is not None)


def _read(
    reader: Reader, sound: Path, scratch: Path, content: bytes, file: Path
) -> tuple[Ended, object]:
    folder = fresh(scratch)
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    (folder / file.relative_to(sound)).write_bytes(content)
    ended = run(reader.words(folder), folder)
    if ended.code != 0 and not (reader.weak and _WEAK in ended.err):
        return ended, _NOTHING
    return ended, reader.result(folder, ended) if reader.result else "read"


def readers(material: Material) -> list[Reader]:
    """Every kind of file that humanseg reads, by the command that reads it."""
    return [*_images(material), *_labels(), *_models(material), *_runs(material)]


def _images(material: Material) -> Iterator[Reader]:
    def image(suffix: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            pixels, _ = draw_scene(np.random.default_rng(0), _SIZE)
            Image.fromarray(pixels).save(root / f"photo.{suffix}")
            return root / f"photo.{suffix}"

        return build

    def predict(root: Path) -> list[str]:
        (photo,) = root.glob("photo.*")
        model = ["--model", str(material.model), *ENGINE]
        return ["predict", str(photo), *model, "-o", str(root / "out.png")]

    for suffix in ("jpg", "png", "webp", "tiff", "avif", "gif", "bmp"):
        yield Reader("image", image(suffix), predict)

    def mask(root: Path) -> Path:
        shutil.copytree(material.pairs, root / "pairs")
        return root / "pairs" / "masks" / "003.png"

    yield Reader("mask", mask, lambda root: ["data", "check", str(root / "pairs")])


def _labels() -> Iterator[Reader]:
    shape = tools.labelme_shape(_SQUARE)
    corners = [number for point in _SQUARE for number in point]
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 48, "width": 64}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [corners]}
        ],
    }
    bitmap = np.ones((8, 8), dtype=np.bool_)
    texts = {
        "coco": ("labels.json", json.dumps(coco)),
        "labelme": ("a.json", tools.labelme(_SIZE, shape)),
        "cvat": ("annotations.xml", tools.cvat(_SIZE, tools.cvat_polygon(_SQUARE))),
        "yolo": ("labels/a.txt", "0 0.2 0.2 0.6 0.2 0.6 0.8 0.2 0.8\n"),
        "supervisely": (
            "ann/a.jpg.json",
            tools.supervisely(
                _SIZE,
                {
                    "geometryType": "bitmap",
                    "bitmap": {"data": tools.supervisely_bitmap(bitmap), "origin": [9, 9]},
                },
            ),
        ),
    }

    def labels(kind: str, name: str, text: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            pictures = {"supervisely": "img", "yolo": "images"}.get(kind, "")
            tools.picture(root / pictures / "a.jpg", _SIZE)
            if kind == "supervisely":
                tools.text(root / "meta.json", '{"classes": [{"id": 2, "title": "person"}]}')
            if kind == "yolo":
                tools.text(root / "classes.txt", "person\n")
            return tools.text(root / name, text)

        return build

    for kind, (name, text) in texts.items():
        yield Reader(
            f"labels: {kind}", labels(kind, name, text), lambda root: ["data", "check", str(root)]
        )


def _models(material: Material) -> Iterator[Reader]:
    def directory(name: str, model: Path) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            shutil.copytree(model, root / "model")
            shutil.copy(material.photos / "01.png", root / "photo.png")
            return root / "model" / name

        return build

    def predict(backend: str) -> Callable[[Path], list[str]]:
        return lambda root: [
            *("predict", str(root / "photo.png"), "-o", str(root / "out.png")),
            *("--as", "probability", "--model", str(root / "model"), "--backend", backend),
        ]

    def output(root: Path, _: Ended) -> object:
        return (root / "out.png").read_bytes()

    trained = material.trained / "model"
    yield Reader("weights", directory("model.safetensors", trained), predict("torch"), output)
    onnx = directory("model.onnx", material.model)
    yield Reader("weights", onnx, predict("onnxruntime"), output)
    for name in ("config.json", "humanseg.json"):
        yield Reader("model directory", directory(name, trained), predict("torch"))
    yield Reader(
        "model directory",
        directory("training-images.npz", trained),
        lambda root: [
            *("evaluate", str(root / "model"), "--data", str(material.pairs), "--backend", "torch")
        ],
    )


def _runs(material: Material) -> Iterator[Reader]:
    all_works = works(material)

    def run_folder(name: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            shutil.copytree(material.trained, root / "out")
            if name != "result.json":
                (root / "out" / "result.json").unlink()
            return root / "out" / name

        return build

    def parts(root: Path, _: Ended) -> object:
        return all_works["training"].parts(root / "out")

    for name in ("checkpoints/last.ckpt", "checkpoints/best.ckpt"):
        yield Reader(
            "checkpoint",
            run_folder(name),
            lambda root: all_works["training"].words(root / "out"),
            parts,
            weak=True,
        )
    for name in ("run.json", "config.yaml"):
        yield Reader(
            "run folder",
            run_folder(name),
            lambda root: ["train", "--resume", str(root / "out"), "--quiet"],
            weak=True,
        )
    yield Reader("record", run_folder("result.json"), lambda root: ["report", str(root / "out")])

    def cache(root: Path) -> Path:
        run(all_works["cache"].words(root / "out"), root)
        return root / "out" / "cache.sqlite"

    yield Reader(
        "cache",
        cache,
        lambda root: all_works["cache"].words(root / "out"),
        lambda root, ended: (ended.out, sorted(all_works["cache"].parts(root / "out").items())),
    )
