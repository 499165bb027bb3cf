"""Training that starts from a whole trained network."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from PIL import Image
from tests.builders.configurations import changed, find_data

from humanseg.cli import main
from humanseg.config.schema import TrainConfig
from humanseg.data.training_images import read_training_images
from humanseg.model_directory import read_model_record, structure_of
from humanseg.models import load_network, start_network
from humanseg.system.errors import DataError, UsageError
from humanseg.training import train
from humanseg.training.callbacks.guards import TrainingGuards
from humanseg.training.further_data import check_start, find_starts

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    """A model directory."""
    config = TrainConfig.model_validate(
        {
            "data": {"root": drawn},
            "split": {"validation": 0.2, "test": 0.2},
            "model": {
                "encoder_name": "tu-test_efficientnet",
                "encoder_weights": "none",
                "image_size": (64, 64),
                "decoder_channels": (32, 16, 16, 8, 8),
            },
            "training": {
                "epochs": 12,
                "batch_size": 4,
                "precision": "fp32",
                "memory_format": "contiguous",
                "ema_decay": None,
                "onnx": False,
            },
        }
    )
    root = tmp_path_factory.mktemp("trained")
    train(config, output=root / "run")
    return root / "run" / "model"


def continuing(tiny: TrainConfig, model: Path, **changes: object) -> TrainConfig:
    values = tiny.model_dump()
    values["model"] |= structure_of(str(model)) | {"encoder_weights": None} | changes
    values["training"] |= {"epochs": 1}
    return TrainConfig.model_validate(values)


def test_structure__is_what_the_weights_need(trained: Path) -> None:
    structure = structure_of(str(trained))
    assert structure["decoder_channels"] == [32, 16, 16, 8, 8]
    assert structure["start_from"] == str(trained)
    assert "encoder_weights" not in structure


def test_start__has_the_very_weights(tiny: TrainConfig, trained: Path) -> None:
    network = start_network(continuing(tiny, trained).model)
    before = load_network(trained)[0].state_dict()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert network.training
    assert "sha256:" in network.weights


def test_training__goes_on_where_the_model_was(
    tiny: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    started = train(continuing(tiny, trained), output=tmp_path / "a")
    fresh = train(
        continuing(tiny, trained, start_from=None, encoder_weights="none"), output=tmp_path / "b"
    )
    assert started.epochs[0].train_loss < 0.7 * fresh.epochs[0].train_loss
    assert started.resolved.encoder_weights.startswith("model/model.safetensors sha256:")


def test_other_structure__is_refused(tiny: TrainConfig, trained: Path) -> None:
    config = continuing(tiny, trained, decoder_channels=None)
    with pytest.raises(UsageError, match=r"model\.decoder_channels: got None, but the model"):
        start_network(config.model)


def test_no_model__is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        structure_of(str(tmp_path / "none"))


def test_command__takes_structure_and_small_steps_from_the_model(
    trained: Path, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--from", str(trained), "--data", str(drawn), "--show-config"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "encoder_name: tu-test_efficientnet" in out
    assert "image_size: [64, 64]" in out
    assert "learning_rate: 0.0003" in out


def test_command__refuses_another_architecture(
    trained: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--from", str(trained), "--data", str(drawn), "--arch", "fpn"]
    assert main([*words, "-o", str(tmp_path / "run")]) == 2
    assert "model.arch: got fpn" in capsys.readouterr().err


def crash(config: TrainConfig, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a training that ends without a word in its second epoch."""

    def stop(_self: TrainingGuards, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            raise KeyError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuards, "on_train_batch_start", stop)
        with pytest.raises(KeyError):
            train(config, output=run)


