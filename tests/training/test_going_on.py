"""What a run can know before its first epoch, and what may change before it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import lightning
import pytest
from PIL import Image
from tests.builders.configurations import changed, find_data

from humanseg.cli import main
from humanseg.config.loading import read_stored, to_yaml
from humanseg.config.schema import TrainConfig
from humanseg.data.inspection import Finding
from humanseg.model_directory import read_model_record
from humanseg.system.errors import DataError, GuardError, UsageError
from humanseg.training import finish, train
from humanseg.training.callbacks.guards import TrainingGuards
from humanseg.training.run_folder import settings_digest

pytestmark = pytest.mark.training


class _Stop(Exception):
    """Stands for a crash."""


@pytest.fixture
def stopped(tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run that ended in its second epoch."""

    def stop(_: TrainingGuards, trainer: lightning.Trainer, *__: object) -> None:
        if trainer.current_epoch == 1:
            raise _Stop

    with monkeypatch.context() as patch:
        patch.setattr(TrainingGuards, "on_train_batch_end", stop)
        with pytest.raises(_Stop):
            train(tiny, output=tmp_path / "run")
    return tmp_path / "run"


def test_no_person_to_test_on__is_said_before_training(
    tiny: TrainConfig, drawn: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(drawn, tmp_path / "few")
    config = changed(tiny, data={"root": root}, split={"protocol": "reference"})
    for name in find_data(config).split.test:
        mask = root / "masks" / f"{name}.png"
        with Image.open(mask) as image:
            size = image.size
        Image.new("L", size).save(mask)
    with pytest.raises(DataError, match=r"^None of the 4 test pictures has a person in its mask"):
        train(config, output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_doubts_of_the_trained_network__lose_no_training(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doubt(names: Sequence[str], *_: object) -> list[Finding]:
        return [Finding(code="mirrored-masks", severity="error", file="set", message="look.")]

    monkeypatch.setattr(finish, "learned_findings", doubt)
    run = tmp_path / "run"
    with pytest.raises(GuardError, match=rf"--resume {run} --accept mirrored-masks\.$"):
        train(tiny, output=run)
    assert read_model_record(run / "model").config == tiny
    accepted = changed(tiny, data={"accept": ("mirrored-masks",)})
    result = train(accepted, output=run, resume=True)
    assert (result.label_doubts, len(result.epochs)) == (("set: look.",), 3)


def test_pictures_that_were_moved__are_known_again(
    tiny: TrainConfig, drawn: Path, tmp_path: Path, stopped: Path
) -> None:
    there = shutil.copytree(drawn, tmp_path / "there")
    result = train(changed(tiny, data={"root": there}), output=stopped, resume=True)
    assert len(result.epochs) == 3
    assert read_stored(TrainConfig, stopped / "config.yaml").data.root == there


def test_changed_settings__do_not_go_on(
    tiny: TrainConfig, stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stopped / "config.yaml").write_text(to_yaml(changed(tiny, model={"image_size": (96, 96)})))
    assert main(["train", "--resume", str(stopped)]) == 2
    assert capsys.readouterr().err == (
        f"humanseg: {stopped / 'config.yaml'}: has changed since this run began; restore it, or "
        "begin anew in another folder.\n"
    )
    state = json.loads((stopped / "run.json").read_text())
    (stopped / "run.json").write_text(json.dumps(state | {"settings": None}))  # of before
    (stopped / "config.yaml").write_text(to_yaml(tiny))
    with pytest.raises(UsageError, match="holds a run of another configuration"):
        train(changed(tiny, training={"seed": 5}), output=stopped, resume=True)
    assert len(train(tiny, output=stopped, resume=True).epochs) == 3


def test_settings_digest__is_of_all_but_places_and_what_is_accepted(tiny: TrainConfig) -> None:
    same = {"root": Path("x"), "extra": (Path("y"),), "accept": ("mask-values",)}
    alike = changed(tiny, data=same, split={"groups": Path("z")})
    assert settings_digest(alike) == settings_digest(tiny)
    others: list[dict[str, dict[str, object]]] = [
        {"data": {"classes": ("dog",)}}, {"split": {"seed": 1}}, {"training": {"epochs": 4}}
    ]  # fmt: skip
    assert all(settings_digest(changed(tiny, **other)) != settings_digest(tiny) for other in others)
