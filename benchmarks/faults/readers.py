"""Every kind of file that humanseg reads, and a command that reads it."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from benchmarks.faults.damage import Reader
from benchmarks.faults.warm import Ended, run
from benchmarks.faults.works import ENGINE, Material, compare_once, works
from PIL import Image
from tests.builders import tool_files as tools
from tests.builders.clips import write_clip
from tests.builders.formula_model import brightness_onnx, write_model

from humanseg.data import draw_scene

_SIZE = (48, 64)
_SQUARE = [(12.0, 10.0), (40.0, 10.0), (40.0, 40.0), (12.0, 40.0)]


def readers(material: Material) -> list[Reader]:
    """All of them, in the order of a user's way: pictures, labels, plans, networks, results."""
    return [
        *_pictures(material),
        *_collections(material),
        *_labels(),
        *_tables(material),
        *_models(material),
        *_runs(material),
        *_comparisons(material),
    ]


def _predict(material: Material, *words: str) -> list[str]:
    return ["predict", *words, "--model", str(material.model), *ENGINE]


def _pictures(material: Material) -> Iterator[Reader]:
    def image(suffix: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            pixels, _ = draw_scene(np.random.default_rng(0), _SIZE)
            Image.fromarray(pixels).save(root / f"photo.{suffix}")
            return root / f"photo.{suffix}"

        return build

    def clip(suffix: str) -> Callable[[Path], Path]:
        return lambda root: write_clip(root / f"clip.{suffix}", frames=20)

    def predict(pattern: str, out: str) -> Callable[[Path], list[str]]:
        def words(root: Path) -> list[str]:
            (source,) = root.glob(pattern)
            return _predict(material, str(source), "-o", f"{root}/{out}")

        return words

    for suffix in ("jpg", "png", "webp", "tiff", "avif", "gif", "bmp"):
        yield Reader("image", image(suffix), predict("photo.*", "out.png"))
    for suffix in ("mp4", "mkv"):
        yield Reader("video", clip(suffix), predict("clip.*", "out.mp4"))

    def mask(root: Path) -> Path:
        shutil.copytree(material.pairs, root / "pairs")
        return root / "pairs" / "masks" / "003.png"

    yield Reader("mask", mask, lambda root: ["data", "check", str(root / "pairs")])


def _collections(material: Material) -> Iterator[Reader]:
    """Files that name or hold pictures."""

    def shard(suffix: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            mode: Literal["w", "w:gz"] = "w:gz" if suffix.endswith("gz") else "w"
            with tarfile.open(root / f"shard.{suffix}", mode) as tar:
                for name in "abcd":
                    tar.add(tools.picture(root / f"{name}.png", (8, 8)), f"{name}.png")
            return root / f"shard.{suffix}"

        return build

    def predict(root: Path) -> list[str]:
        (source,) = root.glob("shard.*")
        return _predict(material, str(source), "-o", str(root / "out"))

    def members(root: Path, _: Ended) -> object:
        with tarfile.open(root / "out" / "shard.tar") as tar:
            return len(tar.getnames())

    for suffix in ("tar", "tar.gz"):
        yield Reader("tar", shard(suffix), predict, members)

    def listed(root: Path) -> Path:
        photos = sorted(material.photos.iterdir())[:2]
        return tools.text(root / "list.txt", "".join(f"{photo}\n" for photo in photos))

    yield Reader(
        "list",
        listed,
        lambda root: _predict(material, f"@{root}/list.txt", "-o", str(root / "out")),
        named="humanseg: ",  # that what the list names is not there
    )

    def ranked(root: Path) -> Path:
        photos = [str(material.photos / f"{number:02}.png") for number in range(3)]
        told = run([*_predict(material, *photos, "-o", str(root)), "--rank", "--json"], root)
        return tools.text(root / "ranked.jsonl", told.out)

    yield Reader(
        "ranking",
        ranked,
        lambda root: ["data", "review", str(root / "ranked.jsonl"), "-o", str(root / "page.html")],
    )


def _labels() -> Iterator[Reader]:
    shape = tools.labelme_shape(_SQUARE)
    corners = [number for point in _SQUARE for number in point]
    rle = {"counts": [500, 40, 8, 2524], "size": [48, 64]}

    def coco(segmentation: object, crowd: int = 0) -> str:
        person = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": crowd}
        return json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.jpg", "height": 48, "width": 64}],
                "categories": [{"id": 1, "name": "person"}],
                "annotations": [person | {"segmentation": segmentation}],
            }
        )

    bitmap = np.ones((8, 8), dtype=np.bool_)
    painted = {
        "geometryType": "bitmap",
        "bitmap": {"data": tools.supervisely_bitmap(bitmap), "origin": [9, 9]},
    }
    brush = {"format": "rle", "rle": tools.brush(np.eye(*_SIZE, dtype=np.bool_))}
    share = [[20.0, 20.0], [60.0, 20.0], [60.0, 80.0]]
    texts = {
        "coco": ("labels.json", coco([corners])),
        "coco, run lengths": ("labels.json", coco(rle, crowd=1)),
        "labelme": ("a.json", tools.labelme(_SIZE, shape)),
        "cvat": ("annotations.xml", tools.cvat(_SIZE, tools.cvat_polygon(_SQUARE))),
        "yolo": ("labels/a.txt", "0 0.2 0.2 0.6 0.2 0.6 0.8 0.2 0.8\n"),
        "yolo, names": ("data.yaml", "path: .\ntrain: images\nnames:\n  0: person\n  1: dog\n"),
        "supervisely": ("ann/a.jpg.json", tools.supervisely(_SIZE, painted)),
        "label studio": ("export.json", tools.label_studio(_SIZE, brush, {"points": share})),
        "voc": ("SegmentationClass/a.png", ""),
        "voc, names": ("labelmap.txt", "background:0,0,0::\nperson:192,128,128::\n"),
    }

    def labels(kind: str, name: str, text: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            folders = {"supervisely": "img", "yolo": "images", "voc": "JPEGImages"}
            tools.picture(root / folders.get(kind, "") / "a.jpg", _SIZE)
            if kind == "supervisely":
                tools.text(root / "meta.json", '{"classes": [{"id": 2, "title": "person"}]}')
            if kind == "yolo":
                tools.text(root / "classes.txt", "person\n")
                tools.text(root / "labels/a.txt", texts["yolo"][1])
            if kind == "voc":
                (root / "SegmentationClass").mkdir()
                indices = np.full(_SIZE, 15, dtype=np.uint8)
                tools.voc(indices).save(root / "SegmentationClass/a.png")
            return tools.text(root / name, text) if text else root / name

        return build

    for kind, (name, text) in texts.items():
        yield Reader(
            f"labels: {kind}",
            labels(kind.split(",")[0], name, text),
            lambda root: ["data", "check", str(root)],
            named="a.jpg",
        )


def _tables(material: Material) -> Iterator[Reader]:
    """Tables and plans, which people write."""
    names = [f"{number:03}" for number in range(20)]

    def pairs(root: Path) -> Path:
        lines = [f"images/{name}.png,masks/{name}.png\n" for name in names[:6]]
        shutil.copytree(material.pairs, root, dirs_exist_ok=True)
        return tools.text(root / "train.csv", "images,masks\n" + "".join(lines))

    yield Reader("table", pairs, lambda root: ["data", "check", str(root / "train.csv")])

    def groups(root: Path) -> Path:
        lines = [f"{name},scene {name},camera {name[1]}\n" for name in names]
        return tools.text(root / "groups.csv", "id,group,source\n" + "".join(lines))

    yield Reader(
        "table",
        groups,
        lambda root: ["data", "split", str(material.pairs), "--split.groups", f"{root}/groups.csv"],
    )

    def plan(command: str, file: Path) -> Reader:
        return Reader(
            "plan",
            lambda root: Path(shutil.copy(file, root / file.name)),
            lambda root: [command, "--config", str(root / file.name), "--show-config"],
        )

    yield plan("train", material.train)
    yield plan("compare", material.compare)


def _models(material: Material) -> Iterator[Reader]:
    def directory(name: str, model: Path) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            shutil.copytree(model, root / "model")
            shutil.copy(material.photos / "01.png", root / "photo.png")
            return root / "model" / name

        return build

    def predict(backend: str, precision: str = "fp32") -> Callable[[Path], list[str]]:
        return lambda root: [
            *("predict", str(root / "photo.png"), "-o", str(root / "out.png")),
            *("--as", "probability", "--model", str(root / "model"), "--backend", backend),
            *("--precision", precision),
        ]

    def output(root: Path, _: Ended) -> object:
        return (root / "out.png").read_bytes()

    def int8(root: Path) -> Path:
        write_model(root / "model", onnx=brightness_onnx(), int8=brightness_onnx(0.2))
        shutil.copy(material.photos / "01.png", root / "photo.png")
        return root / "model" / "model.int8.onnx"

    trained = material.trained / "model"
    yield Reader("weights", directory("model.safetensors", trained), predict("torch"), output)
    onnx = directory("model.onnx", material.model)
    yield Reader("weights", onnx, predict("onnxruntime"), output)
    yield Reader("weights", int8, predict("onnxruntime", "int8"), output)
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
            if name.startswith(("checkpoints/", "run.json", "config.yaml")):
                (root / "out" / "result.json").unlink()
            return next((root / "out").glob(name))

        return build

    def parts(root: Path, _: Ended) -> object:
        return all_works["training"].parts(root / "out")

    def report(root: Path) -> list[str]:
        return ["report", str(root / "out")]

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
            named="does not exist",  # a data set that a damaged configuration names
        )
    yield Reader("run folder", run_folder("result.json"), report)
    yield Reader("run folder", run_folder("predictions/*.png"), report)

    def evaluation(root: Path) -> Path:
        model, data = str(material.trained / "model"), str(material.pairs)
        run(["evaluate", model, "--data", data, "-o", str(root / "out")], root)
        return root / "out" / "evaluation.json"

    yield Reader("evaluation", evaluation, report)

    def cache(root: Path) -> Path:
        run(all_works["cache"].words(root / "out"), root)
        return min((root / "out" / "facts").iterdir())

    yield Reader(
        "cache",
        cache,
        lambda root: all_works["cache"].words(root / "out"),
        lambda root, ended: (ended.out, sorted(all_works["cache"].parts(root / "out").items())),
    )


def _comparisons(material: Material) -> Iterator[Reader]:
    def folder(name: str) -> Callable[[Path], Path]:
        def build(root: Path) -> Path:
            shutil.copytree(compare_once(material), root / "out")
            if name == "features.npz":  # which only networks with pretrained encoders leave
                ids = sorted(path.stem for path in (material.pairs / "images").iterdir())
                vectors = np.random.default_rng(0).random((len(ids), 8), dtype=np.float32)
                np.savez(root / "out" / name, ids=ids, features=vectors)
            return next((root / "out").glob(name))

        return build

    shown = ("results.json", "data.json", "runs/*/predictions/*.png", "truth/*.png")
    for name in shown:
        yield Reader("comparison", folder(name), lambda root: ["report", str(root / "out")])
    for name in ("plan.yaml", "data.json", "runs/*/result.json", "features.npz"):
        yield Reader(
            "comparison, gone on with",
            folder(name),
            lambda root: works(material)["comparison"].words(root / "out"),
            weak=True,
        )
