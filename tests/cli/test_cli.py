"""The command line through the front door: exit codes, sentences, and what it imports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml

from humanseg import __version__
from humanseg.config.loading import load_yaml, resolve
from humanseg.config.schema import CompareConfig, Section, TrainConfig

Run = Callable[..., tuple[int, str, str]]

HEAVY = ("torch", "lightning", "sklearn", "scipy", "jinja2", "PIL", "numpy", "timm")


def python(*words: str) -> subprocess.CompletedProcess[str]:
    """A Python of its own."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60)


def humanseg(*words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    return python("-m", "humanseg", *words)


def probe(*words: str) -> str:
    """Code that runs the command and then prints which heavy packages were imported for it."""
    return (
        f"import sys; from humanseg.cli import main; code = main({list(words)}); "
        f"print([name for name in {HEAVY} if name in sys.modules]); sys.exit(code)"
    )


class TestFrontDoor:
    def test_help__lists_the_commands_and_imports_nothing_heavy(self) -> None:
        result = python("-c", probe("--help"))
        assert (result.returncode, result.stderr) == (0, "")
        for command in ("compare", "train", "report", "evaluate", "data"):
            assert command in result.stdout
        assert result.stdout.splitlines()[-1] == "[]"

    def test_show_config__imports_nothing_heavy(self) -> None:
        result = python("-c", probe("compare", "--show-config"))
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.splitlines()[-1] == "[]"

    def test_version(self) -> None:
        result = humanseg("--version")
        assert (result.returncode, result.stdout) == (0, f"humanseg {__version__}\n")

    def test_bad_use__is_lines_on_stderr_and_exit_code_2(self) -> None:
        result = humanseg("compare", "--training.epochs", "0", "--archs", "unett", "-o", "run")
        assert result.returncode == 2
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            "humanseg: training.epochs: got 0; must be at least 1.",
            "humanseg: archs: got 'unett'; allowed: unet, fpn, deeplabv3plus.",
        ]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
    def test_full_disk__is_a_sentence_and_exit_code_1(self) -> None:
        with Path("/dev/full").open("w") as full:
            result = subprocess.run(
                [sys.executable, "-m", "humanseg", "train", "--show-config"],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
            )
        assert result.returncode == 1
        assert result.stderr == (
            "humanseg: the disk is full. Free some space and run the same command again.\n"
        )


