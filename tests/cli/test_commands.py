"""What each command hands to its workflow, what it prints, and how failures end."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from tests.builders.records import CALIBRATION, environment, plain_score, resolved, scoring_setup

from humanseg.cli.terminal import duration, table
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import to_yaml
from humanseg.config.schema import EvaluationConfig, TrainConfig
from humanseg.config.split_config import HoldoutSplit, SplitConfig
from humanseg.data import AuditReport
from humanseg.results import (
    Analysis,
    AttributeAnalysis,
    AttributeGroup,
    ComparisonResult,
    Cost,
    Evaluation,
    FailedRun,
    Interval,
    NetworkAnalysis,
    RunResult,
    ScoreSummary,
    SplitRecord,
)
from humanseg.system.errors import ConfigError, Interrupted

Run = Callable[..., tuple[int, str, str]]
Replace = Callable[..., None]

SPLIT = SplitRecord(train=("1", "2"), validation=("3",), test=("a",), validation_is_test=False)


def summary(iou: float, *, undefined: int = 0) -> ScoreSummary:
    return ScoreSummary(
        images=4,
        undefined=undefined,
        iou_mean=iou,
        iou_sd=0.1,
        iou_median=iou,
        iou_p05=iou / 2,
        dice_mean=iou,
        boundary_iou_mean=iou / 2,
        dataset_iou=iou,
        dataset_dice=iou,
        pixel_accuracy=0.9,
        batch_iou=None,
        batch_dice=None,
        batch_accuracy=None,
    )


def result_of(
    name: str, config: TrainConfig, *, iou: float, seconds: float, baseline: float = 0.4
) -> RunResult:
    return RunResult(
        name=name,
        config=config,
        resolved=resolved(),
        split=SPLIT,
        data_fingerprint="0" * 64,
        further_data={},
        epochs=(),
        kept_epoch=1,
        setup=scoring_setup(),
        scores=(plain_score("a", iou),),
        summary=summary(iou),
        baselines={"mean_mask": summary(baseline)},
        calibration=CALIBRATION,
        band_calibration=CALIBRATION,
        train_summary=summary(iou),
        cost=Cost(
            parameters=1,
            macs=1,
            train_seconds=seconds,
            wall_seconds=seconds,
            images_per_second=1.0,
            latency_seconds=1.0,
            peak_memory_bytes=1,
        ),
        environment=environment(),
    )


ANALYSIS = Analysis(
    images=4,
    groups=4,
    folds=None,
    repeats=1,
    seeds=1,
    networks=(
        NetworkAnalysis(
            name="unet",
            arch="unet",
            runs=("unet-seed42",),
            images=4,
            undefined=0,
            metrics={
                "iou": Interval(estimate=0.7, low=0.6, high=0.8),
                "boundary_iou": Interval(estimate=0.5),
            },
            seed_sd=None,
            fold_ious=(0.7,),
            train_iou=None,
            gap=None,
            strata=(),
        ),
    ),
    pairs=(),
)


def files(folder: Path, output: Path | None = None) -> SimpleNamespace:
    assert output is None
    names = {"html": "report.html", "markdown": "report.md", "csv": "runs.csv"}
    paths = {kind: folder / name for kind, name in names.items()}
    return SimpleNamespace(
        headline="The answer.", warnings=("Do not trust it.",), cautions=2, **paths
    )


SINGLE = (
    "humanseg: note: one training of each network on one split can say which scored highest here, "
    "not which is better; --folds 5 can.\n"
)


class TestCompare:
    def compare(
        self,
        replace: Replace,
        *,
        failed: str | None = None,
        missing: tuple[str, ...] = (),
        analysis: Analysis | None = None,
    ) -> dict[str, dict[str, object]]:
        """Stand in for the comparison; returns what it is called with."""
        calls: dict[str, dict[str, object]] = {}

        def carry_out(config: CompareConfig, **options: object) -> ComparisonResult:
            calls["compare"] = {"config": config, **options}
            runs = tuple(
                result_of(name, one, iou=0.8 + 0.1 * index, seconds=100.0)
                for index, (name, one) in enumerate(config.runs().items())
                if name != failed and name not in missing
            )
            errors = (FailedRun(name=failed, error="ran out of memory."),) if failed else ()
            return ComparisonResult(
                config=config,
                runs=runs,
                failed=errors,
                missing=missing,
                sources={},
                groups={},
                analysis=analysis,
            )

        replace("humanseg.comparison.run_comparison", compare=carry_out)
        replace("humanseg.report", write_report=files)
        return calls

    def test_compare__prints_one_line_per_network_and_the_report(
        self, run: Run, replace: Replace
    ) -> None:
        calls = self.compare(replace)
        words = ("--archs", "unet", "fpn", "--data", ".", "--quiet", "-o", "run")
        code, out, err = run("compare", *words)
        assert (code, err) == (0, SINGLE)
        assert out.splitlines() == [
            "network  runs     IoU  95 % interval  boundary IoU  training, each",
            "unet        1  0.8000              -        0.4000      1 min 40 s",
            "fpn         1  0.9000              -        0.4500      1 min 40 s",
            "",
            "The answer.",
            "Warning: Do not trust it.",
            "2 cautions before you rely on this: see the report.",
            "Report: run/report.html",
        ]
        config = calls["compare"].pop("config")
        assert isinstance(config, CompareConfig)
        assert config.data.root == Path()
        expected = {"output": Path("run"), "cache": None, "shard": (1, 1), "progress": None}
        assert calls["compare"] == expected

    def test_compare__averages_over_runs(self, run: Run, replace: Replace) -> None:
        self.compare(replace)
        _, out, _ = run(
            "compare", "--archs", "unet", "--seeds", "1", "2", "--data", ".", "-o", "run"
        )
        assert out.splitlines()[1].split()[:3] == ["unet", "2", "0.8500"]

    def test_compare__shows_intervals_of_the_analysis(self, run: Run, replace: Replace) -> None:
        self.compare(replace, analysis=ANALYSIS)
        _, out, _ = run("compare", "--archs", "unet", "--data", ".", "-o", "run")
        assert out.splitlines()[1].split()[2:6] == ["0.7000", "[0.6000,", "0.8000]", "0.5000"]

    def test_compare__takes_its_shard_and_tells_what_is_left(
        self, run: Run, replace: Replace
    ) -> None:
        calls = self.compare(replace, missing=("fpn-seed42",))
        words = ("--archs", "unet", "fpn", "--data", ".", "-o", "run")
        code, _, err = run("compare", *words, "--shard", "2/3")
        assert code == 0
        assert calls["compare"]["shard"] == (2, 3)
        assert err.startswith(f"{SINGLE}1 run of the plan belong")

    @pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
    def test_compare__refuses_no_shard(self, shard: str, run: Run, replace: Replace) -> None:
        self.compare(replace)
        code, _, err = run("compare", "--data", ".", "-o", "run", f"--shard={shard}")
        assert code == 2
        assert err == (
            f"humanseg: --shard: got {shard!r}; give I/N with I from 1 to N, such as 2/4.\n"
        )

    def test_compare__failed_run_is_told_and_exits_1(self, run: Run, replace: Replace) -> None:
        self.compare(replace, failed="fpn-seed42")
        code, out, err = run("compare", "--archs", "unet", "fpn", "--data", ".", "-o", "run")
        assert code == 1
        assert err == f"{SINGLE}humanseg: fpn-seed42 failed: ran out of memory.\n"
        assert "unet" in out
        assert "Report: run/report.html" in out

    def test_compare__all_failed(self, run: Run, replace: Replace) -> None:
        self.compare(replace, failed="unet-seed42")
        code, out, _ = run("compare", "--archs", "unet", "--data", ".", "-o", "run")
        assert code == 1
        assert out.startswith("No network was trained.\n")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("--folds", "2"), "with 2 folds the t-test has 1 degree of freedom: a difference"),
            (("--folds", "2"), "must be 12.7 times its standard error to be claimed, 2.8 times"),
            (("--folds", "3"), "with 3 folds the t-test has 2 degrees of freedom: a difference"),
            (("--folds", "3"), "must be 4.3 times its standard error"),
            (("--folds", "4"), "must be 3.2 times its standard error"),
        ],
    )
    def test_compare__says_beforehand_what_it_cannot_prove(
        self, words: tuple[str, ...], said: str, run: Run, replace: Replace
    ) -> None:
        self.compare(replace)
        _, _, err = run("compare", *words, "--data", ".", "-o", "run")
        assert said in err
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        "words",
        [
            ("--folds", "5"),
            ("--folds", "2", "--repeats", "3"),
            ("--seeds", "1", "2"),
            ("--archs", "unet"),
        ],
        ids=" ".join,
    )
    def test_compare__is_silent_beforehand_where_it_can(
        self, words: tuple[str, ...], run: Run, replace: Replace
    ) -> None:
        self.compare(replace)
        assert run("compare", *words, "--data", ".", "-o", "run")[2] == ""

    def test_compare__exits_1_if_no_network_is_above_the_baseline(
        self, run: Run, replace: Replace
    ) -> None:
        weak = ANALYSIS.networks[0].model_copy(update={"weak": True})
        codes = []
        for networks in ((weak,), (weak, ANALYSIS.networks[0])):
            analysis = ANALYSIS.model_copy(update={"networks": networks})
            self.compare(replace, analysis=analysis)
            codes.append(run("compare", "--archs", "unet", "--data", ".", "-o", "run")[0])
        assert codes == [1, 0]


class TestTrain:
    def train(
        self, replace: Replace, baseline: float = 0.4
    ) -> list[tuple[TrainConfig, dict[str, object]]]:
        calls: list[tuple[TrainConfig, dict[str, object]]] = []

        def train_network(config: TrainConfig, **options: object) -> RunResult:
            calls.append((config, options))
            result = result_of("unet-seed42", config, iou=0.8, seconds=5.0, baseline=baseline)
            split = SPLIT.model_copy(
                update={"validation_is_test": config.split.protocol == "reference"}
            )
            return result.model_copy(update={"split": split})

        replace("humanseg.training", train=train_network)
        return calls

    def test_train__hands_over_the_configuration(self, run: Run, replace: Replace) -> None:
        calls = self.train(replace)
        code, out, _ = run("train", "--arch", "fpn", "--data", ".", "-o", "run")
        assert code == 0
        assert re.search(r"IoU \(mean over pictures\) +0\.8000\n", out)
        assert re.search(r"Baseline IoU: the mean training mask +0\.4000\n", out)
        assert "FPN reaches 0.800 per-image IoU.\n" in out
        assert re.search(r"\d cautions before you rely on this: see the report\.\n", out)
        assert "Warning" not in out
        assert out.endswith("Run: run\n")
        ((config, options),) = calls
        assert (config.model.arch, config.data.root) == ("fpn", Path())
        assert callable(options.pop("progress"))
        assert options == {"output": Path("run"), "cache": None, "resume": False}

    def test_train__says_that_the_epoch_was_selected_on_the_scored_pictures(
        self, run: Run, replace: Replace
    ) -> None:
        self.train(replace)
        words = ("--split.protocol", "reference", "--training.checkpoint", "best")
        _, out, _ = run("train", *words, "--data", ".", "-o", "run")
        assert "Warning: The reported epoch was selected on the pictures that are scored" in out

    def test_train__weak_network_is_shown_and_exits_1(self, run: Run, replace: Replace) -> None:
        self.train(replace, baseline=0.8)
        code, out, err = run("train", "--arch", "fpn", "--data", ".", "-o", "run")
        assert code == 1
        assert "Warning: FPN does not beat the mean training mask" in out
        assert err == (
            "humanseg: The network's per-image IoU of 0.8000 is no better than 0.8000, which the "
            "mean training mask reaches without looking at the picture.\n"
        )

    def test_train__hands_over_the_cache(self, run: Run, replace: Replace) -> None:
        calls = self.train(replace)
        assert run("train", "--data", ".", "-o", "run", "--cache", "kept")[0] == 0
        assert calls[0][1]["cache"] == Path("kept")

    @pytest.mark.parametrize(("rank", "lines"), [("0", 9), ("1", 0)])
    def test_train__speaks_once_for_all_processes_of_torchrun(
        self,
        run: Run,
        replace: Replace,
        monkeypatch: pytest.MonkeyPatch,
        rank: str,
        lines: int,
    ) -> None:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
        monkeypatch.setenv("RANK", rank)
        self.train(replace)
        code, out, _ = run("train", "--data", ".", "-o", "run")
        assert (code, len(out.splitlines())) == (0, lines)
        code, _, err = run("train", "--data", "nowhere", "-o", "run")
        assert (code, bool(err)) == (2, rank == "0")

    def test_resume__uses_the_stored_configuration(
        self, run: Run, replace: Replace, tmp_path: Path
    ) -> None:
        calls = self.train(replace)
        stored = TrainConfig.model_validate({"training": {"epochs": 9}, "data": {"root": tmp_path}})
        (tmp_path / "config.yaml").write_text(to_yaml(stored))
        assert run("train", "--resume", str(tmp_path), "-o", str(tmp_path))[0] == 0
        assert callable(calls[0][1].pop("progress"))
        assert calls == [(stored, {"output": tmp_path, "cache": None, "resume": True})]

    def test_resume__takes_where_data_are_now_and_what_is_accepted(
        self, run: Run, replace: Replace, tmp_path: Path
    ) -> None:
        calls = self.train(replace)
        stored = TrainConfig.model_validate(
            {"training": {"epochs": 9}, "data": {"root": tmp_path / "gone", "classes": ["rider"]}}
        )
        (tmp_path / "config.yaml").write_text(to_yaml(stored))
        assert run("train", "--resume", str(tmp_path))[0] == 2
        words = "--data . --accept mask-values --data.extra more"
        assert run("train", "--resume", str(tmp_path), *words.split())[0] == 0
        ((config, _),) = calls
        assert config == TrainConfig.model_validate(
            {
                "training": {"epochs": 9},
                "data": {
                    "root": ".", "classes": ["rider"], "accept": ["mask-values"], "extra": ["more"]
                },
            }
        )  # fmt: skip
        code, _, err = run("train", "--resume", str(tmp_path), "--data", ".", "--classes", "dog")
        assert (code, "leave out --classes." in err) == (2, True)


class TestOtherCommands:
    def evaluate(self, replace: Replace, **changes: object) -> dict[str, Any]:
        """Stand in for the evaluation; returns what it is called with."""
        calls: dict[str, Any] = {}

        def open_model(model: Path, **options: object) -> str:
            calls.update(options, model=model)
            return "the segmenter"

        def score_images(segmenter: str, **options: object) -> Evaluation:
            assert segmenter == "the segmenter"
            calls.update(options)
            return Evaluation(
                model="m",
                arch="unet",
                encoder_name="e",
                trained_on="0" * 64,
                also_trained_on=(),
                data_fingerprint="1" * 64,
                seen_images=(),
                evaluation=EvaluationConfig(),
                setup=scoring_setup(),
                scores=(),
                summary=summary(0.8, undefined=1),
                calibration=CALIBRATION,
                band_calibration=CALIBRATION,
                sources={},
                groups={},
                environment=environment(),
                analysis=ANALYSIS,
            ).model_copy(update=changes)

        replace("humanseg.evaluation.evaluate_model", evaluate=score_images)
        replace("humanseg.inference.segmenter", Segmenter=open_model)
        replace("humanseg.report", write_report=files)
        return calls

    def test_report__prints_its_files(self, run: Run, replace: Replace, tmp_path: Path) -> None:
        replace("humanseg.report", write_report=files)
        (tmp_path / "results.json").touch()
        code, out, _ = run("report", str(tmp_path))
        assert code == 0
        assert out.splitlines()[0] == str(tmp_path / "report.html")
        assert out.splitlines()[3:] == [
            "",
            "The answer.",
            "Warning: Do not trust it.",
            "2 cautions before you rely on this: see the report.",
        ]

    def test_report__of_several_needs_a_folder(self, run: Run, tmp_path: Path) -> None:
        for name in "ab":
            (tmp_path / name).mkdir()
            (tmp_path / name / "evaluation.json").touch()
        code, _, err = run("report", str(tmp_path / "a"), str(tmp_path / "b"))
        assert code == 2
        assert err == "humanseg: -o is missing; give the folder for the results with -o RUN.\n"

    def test_evaluate__prints_scores_and_leaves_a_folder(
        self, run: Run, replace: Replace, tmp_path: Path
    ) -> None:
        scores = [plain_score(name, 0.7) for name in "abcd"]
        scores[3] = scores[3].model_copy(update={"tp": 0, "fn": 0, "tn": 2000})
        calls = self.evaluate(replace, scores=tuple(scores), groups={"a": "b"})
        out_folder, table = tmp_path / "out", tmp_path / "g.csv"
        words = (str(tmp_path), "--data", str(tmp_path), "--threshold", "0.4")
        more = ("-o", str(out_folder), "--groups", str(table), "--flip-averaging")
        engine = ("--precision", "int8", "--whole-files")
        code, out, err = run("evaluate", *words, *more, *engine, "--layout", "folders")
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert lines[0].split() == ["Pictures", "4"]
        assert lines[2].split()[-3:] == ["0.7000", "[0.6000,", "0.8000]"]
        assert "Run by torch in fp32 on cpu, whole files." in lines
        said = "In brackets: 95 % intervals over 3 groups, 2 of them with people."
        assert said in lines
        assert "U-Net reaches 0.700 [0.600, 0.800] per-image IoU." in lines
        assert lines[-1] == f"Report: {out_folder / 'report.html'}"
        assert calls["model"] == tmp_path
        assert (calls["data"], calls["layout"]) == (tmp_path, "folders")
        assert (calls["backend"], calls["precision"], calls["device"]) == ("auto", "int8", "auto")
        assert calls["whole_files"] is True
        assert (calls["threshold"], calls["flip_averaging"]) == (0.4, True)
        assert (calls["groups"], calls["output"]) == (table, out_folder)

    def test_evaluate__scores_by_attributes(
        self, run: Run, replace: Replace, tmp_path: Path
    ) -> None:
        def group(name: str, images: int, iou: float | None) -> AttributeGroup:
            interval = Interval(estimate=iou or 0.0, low=0.25, high=0.75)
            metrics = {} if iou is None else {"iou": interval}
            return AttributeGroup(name=name, images=images, metrics=metrics, independent=images)

        scored = AttributeAnalysis(
            attribute="luminance",
            groups=(group("dark", 40, 0.5), group("medium", 12, None), group("bright", 41, 0.625)),
            unlabelled=2,
            worst="dark",
            best="bright",
            gap=Interval(estimate=0.125, low=0.0625, high=0.1875),
            gap_p=0.21,
        )
        analysis = ANALYSIS.model_copy(update={"attributes": (scored,)})
        calls = self.evaluate(replace, analysis=analysis)
        words = (str(tmp_path), "--data", str(tmp_path), "--by", "luminance", "tone")
        code, out, err = run("evaluate", *words)
        assert (code, err) == (0, "")
        assert calls["by"] == ("luminance", "tone")
        lines = [line.split() for line in out.splitlines()]
        assert ["By", "luminance", "pictures", "IoU"] in lines
        assert ["dark", "40", "0.5000", "[0.2500,", "0.7500]"] in lines
        assert "- fewer than 20 independent, not scored" in " ".join(out.split())
        assert ["not", "known", "2", "-", "not", "scored"] in lines
        said = (
            "Worst: dark. Largest gap, bright less dark: 0.1250 [0.0625, 0.1875], no more than "
            "chance makes (p = 0.210)."
        )
        assert said in out.replace("\N{NO-BREAK SPACE}", " ").splitlines()

    def test_evaluate__says_when_the_model_knows_the_pictures(
        self, run: Run, replace: Replace, tmp_path: Path
    ) -> None:
        self.evaluate(replace, trained_on="1" * 64)
        _, out, _ = run("evaluate", str(tmp_path), "--data", str(tmp_path))
        assert "Warning: A model was scored on the data set that it was trained on" in out

    @pytest.mark.parametrize(
        ("words", "threshold", "flip_averaging"),
        [
            ([], None, None),
            (["--threshold", "0.5"], 0.5, None),
            (["--no-flip-averaging"], None, False),
        ],
    )
    def test_evaluate__leaves_to_the_model_what_is_not_given(
        self,
        words: list[str],
        threshold: float | None,
        flip_averaging: bool | None,
        run: Run,
        replace: Replace,
        tmp_path: Path,
    ) -> None:
        calls = self.evaluate(replace)
        assert run("evaluate", str(tmp_path), "--data", str(tmp_path), *words)[0] == 0
        assert (calls["threshold"], calls["flip_averaging"]) == (threshold, flip_averaging)
        assert (calls["output"], calls["groups"]) == (None, None)

    def test_check__prints_each_path_once_and_totals_by_kind(
        self, run: Run, drawn: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
        images, masks = tmp_path / "images", tmp_path / "masks"
        Image.new("L", (56, 72)).save(masks / "000.png")
        Image.new("L", (56, 72)).save(masks / "001.png")
        (images / "002.png").write_bytes(b"no picture")
        (masks / "003.png").unlink()
        Image.new("L", (28, 36), 255).save(masks / "004.png")
        code, out, err = run("data", "check", str(tmp_path))
        assert (code, err) == (1, "")
        assert out.splitlines() == [
            "Looked at 19 images and their masks (folders): 2 errors, 4 warnings.",
            "Not judged: only 15 masks have an outline, so whether masks belong to their images "
            "was not judged (16 are needed).",
            f"error: {images}/003.png: has no mask in masks/.",
            f"warning: {masks}/000.png, {masks}/001.png: no pixel is a person.",
            f"error: {images}/002.png: not a picture in a known format.",
            f"warning: {masks}/004.png: every pixel is a person.",
            f"warning: {masks}/004.png: picture 56x72, mask 28x36; both are scaled to one size.",
            "",
            "  empty-mask: 2",
            "  full-mask: 1",
            "  missing-partner: 1",
            "  size-differs: 1",
            "  unreadable-image: 1",
        ]
        code, out, _ = run("data", "check", str(tmp_path), "--json")
        assert code == 1
        assert AuditReport.model_validate_json(out).totals["empty-mask"] == 2

    def test_check__one_line_for_each_kind(self, run: Run, drawn: Path, tmp_path: Path) -> None:
        shutil.copytree(drawn, tmp_path, dirs_exist_ok=True)
        masks = tmp_path / "masks"
        for number in range(6):
            Image.new("L", (28 + number, 72), 255).save(masks / f"{number:03}.png")
        lines = run("data", "check", str(tmp_path))[1].splitlines()
        (line,) = (each for each in lines if "picture 56x72" in each)
        assert line == (
            f"error: {masks}/000.png: picture 56x72, mask 28x72; their shapes differ too, so they "
            "cannot show the same; make the mask anew. The like (size-differs) of 5 others, which "
            f"--json lists: {masks}/001.png, {masks}/002.png, {masks}/003.png and 2 more."
        )

    def test_check__sound_pictures(self, run: Run, drawn: Path) -> None:
        assert run("data", "check", str(drawn)) == (
            0,
            "Looked at 20 images and their masks (folders): 0 errors, 0 warnings.\n",
            "",
        )

    def test_download__prints_the_folder(self, run: Run, replace: Replace) -> None:
        replace("humanseg.data.download", download=lambda to, *, progress: to or Path("cache"))
        assert run("data", "download") == (0, "cache\n", "")
        assert run("data", "download", "here") == (0, "here\n", "")

    def test_synthesize__hands_over_height_and_width(self, run: Run, replace: Replace) -> None:
        calls: list[dict[str, object]] = []

        def synthesize(out: Path, **options: object) -> Path:
            calls.append(options)
            return out

        replace("humanseg.data.synthesis", synthesize=synthesize)
        words = ("--count", "3", "--size", "64", "96", "--seed", "1", "--clutter", "0.5")
        assert run("data", "synthesize", "out", *words) == (0, "out\n", "")
        assert callable(calls[0].pop("progress"))
        assert calls == [{"count": 3, "size": (64, 96), "seed": 1, "clutter": 0.5}]

    def test_split__prints_or_writes_the_record(
        self, run: Run, replace: Replace, tmp_path: Path
    ) -> None:
        calls: list[SplitConfig] = []

        def divided(samples: list[str], config: SplitConfig) -> SplitRecord:
            assert samples == ["sample"]
            calls.append(config)
            return SPLIT

        replace("humanseg.data.layouts", discover=lambda root, layout, classes: ["sample"])
        replace("humanseg.cli.data", _divided=divided)
        code, out, _ = run("data", "split", str(tmp_path), "--split.seed", "3")
        assert (code, SplitRecord.model_validate_json(out)) == (0, SPLIT)
        assert calls == [HoldoutSplit(seed=3)]
        file = tmp_path / "split.json"
        code, out, err = run("data", "split", str(tmp_path), "-o", str(file))
        assert (code, out) == (0, "")
        assert err == f"{file}: 2 train, 1 validation, 1 test.\n"
        assert SplitRecord.model_validate_json(file.read_text()) == SPLIT
        words = ("--split.protocol", "reference", "--split.test", "0.3")
        _, _, err = run("data", "split", str(tmp_path), *words)
        assert err.startswith(
            "humanseg: split.test: got 0.3 in the given values, but it belongs to "
        )


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "code", "told"),
        [
            (ConfigError(["a: is broken.", "b: too."]), 2, ["a: is broken.", "b: too."]),
            (Interrupted("stopped; run it again to continue."), 130, None),
            (KeyboardInterrupt(), 130, ["stopped."]),
            (
                OSError(errno.ENOSPC, "No space left on device", "run/x"),
                1,
                ["run/x: the disk is full. Free some space and run the same command again."],
            ),
            (
                PermissionError(errno.EACCES, "Permission denied", "/x"),
                1,
                ["/x: permission denied."],
            ),
            (
                OSError(errno.EFBIG, "File too large", "run/x.mp4"),
                1,
                ["run/x.mp4: file too large."],
            ),
            (
                IsADirectoryError(errno.EISDIR, "Is a directory", "run/.x.tmp", None, "run/x"),
                2,
                ["run/x: is a folder; a file is needed here."],
            ),
            (
                NotADirectoryError(errno.ENOTDIR, "Not a directory", "file/run"),
                2,
                ["file/run: is a file, or lies below one; a folder is needed here."],
            ),
            (
                FileExistsError(errno.EEXIST, "File exists", "run"),
                2,
                ["run: exists already; give another place."],
            ),
            (
                ModuleNotFoundError("No module named 'torch'", name="torch"),
                1,
                [
                    "this command needs the training parts. Install them with: "
                    'pip install "humanseg[train]"'
                ],
            ),
            (
                ModuleNotFoundError("No module named 'scipy.stats'", name="scipy.stats"),
                1,
                [
                    "this command needs the training parts. Install them with: "
                    'pip install "humanseg[train]"'
                ],
            ),
        ],
    )
    def test_failure__is_sentences_and_an_exit_code(
        self,
        error: BaseException,
        code: int,
        told: list[str] | None,
        run: Run,
        replace: Replace,
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise error

        replace("humanseg.training", train=fail)
        expected = [f"humanseg: {line}" for line in told or [str(error)]]
        returned, out, err = run("train", "--data", ".", "-o", "run")
        assert (returned, out, err.splitlines()) == (code, "", expected)

    @pytest.mark.parametrize(
        "bug", [ValueError("x"), ModuleNotFoundError("x", name="humanseg.x"), OSError("x")]
    )
    def test_bug__keeps_its_traceback(self, bug: Exception, run: Run, replace: Replace) -> None:
        def fail(*_: object, **__: object) -> None:
            raise bug

        replace("humanseg.training", train=fail)
        with pytest.raises(type(bug)):
            run("train", "--data", ".", "-o", "run")


class TestOutput:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0.44, "0.4 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (3661, "1 h 01 min")],
    )
    def test_duration(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text

    def test_table__aligns_names_left_and_numbers_right(self) -> None:
        assert table([("name", "x"), ("a", "10")]) == ["name   x", "a     10"]
