"""`humanseg predict --as coco` and other labels."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders.segmenters import BrightIsPerson

from humanseg.cli.network_flags import NetworkFlags
from humanseg.data import discover
from humanseg.inference.segmenter import Segmenter

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures with somebody, one without, and a network that takes white for people."""

    def open_network(self: NetworkFlags, *, threads: int | None = None) -> Segmenter:
        return BrightIsPerson()

    monkeypatch.setattr(NetworkFlags, "open", open_network)
    monkeypatch.chdir(tmp_path)
    for name, level in (("1.jpg", 255), ("a/1.png", 230), ("a/nobody.png", 0)):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (60, 45))
        image.paste((level, level, level), (20, 10, 50, 40))
        image.save(path)
    return Path("photos")


FILES = {
    "coco": [
        "annotations.json", "parts/1.jpg.json", "parts/a/1.png.json", "parts/a/nobody.png.json"
    ],
    "yolo": ["data.yaml", "labels/1.txt", "labels/a/1.txt", "labels/a/nobody.txt"],
    "labelme": ["1.json", "a/1.json", "a/nobody.json"],
    "voc": [
        "SegmentationClass/1.png", "SegmentationClass/a/1.png", "SegmentationClass/a/nobody.png",
        "labelmap.txt",
    ],
}  # fmt: skip


def files(folder: str) -> list[str]:
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if not name.startswith(".")]


@pytest.mark.parametrize("kind", ["coco", "yolo", "labelme", "voc"])
def test_labels__are_written_and_unchanged_work_is_skipped(
    run: Run, photos: Path, kind: str
) -> None:
    code, out, err = run("predict", str(photos), "-o", "out", "--as", kind, "--json")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["status"] for line in lines} == {"done"}
    assert sorted(line["people"] for line in lines) == [False, True, True]
    assert files("out") == FILES[kind]
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*1*") if path.is_file()}
    code, out, _ = run("predict", str(photos), "-o", "out", "--as", kind, "--json")
    assert code == 0
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["skipped"] * 3
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_coco__holds_pictures_that_were_done_before(run: Run, photos: Path) -> None:
    assert run("predict", str(photos / "a"), "-o", "out", "--as", "coco")[0] == 0
    Path("photos/a/more.png").write_bytes(Path("photos/a/1.png").read_bytes())
    assert run("predict", str(photos / "a"), "-o", "out", "--as", "coco")[0] == 0
    document = json.loads(Path("out/annotations.json").read_text())
    assert [image["file_name"] for image in document["images"]] == [
        "1.png", "more.png", "nobody.png"
    ]  # fmt: skip
    assert [row["image_id"] for row in document["annotations"]] == [1, 2]


def test_coco__of_shards_holds_what_is_there(run: Run, photos: Path) -> None:
    for shard in ("1/2", "2/2"):
        assert run("predict", str(photos), "-o", "out", "--as", "coco", "--shard", shard)[0] == 0
    document = json.loads(Path("out/annotations.json").read_text())
    names = [image["file_name"] for image in document["images"]]
    assert names == ["1.jpg", "a/1.png", "a/nobody.png"]


def test_labelme__opens_the_picture_from_where_it_lies(run: Run, photos: Path) -> None:
    assert run("predict", str(photos), "-o", "out", "--as", "labelme")[0] == 0
    document = json.loads(Path("out/a/1.json").read_text())
    assert document["imagePath"] == "../../photos/a/1.png"
    samples = discover(Path("out"))
    assert [sample.id for sample in samples] == ["1", "a/1", "a/nobody"]
    assert samples[0].read_mask().any()


@pytest.mark.parametrize("kind", ["coco", "yolo", "labelme", "voc"])
def test_labels__are_made_again_with_other_settings_all_at_once(
    run: Run, photos: Path, kind: str
) -> None:
    run("predict", "photos", "-o", "out", "--as", kind)
    again = ("-o", "out", "--as", kind, "--threshold", "0.7", "--overwrite")
    code, _, err = run("predict", "photos/1.jpg", *again)
    assert (code, " would stay among these" in err) == (2, True)
    assert run("predict", "photos", *again)[0] == 0


def test_labels__of_another_input_of_the_same_name_are_refused(run: Run, photos: Path) -> None:
    run("predict", "photos", "-o", "out", "--as", "voc")
    code, _, err = run("predict", "photos/a", "-o", "out", "--as", "voc")
    assert (code, "SegmentationClass/1.png: exists, and was made of an input in" in err) == (
        2,
        True,
    )


def test_labels__another_kind_does_not_get_mixed_in(run: Run, photos: Path) -> None:
    assert run("predict", str(photos), "-o", "out", "--as", "coco")[0] == 0
    code, _, err = run("predict", str(photos), "-o", "out", "--as", "coco", "--tolerance", "3")
    assert code == 2
    assert "its results were made with no --tolerance, and these would be with --tolerance 3" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("photos/1.jpg --as coco", "--as coco labels files in a folder; give pictures, and -o F"),
        ("photos/1.jpg -o - --as yolo", "--as yolo labels files in a folder"),
        ("--camera 0 -o out --as voc", "--as voc labels files in a folder"),
        ("photos -o labels.json --as coco", "labels.json: --as coco needs a folder with -o"),
        ("photos -o photos/1.jpg --as coco", "photos/1.jpg: --as coco needs a folder with -o"),
        ("photos -o out --as coco --format png", "--format has no effect on --as coco; leave"),
        ("photos -o out --as yolo --keep-suffix", "--keep-suffix has no effect on --as yolo"),
        ("photos -o out --as voc --tolerance 1", "--tolerance: got 1 in the given values, but"),
        ("photos -o out --as coco --tolerance -1", "--tolerance: got -1; must be at least 0"),
        ("photos clip.mp4 -o out --as coco", "clip.mp4: is a video; --as coco labels pictures."),
    ],
)
def test_labels__what_is_impossible_is_refused(
    run: Run, photos: Path, words: str, sentence: str
) -> None:
    Path("clip.mp4").write_bytes(b"x")
    code, out, err = run("predict", *words.split())
    assert (code, out) == (2, "")
    assert sentence in err
    assert not Path("out").exists()


@pytest.mark.command
def test_labels__of_the_bundled_model_come_back_as_data(tmp_path: Path) -> None:
    """The whole loop in processes: predict, then check the labels as a data set."""
    from humanseg.data import draw_scene

    for seed in range(3):
        image, _ = draw_scene(np.random.default_rng(seed), (240, 320), clutter=0.0)
        path = tmp_path / "labels/images" / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)

    def humanseg(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "humanseg", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = humanseg("predict", "labels/images", "-o", "labels", "--as", "yolo")
    assert done.returncode == 0, done.stderr
    checked = humanseg("data", "check", "labels")
    assert "Looked at 3 images and their masks (yolo)" in checked.stdout, checked.stderr
    assert "What the labels mean: people: person" in checked.stdout