class TestBadUse:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("trainn", 'Unknown command "trainn". Did you mean "train"?'),
            ("compare --training.epoch 3", "Unknown option: --training.epoch. Did you mean "),
            ("compare --sedes 3", "Unknown option: --sedes. Did you mean --seeds?"),
            ("compare", "-o is missing; give the folder for the results with -o RUN."),
            ("compare -o", "-o needs a value; see --help."),
            ("compare unet", "unexpected: unet. Options are given by name; see --help."),
            ("compare --archs -o run", "--archs needs a value; see --help."),
            ("compare --model.image-size 320", "--model.image-size needs 2 values; see --help."),
            ("compare --training.epochs 3 --training.epochs 4", "--training.epochs is given twice"),
            ("compare --preset best", 'Invalid value "best" for --preset. Choose from: "default"'),
            ("compare --seeds 1 1 -o run", "seeds: got [1, 1]; give at least one, and each only"),
            ("compare --archs fpn fpn", "archs: got ['fpn', 'fpn']; give at least one, and each"),
            ("train --loss.dice 0 --loss.bce 0", "loss: dice and bce are both 0; one must be"),
            ("train --augmentation.scale 2 1", "augmentation.scale: got 2.0 to 1.0; the smaller"),
            ("train --split.test 0.9", "split: validation 0.1 and test 0.9 leave nothing to train"),
            ("compare --config no.yaml", "no.yaml: cannot be read as a configuration (no such"),
            ("compare -o run", "data.root: not given; name the folder with --data."),
            ("compare --data no -o run", "no: does not exist; give a folder, CSV or COCO JSON."),
            ("compare --data a --data.root b", "--data and --data.root are the same setting;"),
            ("compare --model fpn", "model: got 'fpn'; must be a section with the keys arch, "),
            ("compare -o file", "file: is a file; -o needs a folder."),
            ("train --data . -o run --cache file", "file: is a file; --cache needs a folder."),
            ("compare --data . -o run --cache file", "file: is a file; --cache needs a folder."),
            ("train --arch unett", "model.arch: got 'unett'; allowed: unet, fpn, deeplabv3plus."),
            ("train --seed x", "training.seed: got 'x'; must be a whole number, at least 0 and "),
            ("train --training x --seed 3", "training: got 'x'; must be a section with the keys"),
            ("train --archs unet", "Unknown option: --archs. Did you mean --arch?"),
            ("train --resume no", "no: holds no run to resume (no config.yaml in it)."),
            ("report", "RUN is missing; see --help."),
            (
                "report no",
                "no: holds no results (results.json, result.json, evaluation.json); give",
            ),
            ("evaluate", "MODEL is missing; see --help."),
            ("evaluate model", "--data is missing; see --help."),
            ("evaluate no --data .", "no: does not exist; give a model directory, or bundled."),
            ("evaluate . --data no", "no: does not exist; give a folder, CSV or COCO JSON."),
            ("evaluate . --data . --threshold 2", "evaluation.threshold: got 2; must be at least"),
            ("evaluate . --data . -o file", "file: is a file; -o needs a folder."),
            ("data split . -o .", ".: is a folder; -o needs a file."),
            ("data spl1t", 'Unknown command "spl1t". Did you mean "split"?'),
            ("data check no", "no: does not exist; give a folder, CSV or COCO JSON."),
            ("data check . --layout voc", "data.layout: got 'voc'; allowed: auto, folders, "),
            ("data split . --split.test 2", "split.test: got 2; must be above 0 and below 1."),
            ("data synthesize out --size 9", "--size needs 2 values; see --help."),
            ("data synthesize out", "--count is missing; see --help."),
        ],
    )
    def test_bad_use__is_one_sentence_and_exit_code_2(
        self,
        words: str,
        sentence: str,
        run: Run,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("file").touch()
        code, out, err = run(*words.split())
        assert code == 2
        assert out == ""
        assert err.startswith(f"humanseg: {sentence}")
        assert err.count("\n") == 1
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_config_file__problems_name_the_file(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "my.yaml"
        file.write_text("training: {epoch: 3}\nmodel: {arch: unett}\n")
        code, _, err = run("train", "--config", str(file), "--training.batch-size", "1")
        assert code == 2
        assert err.splitlines() == [
            "humanseg: model.arch: got 'unett'; allowed: unet, fpn, deeplabv3plus.",
            "humanseg: training.batch_size: got 1; must be at least 2.",
            "humanseg: training.epoch: unknown key in my.yaml; did you mean training.epochs?",
        ]

    def test_train__is_told_about_a_plan(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "plan.yaml"
        file.write_text("archs: [unet]\n")
        code, _, err = run("train", "--config", str(file))
        assert code == 2
        assert err == (
            "humanseg: archs: is part of a plan; run plan.yaml with `humanseg compare`, or set "
            "model.arch to train one network.\n"
        )

    def test_resume__refuses_other_settings(self, run: Run, tmp_path: Path) -> None:
        words = f"--resume {tmp_path} --seed 3 --preset default --training.epochs 9 -o elsewhere"
        code, _, err = run("train", *words.split())
        assert code == 2
        assert err == (
            f"humanseg: --resume continues {tmp_path} with the settings and in the folder it has; "
            "leave out --preset, --seed, -o, --training.epochs.\n"
        )


def leaves() -> dict[str, tuple[Any, Any]]:
    """Annotation and default of every setting of a plan, by dotted key."""
    found: dict[str, tuple[Any, Any]] = {}
    for name, field in CompareConfig.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for inner, leaf in section.model_fields.items():
                found[f"{name}.{inner}"] = (leaf.annotation, leaf.default)
        else:
            found[name] = (section, field.default)
    return found


def another(annotation: object, default: object) -> object:
    """An allowed value that is not the default."""
    options = get_args(annotation)
    if get_origin(annotation) is Literal:
        return next(choice for choice in options if choice != default)
    if any(int in (option, *get_args(option)) for option in options if default is None):
        return 3
    if default == ():
        return ["other"]
    if default is None:
        tuples = [get_args(option) for option in options if get_origin(option) is tuple]
        return [32 * place for place in range(1, len(tuples[0]) + 1)] if tuples else "other"
    if isinstance(default, tuple):
        *first, last = default
        return ["fpn"] if isinstance(last, str) else [*first, last * 2]
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    return (default or 0.5) / 2 if isinstance(default, float) else "other"


class TestFlags:
    @pytest.mark.parametrize("key", leaves())
    def test_field__is_reachable_as_a_flag(self, key: str, run: Run) -> None:
        value = another(*leaves()[key])
        extra = ["--folds", "3"] if key == "repeats" else []  # they need each other
        flag = "--" + key.replace("_", "-")
        if value is True:
            words = [flag]
        elif value is False:
            section, _, name = flag.rpartition(".")
            words = [f"{section}.no-{name}" if section else f"--no-{name[2:]}"]
        else:
            words = [flag, *map(str, value if isinstance(value, list) else [value])]
        code, out, _ = run("compare", "--show-config", *words, *extra)
        assert code == 0
        shown = yaml.safe_load(out)
        for part in key.split("."):
            shown = shown[part]
        assert shown == value

    def test_help__has_every_flag_in_one_piece_with_its_description(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        _, out, _ = run("compare", "--help")
        for key in leaves():
            assert f"--{key.replace('_', '-')} " in out
        assert "Chance of losing all colour." in out

    @pytest.mark.parametrize(
        "words",
        ["--training.no-ema-decay", "--training.ema-decay none", "--training.ema_decay null"],
    )
    def test_optional_field__can_be_unset(self, words: str, run: Run) -> None:
        _, out, _ = run("train", "--show-config", *words.split())
        assert yaml.safe_load(out)["training"]["ema_decay"] is None

    def test_every_optional_field__can_be_unset(self, run: Run) -> None:
        for key, (annotation, _) in leaves().items():
            if NoneType in get_args(annotation):
                section, _, name = key.replace("_", "-").rpartition(".")
                flag = f"--{section}.no-{name}" if section else f"--no-{name}"
                assert run("compare", "--show-config", flag)[0] == 0

    def test_none__stays_a_word_where_it_is_a_choice(self, run: Run) -> None:
        words = ("--model.encoder-weights", "none", "--model.normalisation", "none")
        _, out, _ = run("train", "--show-config", *words)
        model = yaml.safe_load(out)["model"]
        assert (model["encoder_weights"], model["normalisation"]) == ("none", "none")


class TestShowConfig:
    def test_train__shows_what_python_would_use(self, run: Run, tmp_path: Path) -> None:
        words = ("--arch", "fpn", "--seed", "7", "--data", "pictures", "--preset", "reference")
        code, out, err = run("train", "--show-config", *words)
        assert (code, err) == (0, "")
        (tmp_path / "shown.yaml").write_text(out)
        expected = resolve(
            TrainConfig,
            preset="reference",
            overrides={
                "model": {"arch": "fpn"},
                "training": {"seed": 7},
                "data": {"root": "pictures"},
            },
        )
        assert resolve(TrainConfig, file=tmp_path / "shown.yaml") == expected

    def test_compare__shows_the_runs_and_can_be_run_again(self, run: Run, tmp_path: Path) -> None:
        words = ("--archs", "unet", "fpn", "--seeds", "1", "2", "--training.epochs", "3")
        _, out, _ = run("compare", "--show-config", *words)
        assert "\narchs: [unet, fpn]\nseeds: [1, 2]\n" in out
        assert out.endswith(
            "# Runs:\n#   unet-seed1\n#   fpn-seed1\n#   unet-seed2\n#   fpn-seed2\n"
        )
        (tmp_path / "plan.yaml").write_text(out)
        assert load_yaml(tmp_path / "plan.yaml")["training"]["epochs"] == 3
        assert run("compare", "--show-config", "--config", str(tmp_path / "plan.yaml"))[1] == out

    def test_layers__flags_win_over_the_file_and_the_file_over_the_preset(
        self, run: Run, tmp_path: Path
    ) -> None:
        file = tmp_path / "my.yaml"
        file.write_text("training: {epochs: 3, batch_size: 4}\n")
        words = ("--preset", "reference", "--config", str(file), "--training.epochs", "5")
        _, out, _ = run("train", "--show-config", *words)
        training = yaml.safe_load(out)["training"]
        assert (training["epochs"], training["batch_size"]) == (5, 4)
        assert training["checkpoint"] == "best"


class TestIgnored:
    """Settings that were given and change nothing are remarked on."""

    ARCH = "humanseg: note: model.arch in my.yaml has no effect here; use archs."
    SEED = "humanseg: note: training.seed in my.yaml has no effect here; use seeds."
    REST = "has no effect; the reference split has sizes of its own."

    @pytest.fixture
    def notes(self, run: Run, tmp_path: Path) -> Callable[..., list[str]]:
        def call(words: str, text: str | None = None) -> list[str]:
            if text is not None:
                (tmp_path / "my.yaml").write_text(text)
                words += f" --config {tmp_path / 'my.yaml'}"
            code, out, err = run(*words.split(), "--show-config")
            assert code == 0
            assert out.startswith("data:\n")
            return err.splitlines()

        return call

    def test_compare__flags(self, notes: Callable[..., list[str]]) -> None:
        assert notes("compare --model.arch fpn --training.seed 3") == [
            "humanseg: note: --model.arch has no effect here; use --archs.",
            "humanseg: note: --training.seed has no effect here; use --seeds.",
        ]

    def test_compare__file(self, notes: Callable[..., list[str]]) -> None:
        text = "model: {arch: unet}\ntraining: {seed: 3}\nloss:\n"
        assert notes("compare", text) == [self.ARCH, self.SEED]
        assert notes("compare", text + "seeds: [3]\n") == [self.ARCH]
        assert notes("train", text) == []

    @pytest.mark.parametrize("command", ["compare", "train"])
    def test_reference_split__shares(self, command: str, notes: Callable[..., list[str]]) -> None:
        flags = f"{command} --split.validation 0.1 --split.test 0.3"
        assert notes(flags) == []
        assert notes(f"{flags} --split.protocol reference") == [
            f"humanseg: note: --split.validation {self.REST}",
            f"humanseg: note: --split.test {self.REST}",
        ]
        text = "split: {protocol: reference, test: 0.3}\n"
        assert notes(command, text) == [f"humanseg: note: split.test in my.yaml {self.REST}"]

    def test_groups__count_in_every_comparison(self, notes: Callable[..., list[str]]) -> None:
        flags = "--split.protocol reference --split.groups groups.csv"
        assert notes(f"train {flags}") == [f"humanseg: note: --split.groups {self.REST}"]
        assert notes(f"compare {flags}") == []
        text = "split: {protocol: reference, groups: groups.csv}\n"
        assert notes("train", text) == [f"humanseg: note: split.groups in my.yaml {self.REST}"]
        assert notes("compare", text) == []

    def test_validation__counts_where_sources_are_left_out(
        self, notes: Callable[..., list[str]]
    ) -> None:
        flags = "compare --split.protocol reference --split.validation 0.3"
        assert notes(flags) == [f"humanseg: note: --split.validation {self.REST}"]
        assert notes(f"{flags} --leave-one-source-out") == []

    def test_folds__are_the_comparisons_own(self, notes: Callable[..., list[str]]) -> None:
        flags = "--split.folds 3 --split.fold 2 --split.validation 0.3"
        rest = "has no effect; the comparison's own folds are the test parts."
        assert notes(f"compare --folds 4 {flags}") == [
            f"humanseg: note: --split.folds {rest}",
            f"humanseg: note: --split.fold {rest}",
        ]
        assert notes(f"train --split.protocol folds {flags}") == []

    def test_early_share__needs_a_size(self, notes: Callable[..., list[str]]) -> None:
        rest = "has no effect; it needs training.early_size."
        flags = "train --training.early-share 0.3"
        assert notes(flags) == [f"humanseg: note: --training.early-share {rest}"]
        assert notes(f"{flags} --training.early-size 64 64") == []
        text = "training: {early_share: 0.3}\n"
        expected = [f"humanseg: note: training.early_share in my.yaml {rest}"]
        assert notes("train", text) == expected

    @pytest.mark.parametrize(
        ("flag", "arch", "owner"),
        [
            ("decoder-channels 64 32 16 8 8", "unet", "U-Net has such a decoder"),
            ("encoder-output-stride 8", "deeplabv3plus", "DeepLabV3+ has it"),
            ("decoder-atrous-rates 1 2 3", "deeplabv3plus", "DeepLabV3+ has it"),
        ],
    )
    def test_setting_of_one_network__elsewhere(
        self, flag: str, arch: str, owner: str, notes: Callable[..., list[str]]
    ) -> None:
        name = flag.split()[0]
        expected = [f"humanseg: note: --model.{name} has no effect; only {owner}."]
        assert notes(f"train --model.{flag} --arch fpn") == expected
        assert notes(f"train --model.{flag} --arch {arch}") == []
        assert notes(f"compare --model.{flag} --archs fpn") == expected
        assert notes(f"compare --model.{flag} --archs fpn {arch}") == []

    def test_encoder_weights__of_a_model_to_start_from(
        self, notes: Callable[..., list[str]]
    ) -> None:
        rest = "has no effect; all weights are those of model.start_from."
        flags = "--model.encoder-weights my.safetensors"
        assert notes(f"train {flags}") == []
        expected = [f"humanseg: note: --model.encoder-weights {rest}"]
        for command in ("train", "compare"):
            assert notes(f"{command} {flags} --model.start-from bundled") == expected
        # Without them a comparison does not look for scenes.
        none = "--model.encoder-weights none --model.start-from bundled"
        assert notes(f"train {none}") == expected
        assert notes(f"compare {none}") == []

    def test_repeat__counts_without_further_data(self, notes: Callable[..., list[str]]) -> None:
        assert notes("train --data.repeat 2") == []

    @pytest.mark.parametrize("preset", ["default", "reference", "finetune"])
    @pytest.mark.parametrize("command", ["compare", "train"])
    def test_shown_configuration__is_not_remarked_on(
        self, command: str, preset: str, run: Run, notes: Callable[..., list[str]]
    ) -> None:
        words = ("--split.protocol", "reference", "--preset", preset)
        _, out, _ = run(command, "--show-config", *words)
        assert notes(command, out) == []

    @pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs a pipe with a path")
    def test_file_from_a_pipe__is_read_once(self) -> None:
        words = ("-m", "humanseg", "compare", "--show-config", "--config", "/dev/stdin")
        result = subprocess.run(
            [sys.executable, *words],
            input="model: {arch: unet}\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (result.returncode, result.stderr) == (0, "")
