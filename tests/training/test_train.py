from __future__ import annotations

import csv
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import lightning
import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.builders.configurations import changed

from humanseg.cli import main
from humanseg.config.loading import to_yaml
from humanseg.config.schema import TrainConfig, TrainingConfig
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.images import read_mask
from humanseg.images.resize import resize_probability
from humanseg.images.stored_maps import read_probability
from humanseg.inference.engines.onnxruntime_engine import open_onnxruntime
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import read_model_record
from humanseg.models import TorchEngine, build_network, cpu, load_network
from humanseg.report.load_study import run_study
from humanseg.report.text.summary_text import answer
from humanseg.results import RunResult, read_record, write_record
from humanseg.system.errors import DataError, ExportError, FolderBusy, GuardError, UsageError
from humanseg.training import train
from humanseg.training.callbacks.guards import TrainingGuards
from humanseg.training.module import SegmentationModule
from humanseg.training.run_folder import RunFolder

pytestmark = pytest.mark.training
LONG: dict[str, object] = {"epochs": 12}
BEST: dict[str, object] = {"epochs": 6, "checkpoint": "best", "ema_decay": None}


class _Stop(Exception):
    """Stands for a crash."""


def _stop_at(step: int) -> Callable[..., None]:
    def stop(_self: TrainingGuards, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.global_step == step:
            raise _Stop

    return stop


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[TrainConfig], tuple[RunResult, Path]]:
    """Trains with each configuration once; folders are for reading."""
    runs: dict[str, tuple[RunResult, Path]] = {}

    def run(config: TrainConfig) -> tuple[RunResult, Path]:
        key = config.model_dump_json()
        if key not in runs:
            folder = tmp_path_factory.mktemp("trained") / "run"
            runs[key] = train(config, output=folder), folder
        return runs[key]

    return run


Trained = Callable[[TrainConfig], tuple[RunResult, Path]]


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_network(folder / "model")[0].state_dict()


