"""That steps change what they say, and that only steps of the same folds are compared."""

from pathlib import Path

import pytest
from benchmarks.ablation import (
    BASE,
    PLANS,
    configuration,
    finished,
    main,
    settings,
    summarise,
)
from tests.builders.records import plain_score, run_result
from tests.builders.records import summarise as summary

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import load_yaml, resolve
from humanseg.results import ComparisonResult, FailedRun, write_record

STEPS = load_yaml(PLANS / "steps.yaml")
FOLDS = (("a", "b"), ("c", "d"), ("e", "f"))


def result(*ious: float, folds: tuple[tuple[str, ...], ...] = FOLDS) -> ComparisonResult:
    """A finished comparison of one network, with the same score in all images of a fold."""
    config = configuration(BASE, {})
    runs = [
        run_result(
            name,
            plan,
            [plain_score(image, iou) for image in images],
            baselines={"mean_mask": summary([plain_score("a", 0.3)])},
        )
        for (name, plan), iou, images in zip(config.runs([]).items(), ious, folds, strict=True)
    ]
    return ComparisonResult(
        config=config,
        runs=tuple(reversed(runs)),
        failed=(),
        missing=(),
        sources={},
        groups={},
        analysis=None,
    )


@pytest.mark.parametrize("step", STEPS)
def test_steps__change_the_preset_in_what_they_name_alone(step: str) -> None:
    base, changed = configuration(BASE, {}), configuration(step, STEPS[step])
    given = {line.split(":")[0] for line in settings(STEPS[step])}
    assert _differing(base, changed) == given


def _differing(first: CompareConfig, second: CompareConfig) -> set[str]:
    ours, theirs = (set(settings(config.model_dump(mode="json"))) for config in (first, second))
    return {line.split(":")[0] for line in ours ^ theirs}


def test_base__is_the_preset_but_for_encoder_size_and_arithmetic() -> None:
    preset = resolve(CompareConfig, preset="default", overrides={"folds": 3})
    assert _differing(preset, configuration(BASE, {})) == {
        "archs",
        "data.root",
        "split.groups",
        "model.encoder_name",
        "model.encoder_weights",
        "model.image_size",
        "training.precision",
        "training.memory_format",
        "training.onnx",
    }


def test_configuration__says_which_step_is_wrong() -> None:
    with pytest.raises(SystemExit, match=r"steps.yaml, mine: .*learning_rat"):
        configuration("mine", {"optimiser": {"learning_rat": 0.1}})


def test_summarise__takes_differences_of_the_same_folds() -> None:
    steps = {
        BASE: result(0.80, 0.84, 0.88),
        "better": result(0.90, 0.94, 0.98),
        "luck": result(0.81, 0.84, 0.87),
    }
    changes: dict[str, dict[str, dict[str, float | None]]] = {
        BASE: {},
        "better": {"loss": {"bce": 0.0}},
        "luck": {"training": {"ema_decay": None}},
    }
    record = summarise(steps, changes)
    by_name = {step.name: step for step in record.steps}
    assert by_name[BASE].iou.folds == pytest.approx((0.80, 0.84, 0.88))
    assert by_name[BASE].iou.difference is None
    difference = by_name["better"].iou.difference
    assert difference is not None
    assert difference.estimate == pytest.approx(0.10)
    # Rests: base (-1, 0, 1)/3 hundredths and so "better"; "luck" (2, 0, -2)/3: 12/9 over 4.
    assert record.iou_spread == pytest.approx(0.01 * (12 / 9 / 4) ** 0.5)
    assert by_name["better"].changes == "loss.bce: 0.0"
    assert by_name["luck"].changes == "training.ema_decay: none"
    assert (record.images, record.image_size) == (6, (128, 128))


def test_summarise__names_the_code_that_trained() -> None:
    def by(plain: ComparisonResult, *commits: str | None) -> ComparisonResult:
        runs = tuple(
            run.model_copy(
                update={"environment": run.environment.model_copy(update={"commit": commit})}
            )
            for run, commit in zip(plain.runs, commits, strict=True)
        )
        return plain.model_copy(update={"runs": runs})

    steps = {
        BASE: by(result(0.80, 0.84, 0.88), "b2", "a1", "b2"),
        "mine": by(result(0.81, 0.85, 0.87), "b2", "b2", None),
    }
    assert summarise(steps, {BASE: {}, "mine": {}}).commits == ("a1", "b2", "unknown")


def test_summarise__other_folds_are_refused() -> None:
    other = (("a", "c"), ("b", "d"), ("e", "f"))
    with pytest.raises(SystemExit, match="mine: was tested on other folds than base"):
        summarise(
            {BASE: result(0.8, 0.8, 0.8), "mine": result(0.8, 0.8, 0.8, folds=other)},
            {BASE: {}, "mine": {}},
        )


def test_summarise__wants_the_base() -> None:
    with pytest.raises(SystemExit, match="base: is not finished"):
        summarise({"mine": result(0.8, 0.8, 0.8)}, {"mine": {}})


def test_command__refuses_a_step_that_the_plan_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["ablation", "--folder", str(tmp_path / "new"), "--steps", "mine"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "invalid choice: 'mine'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_finished__is_what_lacks_no_fold(tmp_path: Path) -> None:
    whole = result(0.8, 0.8, 0.8)
    assert finished(tmp_path) is None
    write_record(tmp_path / "results.json", whole)
    assert finished(tmp_path) == whole
    for lacking in (
        {"failed": (FailedRun(name="unet-fold2-seed42", error="lost"),)},
        {"missing": ("unet-fold2-seed42",)},
    ):
        write_record(tmp_path / "results.json", whole.model_copy(update=lacking))
        assert finished(tmp_path) is None
