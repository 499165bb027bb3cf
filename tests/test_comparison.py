from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from humanseg import comparison
from humanseg.comparison import compare
from humanseg.config import CompareConfig, TrainConfig
from humanseg.errors import Interrupted, ModelError, UsageError
from humanseg.report import write_report
from humanseg.results import ComparisonResult, RunResult, read_record
from humanseg.training import RunData


def _plan(tiny: TrainConfig, **changes: object) -> CompareConfig:
    values = tiny.model_dump() | {"archs": ("unet", "fpn"), "seeds": (1, 2)} | changes
    values["training"] |= {"epochs": 1}
    return CompareConfig.model_validate(values)


def _trained(output: Path) -> dict[str, float]:
    return {path.parent.name: path.stat().st_mtime for path in output.glob("runs/*/result.json")}


def test_plan__is_every_architecture_with_every_seed(tiny: TrainConfig) -> None:
    runs = _plan(tiny).runs()
    assert list(runs) == ["unet-seed1", "fpn-seed1", "unet-seed2", "fpn-seed2"]
    assert runs["fpn-seed2"].model.arch == "fpn"
    assert runs["fpn-seed2"].training.seed == 2
    assert runs["fpn-seed2"].data == tiny.data


@pytest.mark.filterwarnings("ignore:`isinstance")
def test_compare__trains_the_plan_once(tiny: TrainConfig, tmp_path: Path) -> None:
    plan = _plan(tiny)
    result = compare(plan, output=tmp_path / "c", quiet=True)

    assert [run.name for run in result.runs] == list(plan.runs())
    assert not result.failed
    assert not result.missing
    assert read_record(tmp_path / "c" / "results.json", ComparisonResult) == result
    test = result.runs[0].split.test
    assert {path.stem for path in (tmp_path / "c" / "truth").iterdir()} == set(test)
    pictures = json.loads((tmp_path / "c" / "pictures.json").read_text())
    assert all(Path(pictures[name]).is_file() for name in test)

    before = _trained(tmp_path / "c")
    assert compare(plan, output=tmp_path / "c", quiet=True) == result
    assert _trained(tmp_path / "c") == before
    files = write_report(tmp_path / "c")
    assert "unet" in files.markdown.read_text().lower()


class _Trainings:
    """Stands in for `train`: counts calls and fails where it is told to."""

    def __init__(self, template: RunResult, failures: dict[str, Exception]) -> None:
        self._template = template
        self.failures = failures
        self.done: dict[str, RunResult] = {}
        self.calls: list[str] = []

    def __call__(
        self, config: TrainConfig, *, output: Path, resume: bool, quiet: bool, data: RunData
    ) -> RunResult:
        self.calls.append(output.name)
        if output.name in self.failures:
            raise self.failures[output.name]
        result = self._template.model_copy(update={"name": output.name, "config": config})
        self.done[output.name] = result
        return result


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> RunResult:
    from humanseg.config import DataConfig, ModelConfig, SplitConfig, TrainingConfig
    from humanseg.training import train

    config = TrainConfig(
        data=DataConfig(root=drawn),
        split=SplitConfig(validation=0.2),
        model=ModelConfig(
            encoder_name="tu-test_efficientnet", encoder_weights="none", image_size=(32, 32)
        ),
        training=TrainingConfig(epochs=2, precision="fp32", memory_format="contiguous"),
    )
    return train(config, output=tmp_path_factory.mktemp("template") / "run")


def test_compare__one_failing_run_does_not_lose_the_others(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {"fpn-seed1": ModelError("No\nweights.")})
    monkeypatch.setattr(comparison, "train", trainings)
    result = compare(_plan(tiny), output=tmp_path / "c")
    assert [run.name for run in result.runs] == ["unet-seed1", "unet-seed2", "fpn-seed2"]
    assert [(run.name, run.error) for run in result.failed] == [("fpn-seed1", "No weights.")]
    trainings.failures = {}
    assert compare(_plan(tiny), output=tmp_path / "c").failed == ()


def test_compare__a_bug_in_a_run_is_recorded_with_its_kind(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {"unet-seed1": ZeroDivisionError("division by zero")})
    monkeypatch.setattr(comparison, "train", trainings)
    failed = compare(_plan(tiny), output=tmp_path / "c").failed
    assert failed[0].error == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "error", [Interrupted("Stopped."), OSError(errno.ENOSPC, "No space left on device")]
)
def test_compare__stop_and_full_disk_keep_what_is_finished(
    tiny: TrainConfig,
    tmp_path: Path,
    template: RunResult,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    trainings = _Trainings(template, {"unet-seed2": error})
    monkeypatch.setattr(comparison, "train", trainings)
    with pytest.raises(type(error)):
        compare(_plan(tiny), output=tmp_path / "c")
    stored = read_record(tmp_path / "c" / "results.json", ComparisonResult)
    assert [run.name for run in stored.runs] == ["unet-seed1", "fpn-seed1"]
    assert stored.missing == ("unet-seed2", "fpn-seed2")


def test_compare__folder_of_another_plan_is_refused(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "train", _Trainings(template, {}))
    compare(_plan(tiny), output=tmp_path / "c")
    with pytest.raises(UsageError, match="another configuration"):
        compare(_plan(tiny, seeds=(1,)), output=tmp_path / "c")


def test_compare__folder_of_something_else_is_refused(tiny: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="no comparison"):
        compare(_plan(tiny), output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
