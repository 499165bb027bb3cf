from __future__ import annotations

import errno
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from tests.builders.configurations import changed

from humanseg.comparison import run_comparison
from humanseg.comparison.run_comparison import compare
from humanseg.config.architectures import model_settings
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import suitable, to_yaml
from humanseg.config.schema import TrainConfig
from humanseg.config.split_config import HoldoutSplit
from humanseg.data import synthesize
from humanseg.evaluation.corruptions import CORRUPTIONS
from humanseg.images import dataset
from humanseg.models import SegmentationNetwork
from humanseg.report import write_report
from humanseg.results import (
    ComparisonResult,
    DataRecord,
    Evaluation,
    RunResult,
    read_record,
    write_record,
)
from humanseg.system.errors import DataError, ImageError, Interrupted, ModelError, UsageError
from humanseg.training import RunData
from humanseg.training.autotune import ComputeMode
from humanseg.training.run_folder import RunFolder

pytestmark = pytest.mark.training


def _plan(tiny: TrainConfig, **changes: object) -> CompareConfig:
    values = tiny.model_dump() | {"archs": ("unet", "fpn"), "seeds": (1, 2)} | changes
    values["training"] |= {"epochs": 1}
    if "folds" in changes:
        values["split"] = {"validation": 0.2}
    return CompareConfig.model_validate(suitable(CompareConfig, values))


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
    result = compare(plan, output=tmp_path / "c")

    assert [run.name for run in result.runs] == list(plan.runs())
    assert not result.failed
    assert not result.missing
    assert read_record(tmp_path / "c" / "results.json", ComparisonResult) == result
    test = result.runs[0].split.test
    assert {path.stem for path in (tmp_path / "c" / "truth").iterdir()} == set(test)
    pictures = read_record(tmp_path / "c" / "data.json", DataRecord).images
    assert all(Path(pictures[name]).is_file() for name in test)
    assert result.analysis is not None
    assert [one.name for one in result.analysis.networks] == ["unet", "fpn"]
    assert result.analysis.seeds == 2

    before = _trained(tmp_path / "c")
    assert compare(plan, output=tmp_path / "c") == result
    assert _trained(tmp_path / "c") == before
    files = write_report(tmp_path / "c")
    assert "unet" in files.markdown.read_text().lower()


