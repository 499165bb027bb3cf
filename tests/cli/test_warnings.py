"""What the commands warn of, as a user types them, on drawn pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from tests.builders.command import run_command as _run

from humanseg.data import discover, synthesize
from humanseg.data.signatures import image_bits, read_signatures
from humanseg.data.training_images import write_training_images
from humanseg.model_directory import bundled, read_model_record, write_model_record

pytestmark = pytest.mark.command

WEAK = "this model is no better than the mean training mask, the same answer to every picture"


@pytest.fixture
def weak(brightness_model: Path, tmp_path: Path) -> Path:
    model = shutil.copytree(brightness_model, tmp_path / "weak")
    record = read_model_record(model)
    write_model_record(model, record.model_copy(update={"weak": True}))
    return model


def test_weak_model__is_named_by_whoever_runs_it(weak: Path, drawn: Path, tmp_path: Path) -> None:
    sound = _run("predict", drawn / "images", "-o", tmp_path / "sound")
    assert WEAK not in sound.stderr
    done = _run("predict", drawn / "images", "-o", tmp_path / "out", "--model", weak)
    assert done.stderr.count(f"humanseg: note: {weak}: {WEAK}") == 1
    said = _run("evaluate", weak, "--data", drawn, "--threshold", "0.3").stderr
    assert WEAK in said
    assert "note: scored at the threshold 0.3; the model's own is 0.5. Chosen by these" in said
    unloadable = _run("export", weak, "-o", tmp_path / "weak.onnx", expect=1)
    assert unloadable.stderr.count(f"humanseg: note: {weak}: {WEAK}") == 1
    absent = _run("benchmark", weak, "--pictures", tmp_path / "absent", expect=2)
    assert WEAK in absent.stderr


def test_inverted_masks__fit_the_model_better_inverted(
    brightness_model: Path, drawn: Path, tmp_path: Path
) -> None:
    assert "inverse" not in _run("evaluate", brightness_model, "--data", drawn).stderr
    inverted = shutil.copytree(drawn, tmp_path / "inverted")
    for file in (inverted / "masks").iterdir():
        with Image.open(file) as mask:
            ImageOps.invert(mask).save(file)
    said = _run("evaluate", brightness_model, "--data", inverted).stderr
    assert "warning: the model fits the inverse of the masks better (IoU 0.9" in said
    assert f"see `humanseg data check {inverted}`." in said


def test_evaluate__names_pictures_whose_copies_were_trained_on(tmp_path: Path) -> None:
    """Three of eight, of which the model saw one mirrored, one larger and one as it is."""
    root = synthesize(tmp_path / "set", count=8, size=(192, 256), seed=5)
    samples = discover(root)
    changes: tuple[Callable[[Image.Image], Image.Image], ...] = (
        ImageOps.mirror,
        lambda image: image.resize((512, 384)),
        lambda image: image,
    )
    for sample, change in zip(samples, changes, strict=False):
        (tmp_path / "taught").mkdir(exist_ok=True)
        with Image.open(sample.image) as image:
            change(image).save(tmp_path / "taught" / sample.image.name)
    model = shutil.copytree(bundled(), tmp_path / "model")
    before = _run("evaluate", model, "--data", root)
    assert "was trained on" not in before.stdout
    taught = [
        type(sample)(sample.id, tmp_path / "taught" / sample.image.name) for sample in samples[:3]
    ]
    write_training_images(model, image_bits(list(read_signatures(taught).values())))
    said = _run("evaluate", model, "--data", root).stdout.replace("\N{NO-BREAK SPACE}", " ")
    assert (
        "Warning: A model was trained on 3 pictures that it was scored on, or on copies: its "
        "scores are too high for new pictures."
    ) in said


def test_split__says_what_the_published_one_divides(tmp_path: Path) -> None:
    root = synthesize(tmp_path / "set", count=10, size=(64, 64), seed=2, clutter=0.0)
    names = sorted(path.stem for path in (root / "images").iterdir())
    table = tmp_path / "groups.csv"
    table.write_text("id,group\n" + "".join(f"{name},one\n" for name in names))
    words = ("data", "split", root, "--split.groups", table)
    said = _run(*words, "--split.protocol", "reference").stderr
    assert "humanseg: note: 2 pairs of pictures that show the same or are of one group" in said
    table.write_text("id,group\n" + "".join(f"{name},{name}\n" for name in names))
    assert _run(*words, "--split.protocol", "reference").stderr == ""