def test_train__says_what_the_published_split_divides(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    names = sorted(path.stem for path in (drawn / "images").iterdir())
    table.write_text("id,group\n" + "".join(f"{name},one\n" for name in names))
    config = changed(tiny, split={"protocol": "reference", "groups": table}, training={"epochs": 1})
    result = train(config, output=tmp_path / "run")
    assert [leak.kind for leak in result.leaks] == ["group"] * 4
    assert {leak.first for leak in result.leaks} | {leak.second for leak in result.leaks} > set(
        result.split.test
    )
    (warning,) = (
        text.replace("\N{NO-BREAK SPACE}", " ")
        for text in answer(run_study(tmp_path / "run", result)).warnings
        if "group" in text
    )
    assert warning == (
        "4 pairs of pictures of one group are divided between training and test by the split: "
        "scores are too high for new people and scenes."
    )


def test_train__leaves_a_model_that_runs_without_torch(tiny: TrainConfig, tmp_path: Path) -> None:
    config = changed(tiny, training={"epochs": 1, "onnx": True})
    train(config, output=tmp_path / "unet")
    network, record = load_network(tmp_path / "unet" / "model")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    onnx = open_onnxruntime(tmp_path / "unet" / "model" / "model.onnx")
    assert np.allclose(
        onnx(pictures), TorchEngine.of_network(network, (64, 64))(pictures), atol=1e-4
    )
    assert record.onnx is not None


def test_train__from_a_cache_gives_the_same_network(
    tiny: TrainConfig, trained: Trained, tmp_path: Path
) -> None:
    result, folder = trained(tiny)
    cached = train(tiny, output=tmp_path / "disk", cache=tmp_path / "cache")
    again = _weights(tmp_path / "disk")
    assert all(torch.equal(value, again[name]) for name, value in _weights(folder).items())
    assert cached.summary == result.summary
    assert cached.baselines == result.baselines
    pixels = (tmp_path / "cache").glob("64x64-*/*")
    assert sum(file.stat().st_size for file in pixels) > 20 * 64 * 64 * 3


def test_train__a_cache_that_is_damaged_between_epochs_is_made_again(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    train(tiny, output=tmp_path / "whole", cache=tmp_path / "cache")

    def damage(_self: TrainingGuards, trainer: lightning.Trainer, *_: object) -> None:
        if trainer.current_epoch == 1:
            for file in (tmp_path / "cache").glob("64x64-*/*"):
                file.write_bytes(b"nonsense" * 600)

    monkeypatch.setattr(TrainingGuards, "on_train_epoch_end", damage)
    train(tiny, output=tmp_path / "damaged", cache=tmp_path / "cache")
    whole = _weights(tmp_path / "whole")
    assert all(
        torch.equal(value, whole[name]) for name, value in _weights(tmp_path / "damaged").items()
    )
    assert "damaged" in caplog.text


def test_train__keeps_the_network_where_onnx_fails(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ExportError("no such operator.")

    monkeypatch.setattr("humanseg.models.saved.write_onnx", fail)
    train(changed(tiny, training={"epochs": 1, "onnx": True}), output=tmp_path / "unet")
    assert load_network(tmp_path / "unet" / "model")[1].onnx is None
    assert "has no model.onnx: no such operator." in caplog.text


def test_train__leaves_a_scored_model(tiny: TrainConfig, trained: Trained) -> None:
    config = changed(tiny, training=LONG)
    result, folder = trained(config)

    assert read_record(folder / "result.json", RunResult) == result
    assert result.summary.iou_mean is not None
    assert result.summary.iou_mean > 0.8  # ellipses on noise
    assert len(result.epochs) == result.kept_epoch == 12
    assert len(result.scores) == len(result.split.test) == 4
    assert set(result.split.train).isdisjoint(result.split.test)
    assert result.cost.train_seconds == pytest.approx(sum(e.seconds for e in result.epochs))
    assert result.cost.wall_seconds > result.cost.train_seconds
    assert result.cost.peak_memory_bytes > 50_000_000
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    score = result.scores[0]
    assert config.data.root is not None
    probability = read_probability(folder / "predictions" / f"{score.id}.png")
    truth = read_mask(config.data.root / "masks" / f"{score.id}.png")
    prediction = resize_probability(probability, truth.shape) >= 0.5
    assert np.count_nonzero(prediction & truth) == score.tp
    assert result.calibration is not None
    pixels = sum(one.height * one.width for one in result.scores)
    assert sum(result.calibration.pixels) == pixels
    assert result.train_summary is not None
    assert result.train_summary.images == len(result.split.train)
    assert not list(folder.rglob(".*"))


def test_train__saved_model_scores_the_same(tiny: TrainConfig, trained: Trained) -> None:
    """What evaluation reports of the saved model is what training reported."""
    result, folder = trained(changed(tiny, training=LONG))
    segmenter = Segmenter(folder / "model", backend="torch", device="cpu")
    assert tiny.data.root is not None
    again = evaluate(segmenter, data=tiny.data.root, whole_files=True)
    assert again.setup == result.setup
    scores = {score.id: score for score in again.scores}
    for score in result.scores:
        assert abs(scores[score.id].tp - score.tp) <= 2  # memory format may differ
        assert abs(scores[score.id].fp - score.fp) <= 2


@pytest.mark.parametrize("arch", ["unet", "fpn", "deeplabv3plus"])
def test_resume__gives_the_weights_of_an_uninterrupted_run(
    tiny: TrainConfig,
    trained: Trained,
    tmp_path: Path,
    arch: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """FPN and DeepLabV3+ have dropout. The interruption comes in the middle of an epoch."""
    config = changed(tiny, model={"arch": arch})
    whole, folder = trained(config)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuards, "on_train_batch_end", _stop_at(8))  # of 3 an epoch: the third
        with pytest.raises(_Stop):
            train(config, output=tmp_path / "parts")
    assert not (tmp_path / "parts" / "result.json").exists()
    resumed = train(config, output=tmp_path / "parts", resume=True)

    first, second = _weights(folder), _weights(tmp_path / "parts")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert resumed.scores == whole.scores
    assert resumed.cost.wall_seconds > resumed.cost.train_seconds  # both parts are counted
    figures = {"train_loss", "train_iou", "validation_loss", "validation_iou", "learning_rate"}
    assert [e.model_dump(include=figures) for e in resumed.epochs] == [
        e.model_dump(include=figures) for e in whole.epochs
    ]


def test_train__same_seed_same_weights_other_seed_other(
    tiny: TrainConfig, trained: Trained, tmp_path: Path
) -> None:
    train(tiny, output=tmp_path / "b")
    train(changed(tiny, training={"seed": 7}), output=tmp_path / "c")
    a, b, c = (_weights(folder) for folder in (trained(tiny)[1], tmp_path / "b", tmp_path / "c"))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not all(torch.equal(a[name], c[name]) for name in a)


def test_train__best_checkpoint_is_the_one_of_lowest_loss(
    tiny: TrainConfig, trained: Trained
) -> None:
    optimiser: dict[str, object] = {"learning_rate": 0.03, "schedule": "constant"}
    result, _ = trained(changed(tiny, training=BEST, optimiser=optimiser))
    losses = [epoch.validation_loss for epoch in result.epochs]
    assert result.kept_epoch == 1 + int(np.argmin(losses))  # type: ignore[arg-type]


def test_resume__best_checkpoint_survives_an_interruption(
    tiny: TrainConfig, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder moves in between, and the best epoch comes before the interruption."""
    optimiser: dict[str, object] = {"learning_rate": 0.03, "schedule": "constant"}
    config = changed(tiny, training=BEST, optimiser=optimiser)
    whole, _ = trained(config)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuards, "on_train_batch_end", _stop_at(13))
        with pytest.raises(_Stop):
            train(config, output=tmp_path / "parts")
    (tmp_path / "parts").rename(tmp_path / "moved")
    resumed = train(config, output=tmp_path / "moved", resume=True)
    assert resumed.kept_epoch == whole.kept_epoch
    assert resumed.scores == whole.scores


def test_resume__before_the_first_checkpoint_still_starts_from_the_encoder_weights(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(5)
    source = timm.create_model("test_efficientnet", pretrained=False)
    save_file(source.state_dict(), tmp_path / "weights.safetensors")
    config = changed(
        tiny,
        model={"encoder_weights": str(tmp_path / "weights.safetensors")},
        training={"epochs": 2},
    )
    train(config, output=tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuards, "on_train_batch_end", _stop_at(1))
        with pytest.raises(_Stop):
            train(config, output=tmp_path / "parts")
    train(config, output=tmp_path / "parts", resume=True)
    first, second = _weights(tmp_path / "whole"), _weights(tmp_path / "parts")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_train__is_guarded_against_another_networks_optimiser(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The published mistake, made inside the product, does not yield a result."""
    other = build_network(tiny.model)
    monkeypatch.setattr(
        SegmentationModule,
        "configure_optimizers",
        lambda _self: torch.optim.Adam(other.parameters(), lr=0.003),
    )
    with pytest.raises(GuardError, match="are not the network's"):
        train(tiny, output=tmp_path / "run")
    assert not (tmp_path / "run" / "result.json").exists()


def test_train__a_weak_network_is_written_and_marked(tiny: TrainConfig, tmp_path: Path) -> None:
    config = changed(tiny, optimiser={"learning_rate": 1e-5}, training={"epochs": 1})
    result = train(config, output=tmp_path / "run")
    assert result.summary.iou_mean is not None
    assert result.baseline is not None
    assert result.weak
    assert result.summary.iou_mean <= result.baseline
    model = tmp_path / "run" / "model"
    assert read_model_record(model).weak
    assert "Do not use this model" in (model / "README.md").read_text(encoding="utf-8")


def test_checkpoint__names_its_configuration(tiny: TrainConfig, trained: Trained) -> None:
    path = trained(tiny)[1] / "checkpoints" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    assert TrainConfig.model_validate(checkpoint["config"]) == tiny


def test_train__finished_run_is_only_read(
    tiny: TrainConfig, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, folder = trained(tiny)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setattr(TrainingGuards, "on_train_batch_start", _stop_at(0))
    assert train(first.config, output=folder, resume=True) == first
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_train__bf16_and_channels_last(tiny: TrainConfig, tmp_path: Path) -> None:
    mode: dict[str, object] = {"precision": "bf16", "memory_format": "channels_last", "epochs": 1}
    config = changed(tiny, training=mode)
    result = train(config, output=tmp_path / "run")
    assert (result.resolved.precision, result.resolved.memory_format) == ("bf16", "channels_last")
    assert result.resolved.timings == {}


def test_train__auto_times_every_mode(tiny: TrainConfig, tmp_path: Path) -> None:
    config = changed(tiny, training={"epochs": 1, "precision": "auto", "memory_format": "auto"})
    resolved = train(config, output=tmp_path / "run").resolved
    assert len(resolved.timings) == 4
    fastest = min(resolved.timings, key=lambda name: resolved.timings[name])
    assert fastest == f"{resolved.precision} {resolved.memory_format}"


def test_train__reports_every_epoch_and_draws_nothing(
    tiny: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[int, int | None, str, str]] = []
    stages: list[str] = []

    def show(
        done: int,
        total: int | None,
        *,
        stage: str = "",
        detail: str = "",
        milestone: bool = False,
    ) -> None:
        stages.append(stage)
        if milestone:
            calls.append((done, total, stage, detail))

    result = train(changed(tiny, training={"epochs": 2}), output=tmp_path / "unet", progress=show)
    assert list(dict.fromkeys(stages)) == ["Looking at images", "unet"]
    assert [(done, total, stage) for done, total, stage, _ in calls] == [
        (steps, 6, "unet") for steps in (3, 6)
    ]
    last = result.epochs[-1]
    assert calls[-1][3].startswith(
        f"epoch 2/2, loss {last.train_loss:.3f}, IoU {last.train_iou:.3f}, validation loss "
    )
    assert capsys.readouterr() == ("", "")


def test_command__piped_writes_a_line_per_epoch(
    tiny: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(to_yaml(changed(tiny, training={"epochs": 4})))
    assert main(["train", "--config", str(config), "-o", str(tmp_path / "unet")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(
        r"humanseg: unet: epoch 2/4, loss \d\.\d+, IoU \d\.\d+, validation loss \d\.\d+, "
        r"IoU \d\.\d+, \d+\.\d images/s, \d+\.\d s left",
        lines[1],
    )


def test_train__where_the_library_has_changed_goes_on_slower_with_a_note(
    tiny: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cpu._note_once.cache_clear()
    monkeypatch.delattr(
        "segmentation_models_pytorch.encoders._efficientnet.Conv2dStaticSamePadding"
    )
    monkeypatch.delattr("segmentation_models_pytorch.decoders.fpn.decoder.FPNBlock")
    result = train(changed(tiny, training={"epochs": 1}), output=tmp_path / "run")
    assert len(result.epochs) == 1
    notes = [record.getMessage() for record in caplog.records]
    assert len([note for note in notes if "slower than it could be" in note]) == 2


def test_train__loggers_write_below_the_run(tiny: TrainConfig, tmp_path: Path) -> None:
    loggers = ["csv", "tensorboard"]
    train(changed(tiny, training={"epochs": 1, "loggers": loggers}), output=tmp_path / "run")
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))
    assert "loss" in (tmp_path / "run" / "csv" / "metrics.csv").read_text().splitlines()[0]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_train__a_logger_that_is_not_installed_is_named(
    tiny: TrainConfig, tmp_path: Path, name: str
) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(UsageError, match=f"{name} needs the package {name}, which is not"):
        train(changed(tiny, training={"loggers": [name]}), output=tmp_path / "run")


def test_config__of_before_the_loggers_is_read(tiny: TrainConfig) -> None:
    old = {**tiny.training.model_dump(exclude={"loggers"}), "tensorboard": True}
    assert TrainingConfig.model_validate(old).loggers == ("tensorboard",)
    assert TrainingConfig.model_validate(old | {"tensorboard": False}).loggers == ()


class TestRefusals:
    def test_no_data(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--data"):
            train(TrainConfig(), output=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_best_without_validation(self, tiny: TrainConfig, tmp_path: Path) -> None:
        config = changed(tiny, split={"validation": 0}, training={"checkpoint": "best"})
        with pytest.raises(UsageError, match="needs a validation part"):
            train(config, output=tmp_path / "run")

    @pytest.mark.parametrize(
        "split", [{"protocol": "folds", "validation": 0}, {"protocol": "holdout", "validation": 0}]
    )
    def test_best_without_validation_in_any_protocol(
        self, tiny: TrainConfig, tmp_path: Path, split: dict[str, object]
    ) -> None:
        config = changed(tiny, split=split, training={"checkpoint": "best"})
        with pytest.raises(UsageError, match="needs a validation part"):
            train(config, output=tmp_path / "run")

    def test_folder_in_other_hands(self, tiny: TrainConfig, tmp_path: Path) -> None:
        with (
            RunFolder(tmp_path / "run").held(),
            pytest.raises(FolderBusy, match="another process is training here"),
        ):
            train(tiny, output=tmp_path / "run")
        assert not (tmp_path / "run").exists()  # nothing came of it

    def test_another_split_of_a_finished_run(
        self, tiny: TrainConfig, trained: Trained, tmp_path: Path
    ) -> None:
        result, folder = trained(tiny)
        shutil.copytree(folder, tmp_path / "run")
        moved = result.split.model_copy(update={"train": result.split.train[::-1]})
        write_record(tmp_path / "run" / "result.json", result.model_copy(update={"split": moved}))
        with pytest.raises(DataError, match="the split comes out differently"):
            train(tiny, output=tmp_path / "run", resume=True)

    def test_folder_of_another_configuration(self, tiny: TrainConfig, tmp_path: Path) -> None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "config.yaml").write_text(to_yaml(tiny))
        with pytest.raises(UsageError, match="holds a run already"):
            train(tiny, output=tmp_path / "run")
        with pytest.raises(UsageError, match="another configuration"):
            train(changed(tiny, training={"epochs": 9}), output=tmp_path / "run", resume=True)

    def test_folder_of_something_else(self, tiny: TrainConfig, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(UsageError, match="not empty and no run folder"):
            train(tiny, output=tmp_path)
        assert (tmp_path / "notes.txt").read_text() == "mine"

    def test_missing_cuda(self, tiny: TrainConfig, tmp_path: Path) -> None:
        if torch.cuda.is_available():
            pytest.skip("has CUDA")
        with pytest.raises(UsageError, match="no CUDA device"):
            train(changed(tiny, training={"device": "cuda"}), output=tmp_path / "run")

    def test_black_masks(self, tiny: TrainConfig, drawn: Path, tmp_path: Path) -> None:
        for part in ("images", "masks"):
            (tmp_path / "black" / part).mkdir(parents=True)
        for path in (drawn / "images").iterdir():
            (tmp_path / "black" / "images" / path.name).write_bytes(path.read_bytes())
            with Image.open(path) as image:
                Image.new("L", image.size).save(tmp_path / "black" / "masks" / path.name)
        config = changed(tiny, data={"root": tmp_path / "black"})
        with pytest.raises(DataError, match="all are black"):
            train(config, output=tmp_path / "run")
        assert not (tmp_path / "run").exists()

    def test_data_changed_since_the_run_began(
        self, tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(TrainingGuards, "on_train_batch_start", _stop_at(0))
            with pytest.raises(_Stop):
                train(tiny, output=tmp_path / "run")
        state = tmp_path / "run" / "run.json"
        changed = json.loads(state.read_text()) | {"data_fingerprint": "0"}
        state.write_text(json.dumps(changed))
        with pytest.raises(DataError, match="changed since this run began"):
            train(tiny, output=tmp_path / "run", resume=True)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c__saves_and_goes_on(tiny: TrainConfig, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(to_yaml(changed(tiny, training={"epochs": 400})))
    run = tmp_path / "run"
    command = [sys.executable, "-m", "humanseg", "train", "--config", str(config), "-o", str(run)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (run / "checkpoints" / "last.ckpt").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(2)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Stopped after" in stderr
    assert "Traceback" not in stderr
    epochs = len((run / "metrics.csv").read_text().splitlines()) - 1
    assert 1 <= epochs < 400
    stopped = int(stderr.split("Stopped after ")[1].split()[0])
    assert abs(stopped - epochs) <= 1
    assert f"humanseg train --resume {run}" in stderr
