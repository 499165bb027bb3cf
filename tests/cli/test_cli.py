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

from humanseg.config.architectures import Arch
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import load_yaml, resolve
from humanseg.config.schema import TrainConfig
from humanseg.config.section import kinds_of
from humanseg.system.version import __version__

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


@pytest.mark.command
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

    def test_no_word__is_asked_for_help(self) -> None:
        assert humanseg().stdout == humanseg("--help").stdout != ""

    def test_version(self) -> None:
        result = humanseg("--version")
        assert (result.returncode, result.stdout) == (0, f"humanseg {__version__}\n")

    def test_bad_use__is_lines_on_stderr_and_exit_code_2(self) -> None:
        result = humanseg("compare", "--training.epochs", "0", "--archs", "unett", "-o", "run")
        assert result.returncode == 2
        assert result.stdout == ""
        assert result.stderr.splitlines() == [
            "humanseg: archs: got 'unett'; allowed: unet, fpn, deeplabv3plus, unetplusplus, manet, "
            "linknet, pspnet, pan, deeplabv3, upernet, segformer, dpt.",
            "humanseg: training.epochs: got 0; must be at least 1.",
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
            ("train --loss.dice 0 --loss.bce 0", "loss: dice, bce and lovasz are all 0; one m"),
            ("train --augmentation.scale 2 1", "augmentation.scale: got 2.0 to 1.0; the smaller"),
            ("train --split.test 0.9", "split: validation 0.1 and test 0.9 leave nothing to train"),
            ("compare --config no.yaml", "no.yaml: cannot be read as a configuration (no such"),
            ("compare -o run", "data.root: not given; name the folder with --data."),
            ("compare --data no -o run", "no: does not exist; give a folder, CSV or file of la"),
            ("compare --data a --data.root b", "--data and --data.root are the same setting;"),
            ("compare --model fpn", "model: got 'fpn'; must be a section with the keys "),
            ("compare -o file", "file: is a file; -o needs a folder."),
            ("train --data . -o run --cache file", "file: is a file; --cache needs a folder."),
            ("compare --data . -o run --cache file", "file: is a file; --cache needs a folder."),
            ("train --arch unett", "model.arch: got 'unett'; allowed: unet, fpn, deeplabv3plus, "),
            ("train --seed x", "training.seed: got 'x'; must be a whole number, at least 0 and "),
            ("train --training x --seed 3", "training: got 'x'; must be a section with the keys"),
            ("train --archs unet", "Unknown option: --archs. Did you mean --arch?"),
            ("train --resume no", "no: holds no run to resume (no config.yaml in it)."),
            ("report", "RUN is missing; see --help."),
            (
                "report no",
                "no: holds no results (results.json, evaluation.json, result.json); give",
            ),
            ("evaluate", "MODEL is missing; see --help."),
            ("evaluate model", "--data is missing; see --help."),
            (
                "evaluate no --data .",
                "no: does not exist; give a model directory, bundled, fast, best or clean.",
            ),
            ("evaluate . --data no", "no: does not exist; give a folder, CSV or file of labels."),
            ("evaluate . --data . --threshold 2", "evaluation.threshold: got 2; must be at least"),
            ("evaluate . --data . -o file", "file: is a file; -o needs a folder."),
            ("data split . -o .", ".: is a folder; -o needs a file."),
            ("data spl1t", 'Unknown command "spl1t". Did you mean "split"?'),
            ("data check no", "no: does not exist; give a folder, CSV or file of labels."),
            ("data check . --layout tar", "data.layout: got 'tar'; allowed: auto, folders, "),
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
            "humanseg: model.arch: got 'unett' in my.yaml; allowed: unet, fpn, deeplabv3plus, "
            "unetplusplus, manet, linknet, pspnet, pan, deeplabv3, upernet, segformer, dpt.",
            "humanseg: training.batch_size: got 1; must be at least 2.",
            "humanseg: training.epoch: unknown key in my.yaml; did you mean training.epochs?",
        ]

    def test_train__is_told_about_a_plan(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "plan.yaml"
        file.write_text("archs: [unet]\n")
        code, _, err = run("train", "--config", str(file))
        assert code == 2
        assert err == (
            "humanseg: archs: is part of a comparison; run plan.yaml with `humanseg compare`, or "
            "set model.arch to train one network.\n"
        )

    def test_resume__refuses_other_settings(self, run: Run, tmp_path: Path) -> None:
        words = f"--resume {tmp_path} --seed 3 --preset default --training.epochs 9 -o elsewhere"
        code, _, err = run("train", *words.split())
        assert code == 2
        assert err == (
            f"humanseg: --resume continues {tmp_path} with the settings and in the folder it has; "
            "leave out --seed, --preset, -o, --training.epochs.\n"
        )


def leaves() -> dict[str, tuple[Any, Any]]:
    """Annotation and default of every setting of a plan, by dotted key."""
    settings: dict[str, tuple[Any, Any]] = {}
    for name, field in CompareConfig.model_fields.items():
        for kind in kinds_of(field).values():
            for inner, leaf in kind.model_fields.items():
                told = inner == field.discriminator
                choices: Any = Literal[tuple(kinds_of(field))] if told else leaf.annotation
                settings.setdefault(f"{name}.{inner}", (choices, leaf.default))
        if not kinds_of(field):
            settings[name] = (field.annotation, field.default)
    return settings


def another(annotation: object, default: object) -> object:
    """An allowed value that is not the default."""
    options = get_args(annotation)
    if get_origin(annotation) is Literal:
        return next(choice for choice in options if choice != default)
    literals = [option for option in options if get_origin(option) is Literal]
    if literals and NoneType in options:
        return get_args(literals[0])[0]
    if default is None and any(float in get_args(option) for option in options):
        return 0.25
    if any(int in (option, *get_args(option)) for option in options if default is None):
        return 3
    if default == ():
        return [next(iter(get_args(options[0])), "other")]
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
        # They need each other.
        extra = {
            "repeats": "--folds 3",
            "training.early_share": "--training.early-size 64 64",
            "loss.teacher_share": "--loss.teacher bundled",
            "split.protocol": "--folds 3",
        }
        flag = "--" + key.replace("_", "-")
        if value is True:
            words = [flag]
        elif value is False:
            section, _, name = flag.rpartition(".")
            words = [f"{section}.no-{name}" if section else f"--no-{name[2:]}"]
        else:
            words = [flag, *map(str, value if isinstance(value, list) else [value])]
        code, out, _ = run("compare", "--show-config", *words, *extra.get(key, "").split())
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
        assert "\narchs: [unet, fpn]\nseeds: [1, 2]\n" in "\n" + out
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


class TestRefused:
    """Settings that would change nothing are refused, wherever they were given."""

    BELONGS = "Leave it out, or choose another"

    @pytest.fixture
    def problems(self, run: Run, tmp_path: Path) -> Callable[..., list[str]]:
        def call(words: str, text: str | None = None) -> list[str]:
            if text is not None:
                (tmp_path / "my.yaml").write_text(text)
                words += f" --config {tmp_path / 'my.yaml'}"
            code, out, err = run(*words.split(), "--show-config")
            assert (code, bool(out)) == ((2, False) if err else (0, True))
            return [line.removeprefix("humanseg: ") for line in err.splitlines()]

        return call

    def test_compare__takes_several_networks_and_seeds(
        self, problems: Callable[..., list[str]]
    ) -> None:
        assert problems("compare --model.arch fpn --training.seed 3") == [
            "model.arch: got 'fpn' in the given values; a comparison has several networks: name "
            "them with archs.",
            "training.seed: got 3 in the given values; a comparison may have several seeds: give "
            "them with seeds.",
        ]
        text = "model: {arch: unet}\nloss:\n"
        assert problems("compare", text) == [
            "model.arch: got 'unet' in my.yaml; a comparison has several networks: name them with "
            "archs."
        ]
        assert problems("train", text) == []

    @pytest.mark.parametrize("command", ["compare", "train"])
    def test_reference_split__has_no_shares(
        self, command: str, problems: Callable[..., list[str]]
    ) -> None:
        flags = f"{command} --split.test 0.3"
        assert problems(flags) == []
        rest = f"but it belongs to protocol holdout; got protocol reference. {self.BELONGS} "
        assert problems(f"{flags} --split.protocol reference") == [
            f"split.test: got 0.3 in the given values, {rest}split.protocol."
        ]
        assert problems(command, "split: {protocol: reference, test: 0.3}\n") == [
            f"split.test: got 0.3 in my.yaml, {rest}split.protocol."
        ]

    @pytest.mark.parametrize("command", ["compare", "train"])
    def test_groups__count_in_every_split(
        self, command: str, problems: Callable[..., list[str]]
    ) -> None:
        assert problems(f"{command} --split.protocol reference --split.groups groups.csv") == []

    def test_folds__are_the_comparisons_own(self, problems: Callable[..., list[str]]) -> None:
        flags = "--split.folds 3 --split.fold 2 --split.validation 0.3"
        assert problems(f"compare --folds 4 {flags}") == [
            "split.folds: got 3 in the given values; in a comparison, ask for folds with folds.",
            "split.fold: got 2 in the given values; a comparison tests on all folds; leave it out.",
        ]
        assert problems(f"train --split.protocol folds {flags}") == []
        assert problems("compare --folds 4 --split.validation 0.3") == []

    @pytest.mark.parametrize(
        ("flag", "value", "arch", "owners"),
        [
            ("decoder-channels", "64 32 16 8 8", "unet", "unet, unetplusplus, manet"),
            ("encoder-output-stride", "8", "deeplabv3", "deeplabv3plus, pan, deeplabv3"),
            ("encoder-output-stride", "32", "pan", "deeplabv3plus, pan, deeplabv3"),
            ("decoder-atrous-rates", "1 2 3", "deeplabv3plus", "deeplabv3plus, deeplabv3"),
        ],
    )
    def test_setting_of_one_network__elsewhere(
        self, flag: str, value: str, arch: str, owners: str, problems: Callable[..., list[str]]
    ) -> None:
        words = f"--model.{flag} {value}"
        (problem,) = problems(f"train {words} --arch fpn")
        assert problem.startswith(f"model.{flag.replace('-', '_')}: got ")
        assert problem.endswith(
            f"but it belongs to arch {owners}; got arch fpn. {self.BELONGS} model.arch."
        )
        assert problems(f"train {words} --arch {arch}") == []
        (problem,) = problems(f"compare {words} --archs fpn linknet")
        assert problem.endswith("but none of archs (fpn, linknet) has it; leave it out.")
        assert problems(f"compare {words} --archs fpn {arch}") == []

    def test_encoder_weights__of_a_model_to_start_from(
        self, problems: Callable[..., list[str]]
    ) -> None:
        flags = "--model.encoder-weights my.safetensors"
        assert problems(f"train {flags}") == []
        for command in ("train", "compare"):
            assert problems(f"{command} {flags} --model.start-from bundled") == [
                "model: encoder_weights is my.safetensors, but all weights are those of start_from "
                "(bundled); leave one of them out."
            ]

    def test_early_share__needs_a_size(self, problems: Callable[..., list[str]]) -> None:
        flags = "train --training.early-share 0.3"
        (problem,) = problems(flags)
        assert problem.startswith("training: early_share is 0.3, but no epoch is early without ")
        assert problems(f"{flags} --training.early-size 64 64") == []

    def test_repeat__counts_without_further_data(self, problems: Callable[..., list[str]]) -> None:
        assert problems("train --data.repeat 2") == []

    @pytest.mark.parametrize("preset", ["default", "reference", "finetune"])
    @pytest.mark.parametrize("command", ["compare", "train --arch deeplabv3", "compare --folds 3"])
    def test_shown_configuration__can_be_run_again(
        self, command: str, preset: str, run: Run, problems: Callable[..., list[str]]
    ) -> None:
        _, out, _ = run(*command.split(), "--show-config", "--preset", preset)
        assert problems(command.split()[0], out) == []

    def test_shown_configuration__can_be_run_with_another_network_and_split(
        self, run: Run, problems: Callable[..., list[str]]
    ) -> None:
        _, out, _ = run("train", "--show-config")
        assert problems("train --arch fpn --split.protocol reference", out) == []
        changed = out.replace("decoder_channels: null", "decoder_channels: [5, 4, 3, 2, 1]")
        (problem,) = problems("train --arch fpn", changed)
        assert problem.startswith("model.decoder_channels: got [5, 4, 3, 2, 1] in my.yaml, but it ")

    @pytest.mark.parametrize("preset", ["default", "reference"])
    def test_preset__speaks_of_every_network(
        self, preset: str, problems: Callable[..., list[str]]
    ) -> None:
        for arch in get_args(Arch):
            # DPT takes encoders of timm only, and the presets' one is not of them.
            end = f"--preset {preset}" + " --model.encoder-name tu-resnet18" * (arch == "dpt")
            assert problems(f"train --arch {arch} {end}") == []
            assert problems(f"compare --archs {arch} --folds 3 {end}") == []
        assert problems(f"train --from bundled --preset {preset}") == []

    @pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="needs a pipe with a path")
    @pytest.mark.command
    def test_file_from_a_pipe__is_read_once(self) -> None:
        words = ("-m", "humanseg", "compare", "--show-config", "--config", "/dev/stdin")
        result = subprocess.run(
            [sys.executable, *words],
            input="archs: [unet]\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (result.returncode, result.stderr) == (0, "")


class TestShortFlags:
    def test_short_flags__say_what_the_dotted_ones_say(self, run: Run) -> None:
        for command in ("train", "compare"):
            words = ("--epochs", "3", "--lr", "1e-3", "--batch-size", "4")
            _, out, _ = run(command, "--show-config", *words)
            shown = yaml.safe_load(out)
            assert (shown["training"]["epochs"], shown["training"]["batch_size"]) == (3, 4)
            assert shown["optimiser"]["learning_rate"] == 0.001

    def test_short_flags__are_refused_beside_the_dotted_ones(self, run: Run) -> None:
        code, _, err = run("train", "--lr", "1", "--optimiser.learning-rate", "2")
        assert code == 2
        assert err == (
            "humanseg: --lr and --optimiser.learning-rate are the same setting; give one of them.\n"
        )