def test_resumed_training__needs_neither_the_model_nor_its_statistics_again(
    tiny: TrainConfig, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = continuing(tiny, trained).model_dump()
    values["training"] |= {"epochs": 2}
    config = TrainConfig.model_validate(values)

    whole = train(config, output=tmp_path / "whole")
    crash(config, tmp_path / "run", monkeypatch)
    trained.rename(tmp_path / "gone")
    try:
        resumed = train(config, output=tmp_path / "run", resume=True)
    finally:
        (tmp_path / "gone").rename(trained)
    assert resumed.epochs[-1].train_loss == whole.epochs[-1].train_loss
    assert resumed.resolved.mean == whole.resolved.mean


def test_model_that_saw_the_test_pictures__is_refused(
    tiny: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    values = continuing(tiny, trained).model_dump()
    values["split"] |= {"seed": 7}
    config = TrainConfig.model_validate(values)
    taught = find_data(read_model_record(trained).config).split.train
    seen = [name for name in find_data(config).held_out if name in taught]
    assert len(seen) > 3
    message = re.escape(f"trained on {len(seen)} of the pictures that are held out here ({seen[0]}")
    with pytest.raises(DataError, match=message):
        train(config, output=tmp_path / "run")


def test_encoder_of_a_model_that_saw_the_test_pictures__is_refused(
    tiny: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    """Its file of weights alone gives the encoder as well."""
    weights = str(trained / "model.safetensors")
    config = changed(tiny, model={"encoder_weights": weights}, split={"seed": 7})
    message = (
        r"model\.encoder_weights: .*model was trained on \d+ of the pictures that are held out"
    )
    with pytest.raises(DataError, match=message):
        train(config, output=tmp_path / "run")
    moved = Path(shutil.copy(weights, tmp_path / "encoder.safetensors"))
    alone = changed(config, model={"encoder_weights": str(moved)})
    assert find_starts(alone) == ()
    (start,) = find_starts(config)
    assert start.fingerprints == (read_model_record(trained).data_fingerprint,)


def test_teacher_that_saw_the_test_pictures__is_refused(
    tiny: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    config = changed(tiny, loss={"teacher": str(trained)}, split={"seed": 7})
    message = r"loss\.teacher: .*model was trained on \d+ of the pictures that are held out here"
    with pytest.raises(DataError, match=message):
        train(config, output=tmp_path / "run")


def test_teacher__is_named_with_what_it_was_trained_on(
    tiny: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    config = changed(tiny, loss={"teacher": str(trained)}, training={"epochs": 1})
    result = train(config, output=tmp_path / "run")
    assert len(result.epochs) == 1
    model = tmp_path / "run" / "model"
    assert f"* Through the teacher ({trained}): where its training" in (
        (model / "README.md").read_text()
    )
    known = read_training_images(model)
    assert known is not None
    assert len(known) == len(find_data(config).split.train)  # they are the teacher's as well


def test_teacher_that_was_exchanged__is_not_gone_on_with(
    tiny: TrainConfig, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = shutil.copytree(trained, tmp_path / "teacher")
    config = changed(tiny, loss={"teacher": str(teacher)}, training={"epochs": 2})
    crash(config, tmp_path / "run", monkeypatch)
    (teacher / "model.safetensors").write_bytes(b"others")
    with pytest.raises(DataError, match=r"run: loss\.teacher .* has other weights than when"):
        train(config, output=tmp_path / "run", resume=True)
    shutil.copy(trained / "model.safetensors", teacher)
    assert len(train(config, output=tmp_path / "run", resume=True).epochs) == 2


def test_teacher_that_is_not_there__is_a_sentence(tiny: TrainConfig, tmp_path: Path) -> None:
    config = changed(tiny, loss={"teacher": str(tmp_path / "none")})
    with pytest.raises(UsageError, match=r"none: does not exist; give the folder `model`"):
        train(config, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_model_of_another_split_without_its_list_of_images__is_refused(
    tiny: TrainConfig, trained: Path
) -> None:
    values = continuing(tiny, trained).model_dump()
    values["split"] |= {"seed": 7}
    config = TrainConfig.model_validate(values)
    data = find_data(config)
    (start,) = find_starts(config)
    with pytest.raises(DataError, match=r"on this data set, divided otherwise, perhaps .* seed 42"):
        check_start(replace(start, images=None), config, data.fingerprint, data.held_out)


def test_model_of_another_split_that_saw_nothing_held_out__is_welcome(
    tiny: TrainConfig, trained: Path
) -> None:
    """Its list of training images decides, not the settings of its split."""
    values = continuing(tiny, trained).model_dump()
    values["split"] |= {"seed": 7}
    config = TrainConfig.model_validate(values)
    data = find_data(config)
    (start,) = find_starts(config)
    start = replace(start, images=data.trained_on)
    check_start(start, config, data.fingerprint, data.held_out)


def test_model_knows_all_data_that_it_came_from(
    tiny: TrainConfig, trained: Path, tmp_path: Path
) -> None:
    other = draw_other(tmp_path / "other")
    values = continuing(tiny, trained).model_dump()
    values["data"] |= {"root": other}
    train(TrainConfig.model_validate(values), output=tmp_path / "run")
    before = read_model_record(trained).data_fingerprint
    assert read_model_record(tmp_path / "run" / "model").extra_fingerprints == (before,)


def draw_other(root: Path) -> Path:
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for number in range(10):
        rng = np.random.default_rng(number)
        mask = np.zeros((64, 64), dtype=np.uint8)
        top, left = rng.integers(0, 32, 2)
        mask[top : top + 30, left : left + 24] = 255
        pixels = rng.integers(0, 120, (64, 64, 3), dtype=np.uint8)
        pixels[mask > 0] = 220
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"{number}.png")
    return root