@pytest.mark.filterwarnings("ignore:`isinstance")
def test_compare__all_runs_compute_in_the_mode_that_suits_all_networks(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {  # each network alone would take another
        "Unet": {"fp32 contiguous": 1, "fp32 channels_last": 2, "bf16 contiguous": 9},
        "FPN": {"fp32 contiguous": 9, "fp32 channels_last": 2, "bf16 contiguous": 1},
    }

    def timed(network: SegmentationNetwork, mode: ComputeMode, _: object) -> float:
        own = seconds[type(network.network).__name__]
        return own.get(f"{mode.precision} {mode.memory_format}", 9)

    monkeypatch.setattr("humanseg.training.autotune.time_mode", timed)
    plan = _plan(changed(tiny, training={"precision": "auto", "memory_format": "auto"}), seeds=(1,))
    result = compare(plan, output=tmp_path / "c")
    modes = [(run.resolved.precision, run.resolved.memory_format) for run in result.runs]
    assert modes == [("fp32", "channels_last")] * 2
    assert not (tmp_path / "c" / ".lock").exists()
    for own in seconds.values():  # another machine, later
        own["fp32 channels_last"] = 20
    again = compare(plan, output=tmp_path / "c")
    assert again.runs == result.runs
    assert again.config.training.precision == "fp32"


@pytest.mark.filterwarnings("ignore:`isinstance")
def test_compare__decodes_each_picture_once_for_all_folds_and_networks(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: Counter[Path] = Counter()
    opened = dataset._opened

    def counting(source: Path) -> object:
        if source.parent.name == "images":
            decoded[source] += 1
        return opened(source)

    monkeypatch.setattr(dataset, "_opened", counting)
    compare(_plan(tiny, seeds=(1,), folds=2), output=tmp_path / "c")
    assert set(decoded.values()) == {1}
    assert len(decoded) == 20
    decoded.clear()
    single = _plan(tiny, seeds=(1,), archs=("unet",))
    for name in ("first", "again"):
        compare(single, output=tmp_path / name, cache=tmp_path / "cache")
        assert set(decoded.values()) == {1}


def test_compare__is_refused_under_torchrun(
    tiny: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="with --shard I/N instead"):
        compare(_plan(tiny), output=tmp_path / "c")
    assert not (tmp_path / "c").exists()


class _Trainings:
    """Stands in for `train`: counts calls and fails where it is told to."""

    def __init__(
        self, template: RunResult, failures: dict[str, Exception], *, keep: bool = False
    ) -> None:
        self._template = template
        self._keep = keep  # leave a result on disk, as the real one does
        self.failures = failures
        self.done: dict[str, RunResult] = {}
        self.calls: list[str] = []

    def __call__(
        self, config: TrainConfig, *, output: Path, resume: bool, progress: None, data: RunData
    ) -> RunResult:
        self.calls.append(output.name)
        if output.name in self.failures:
            raise self.failures[output.name]
        result = self._template.model_copy(update={"name": output.name, "config": config})
        self.done[output.name] = result
        if self._keep:
            write_record(output / "result.json", result)
        return result


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> RunResult:
    from humanseg.config.schema import DataConfig, TrainingConfig
    from humanseg.training import train

    config = TrainConfig(
        data=DataConfig(root=drawn),
        split=HoldoutSplit(validation=0.2),
        model=model_settings(
            encoder_name="tu-test_efficientnet", encoder_weights="none", image_size=(32, 32)
        ),
        training=TrainingConfig(epochs=2, precision="fp32", memory_format="contiguous", onnx=False),
    )
    return train(config, output=tmp_path_factory.mktemp("template") / "run")


def test_compare__one_failing_run_does_not_lose_the_others(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {"fpn-seed1": ModelError("No\nweights.")})
    monkeypatch.setattr(run_comparison, "train", trainings)
    result = compare(_plan(tiny), output=tmp_path / "c")
    assert [run.name for run in result.runs] == ["unet-seed1", "unet-seed2", "fpn-seed2"]
    assert [(run.name, run.error) for run in result.failed] == [("fpn-seed1", "No weights.")]
    trainings.failures = {}
    assert compare(_plan(tiny), output=tmp_path / "c").failed == ()


def test_compare__a_bug_in_a_run_is_recorded_with_its_kind(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {"unet-seed1": ZeroDivisionError("division by zero")})
    monkeypatch.setattr(run_comparison, "train", trainings)
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
    monkeypatch.setattr(run_comparison, "train", trainings)
    with pytest.raises(type(error)):
        compare(_plan(tiny), output=tmp_path / "c")
    stored = read_record(tmp_path / "c" / "results.json", ComparisonResult)
    assert [run.name for run in stored.runs] == ["unet-seed1", "fpn-seed1"]
    assert stored.missing == ("unet-seed2", "fpn-seed2")


def test_compare__folder_of_another_plan_is_refused(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_comparison, "train", _Trainings(template, {}))
    compare(_plan(tiny), output=tmp_path / "c")
    with pytest.raises(UsageError, match="another configuration"):
        compare(_plan(tiny, seeds=(1,)), output=tmp_path / "c")
    with pytest.raises(UsageError, match="on other data"):
        compare(_plan(tiny, data={"root": tmp_path}), output=tmp_path / "c")


def test_compare__a_plan_may_grow(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {})
    monkeypatch.setattr(run_comparison, "train", trainings)
    compare(_plan(tiny, seeds=(1,)), output=tmp_path / "c")
    grown = compare(_plan(tiny), output=tmp_path / "c")
    assert [run.name for run in grown.runs] == list(_plan(tiny).runs())


def test_compare__folder_of_something_else_is_refused(tiny: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match="no comparison"):
        compare(_plan(tiny), output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_compare__shards_divide_the_plan_and_the_last_merges(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {}, keep=True)
    monkeypatch.setattr(run_comparison, "train", trainings)
    first = compare(_plan(tiny), output=tmp_path / "c", shard=(1, 2))
    assert trainings.calls == ["unet-seed1", "unet-seed2"]
    assert first.missing == ("fpn-seed1", "fpn-seed2")
    assert first.analysis is not None
    assert [one.name for one in first.analysis.networks] == ["unet"]
    trainings.calls = []
    second = compare(_plan(tiny), output=tmp_path / "c", shard=(2, 2))
    assert trainings.calls == ["fpn-seed1", "fpn-seed2", "unet-seed1", "unet-seed2"]
    assert not second.missing
    assert second.analysis is not None
    assert [one.name for one in second.analysis.networks] == ["unet", "fpn"]


def test_compare__a_run_that_another_shard_finished_meanwhile_is_merged(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {}, keep=True)

    def train_beside_another(
        config: TrainConfig, *, output: Path, resume: bool, progress: None, data: RunData
    ) -> RunResult:
        if output.name == "fpn-seed2":  # while this shard is at its last run, the other ends
            for name, run in _plan(tiny).runs().items():
                if name.startswith("unet"):
                    folder = output.parent / name
                    trainings(run, output=folder, resume=resume, progress=progress, data=data)
        return trainings(config, output=output, resume=resume, progress=progress, data=data)

    monkeypatch.setattr(run_comparison, "train", train_beside_another)
    result = compare(_plan(tiny), output=tmp_path / "c", shard=(2, 2))
    assert not result.missing
    assert [run.name for run in result.runs] == list(_plan(tiny).runs())


def test_compare__a_shard_without_work_leaves_a_record(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_comparison, "train", _Trainings(template, {}))
    result = compare(_plan(tiny), output=tmp_path / "c", shard=(9, 9))
    assert len(result.missing) == 4
    assert result.analysis is None
    assert read_record(tmp_path / "c" / "results.json", ComparisonResult) == result


def test_compare__a_run_in_other_hands_is_left_to_them(tiny: TrainConfig, tmp_path: Path) -> None:
    plan = _plan(tiny, archs=("unet",), seeds=(1,))
    with RunFolder(tmp_path / "c" / "runs" / "unet-seed1").held():
        (tmp_path / "c" / "plan.yaml").write_text(to_yaml(plan))
        result = compare(plan, output=tmp_path / "c")
    assert result.missing == ("unet-seed1",)
    assert not result.failed


def test_compare__stopping_a_grown_plan_keeps_the_analysis(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings = _Trainings(template, {}, keep=True)
    monkeypatch.setattr(run_comparison, "train", trainings)
    before = compare(_plan(tiny, seeds=(2,)), output=tmp_path / "c")
    trainings.failures = {"unet-seed1": Interrupted("Stopped.")}
    grown = _plan(tiny, seeds=(1, 2))
    with pytest.raises(Interrupted):
        compare(grown, output=tmp_path / "c")
    stored = read_record(tmp_path / "c" / "results.json", ComparisonResult)
    assert [run.name for run in stored.runs] == ["unet-seed2", "fpn-seed2"]
    assert stored.missing == ("unet-seed1", "fpn-seed1")
    assert stored.analysis == before.analysis
    assert stored.analysis is not None


def test_compare__a_damaged_external_image_is_named_before_anything_is_trained(
    thorough: tuple[CompareConfig, Path, ComparisonResult], tmp_path: Path
) -> None:
    config, output, result = thorough
    copy, other = tmp_path / "c", tmp_path / "broken"
    shutil.copytree(output, copy)
    shutil.copytree(config.test_on[0], other)
    image = sorted((other / "images").iterdir())[0]
    image.write_bytes(image.read_bytes()[:100])
    plan = config.model_copy(update={"test_on": (*config.test_on, other)})
    with pytest.raises(ImageError, match=image.name):
        compare(plan, output=copy)
    assert compare(config, output=copy).runs == result.runs  # what was finished is still there


def test_compare__changed_data_are_refused(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_comparison, "train", _Trainings(template, {}))
    data = tmp_path / "data"
    shutil.copytree(tiny.data.root or Path(), data)
    plan = _plan(tiny, data={"root": data})
    compare(plan, output=tmp_path / "c")
    first, second = sorted((data / "images").iterdir())[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(DataError, match="the pictures or masks have changed since this comparison"):
        compare(plan, output=tmp_path / "c")


def test_compare__changed_groups_are_refused(
    tiny: TrainConfig, tmp_path: Path, template: RunResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_comparison, "train", _Trainings(template, {}))
    table = tmp_path / "groups.csv"
    ids = sorted(path.stem for path in (tiny.data.root or Path()).glob("images/*"))
    table.write_text(f"id,group\n{ids[0]},a\n{ids[1]},a\n")
    plan = _plan(tiny, split=tiny.split.model_dump() | {"groups": table})
    compare(plan, output=tmp_path / "c")
    table.write_text(f"id,group\n{ids[0]},a\n{ids[2]},a\n")
    with pytest.raises(DataError, match="the groups or sources of pictures have changed"):
        compare(plan, output=tmp_path / "c")


def test_compare__fewer_groups_than_folds_writes_nothing(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="50 folds need at least 50 different pictures: 20 given"):
        compare(_plan(tiny, folds=50), output=tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_compare__one_source_cannot_be_left_out(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all pictures are of one source"):
        compare(_plan(tiny, leave_one_source_out=True), output=tmp_path / "c")


def test_compare__own_pictures_are_no_other_data(tiny: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"20 of its pictures .* show the same as one in the data"):
        compare(_plan(tiny, test_on=(tiny.data.root,)), output=tmp_path / "c")


@pytest.mark.parametrize("change", [ImageOps.mirror, lambda image: image.resize((512, 384))])
def test_compare__changed_copies_of_own_pictures_are_no_other_data(
    change: Callable[[Image.Image], Image.Image], tiny: TrainConfig, tmp_path: Path
) -> None:
    own = synthesize(tmp_path / "own", count=6, size=(192, 256), seed=5)
    other = shutil.copytree(own, tmp_path / "other")
    for file in other.glob("*/*.png"):
        with Image.open(file) as image:
            change(image).save(file)
    plan = _plan(tiny, data={"root": own}, test_on=(other,))
    with pytest.raises(DataError, match=r"6 of its pictures .* show the same as one in the data"):
        compare(plan, output=tmp_path / "c")


def test_compare__other_data_must_have_a_picture_for_every_fold(
    tiny: TrainConfig, tmp_path: Path
) -> None:
    other = synthesize(tmp_path / "other", count=2, size=(48, 64), seed=9, clutter=0.0)
    with pytest.raises(DataError, match="holds 2 pictures, too few for the networks of 4 folds"):
        compare(_plan(tiny, folds=4, test_on=(other,)), output=tmp_path / "c")


@pytest.fixture(scope="module")
def thorough(
    tmp_path_factory: pytest.TempPathFactory, drawn: Path
) -> tuple[CompareConfig, Path, ComparisonResult]:
    """Folds, a source left out, another data set and corruptions, really trained."""
    folder = tmp_path_factory.mktemp("thorough")
    ids = sorted(path.stem for path in drawn.glob("images/*"))
    table = folder / "groups.csv"
    lines = [f"{name},{'ab'[index % 2]}" for index, name in enumerate(ids)]
    table.write_text("\n".join(["id,source", *lines]) + "\n")
    other = synthesize(folder / "other", count=3, size=(48, 64), seed=9, clutter=0.0)
    config = CompareConfig.model_validate(
        {
            "data": {"root": drawn},
            "split": {"validation": 0.2, "groups": table},
            "model": {
                "encoder_name": "tu-test_efficientnet",
                "encoder_weights": "none",
                "image_size": (32, 32),
            },
            "training": {
                "epochs": 2,
                "precision": "fp32",
                "memory_format": "contiguous",
                "onnx": False,
            },
            "archs": ("unet", "fpn"),
            "folds": 2,
            "leave_one_source_out": True,
            "test_on": (other,),
            "corrupted_images": 3,
        }
    )
    return config, folder / "c", compare(config, output=folder / "c")


@pytest.mark.filterwarnings("ignore:`isinstance")
def test_thorough__every_picture_is_tested_once_by_a_network_that_never_saw_it(
    thorough: tuple[CompareConfig, Path, ComparisonResult],
) -> None:
    _, _, result = thorough
    assert not result.failed
    folds = [run for run in result.runs if run.name.startswith("unet-fold")]
    tested = [score.id for run in folds for score in run.scores]
    assert sorted(tested) == sorted({*result.sources})
    for run in result.runs:
        assert not set(run.split.train) & {score.id for score in run.scores}


def test_thorough__says_everything_that_was_asked(
    thorough: tuple[CompareConfig, Path, ComparisonResult],
) -> None:
    _, output, result = thorough
    analysis = result.analysis
    assert analysis is not None
    assert (analysis.folds, analysis.repeats, analysis.seeds, analysis.images) == (2, 1, 1, 20)
    assert {(one.network, one.source) for one in analysis.sources} == {
        (arch, source) for arch in ("unet", "fpn") for source in "ab"
    }
    assert [(one.network, one.images) for one in analysis.external] == [("unet", 3), ("fpn", 3)]
    files = [output / "runs" / f"unet-fold{n}-seed42" / "external" / "other.json" for n in (1, 2)]
    assert [len(read_record(file, Evaluation).scores) for file in files] == [2, 1]
    assert len(analysis.robustness) == 2 * len(CORRUPTIONS)
    assert {one.images for one in analysis.robustness} == {3}
    bounds = {(one.name, one.detail) for one in analysis.bounds}
    assert {("mean_mask", ""), ("output_grid", "32x32"), ("output_grid", "8x8")} <= bounds
    unet = analysis.networks[0]
    assert unet.gap is not None
    assert set(unet.metrics) == {
        "iou", "iou_sd", "iou_median", "iou_p05", "dice", "dataset_iou", "dataset_dice",
        "two_class_miou", "pixel_accuracy", "precision", "recall", "boundary_iou",
        "surface_dice_05", "surface_dice_10", "assd", "hd95", "ece", "band_ece",
    }  # fmt: skip
    assert all(score.measured for run in result.runs for score in run.scores)
    assert (output / "runs" / "unet-fold1-seed42" / "external" / "other.json").exists()


def test_thorough__scores_of_another_schema_are_refused(
    thorough: tuple[CompareConfig, Path, ComparisonResult], tmp_path: Path
) -> None:
    config, output, result = thorough
    copy = tmp_path / "c"
    shutil.copytree(output, copy)
    file = copy / "runs" / result.runs[0].name / "result.json"
    file.write_text(file.read_text().replace('"schema_version": 1', '"schema_version": 9', 1))
    failed = compare(config, output=copy).failed
    assert "has schema version 9; this humanseg reads version 1" in failed[0].error
    file.write_text(file.read_text().replace('"schema_version": 9', '"schema_version": 1', 1))
    number = f'"iou_mean": {result.runs[0].summary.iou_mean}'
    assert number in file.read_text()
    file.write_text(file.read_text().replace(number, '"iou_mean": NaN', 1))
    failed = compare(config, output=copy).failed
    assert "is damaged at summary.iou_mean" in failed[0].error
