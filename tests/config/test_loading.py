"""Layers, presets and YAML of configurations, and the exact sentences about their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self, get_args

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError, model_validator

from humanseg.config.architectures import DeepLabModel
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.loading import (
    load_preset,
    load_yaml,
    read_stored,
    resolve,
    to_yaml,
)
from humanseg.config.schema import Preset, TrainConfig
from humanseg.config.section import Section, owners
from humanseg.config.sentences import describe_problems
from humanseg.system.errors import ConfigError, UsageError

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-3, 64) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def problems_of(values: dict[str, Any], kind: type[Section] = CompareConfig) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolve(kind, overrides=values)
    return caught.value.problems


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


class TestPresets:
    def test_default__equals_the_class_defaults(self) -> None:
        assert TrainConfig.model_validate(load_preset("default")) == TrainConfig()

    def test_default__names_every_key(self) -> None:
        assert {name: list(section) for name, section in load_preset("default").items()} == {
            name: list(section) for name, section in TrainConfig().model_dump().items()
        }

    def test_reference__is_the_published_table(self) -> None:
        config = resolve(TrainConfig, preset="reference")
        assert config.training.epochs == 25
        assert config.training.batch_size == 16
        assert config.training.ema_decay is None
        assert config.training.checkpoint == "best"
        assert config.optimiser.model_dump() == {
            "name": "adam",
            "learning_rate": 0.003,
            "encoder_rate_factor": 1.0,
            "weight_decay": 0.0,
            "schedule": "constant",
            "warmup": 0.0,
        }
        assert config.model.encoder_name == "efficientnet-b0"
        assert config.model.encoder_weights == "imagenet"
        assert config.model.image_size == (320, 320)
        assert config.model.normalisation == "none"
        deeplab = resolve(
            TrainConfig, preset="reference", overrides={"model": {"arch": "deeplabv3plus"}}
        )
        assert isinstance(deeplab.model, DeepLabModel)
        assert deeplab.model.decoder_atrous_rates == (12, 24, 36)
        assert config.loss.model_dump(exclude_none=True) == {
            "dice": 1.0,
            "bce": 1.0,
            "lovasz": 0.0,
            "dice_per_image": False,
        }

    def test_reference__augments_with_flips_only(self) -> None:
        augmentation = resolve(TrainConfig, preset="reference").augmentation
        chances = (
            "horizontal_flip",
            "vertical_flip",
            "affine",
            "copy_paste",
            "colour",
            "grey",
            "blur",
            "noise",
        )
        assert [getattr(augmentation, name) for name in chances] == [0.5, 0.5, 0, 0, 0, 0, 0, 0]

    def test_reference__leaves_data_and_split_alone(self) -> None:
        preset = load_preset("reference")
        assert preset["data"] == {"mask_resize": "nearest"}
        assert "split" not in preset

    @pytest.mark.parametrize("name", get_args(Preset))
    def test_preset__serves_plans_too(self, name: Preset) -> None:
        assert len(resolve(CompareConfig, preset=name).runs()) == 3

    def test_preset__unknown(self) -> None:
        with pytest.raises(UsageError) as caught:
            load_preset("best")
        assert str(caught.value) == "preset: got 'best'; allowed: default, reference, finetune."


class TestLayers:
    def test_resolve__later_layers_win_key_by_key(self, tmp_path: Path) -> None:
        file = write(tmp_path, "training: {epochs: 3, batch_size: 4}\n")
        config = resolve(
            TrainConfig,
            preset="reference",
            file=file,
            overrides={"training": {"epochs": 5}},
        )
        assert config.training.epochs == 5
        assert config.training.batch_size == 4
        assert config.training.checkpoint == "best"

    def test_resolve__replaces_lists_whole(self, tmp_path: Path) -> None:
        file = write(tmp_path, "archs: [fpn]\nmodel: {image_size: [64, 96]}\n")
        config = resolve(CompareConfig, file=file, overrides={"seeds": [1, 2]})
        assert config.archs == ("fpn",)
        assert config.seeds == (1, 2)
        assert config.model.image_size == (64, 96)

    def test_resolve__null_from_a_later_layer_unsets(self) -> None:
        config = resolve(TrainConfig, preset="default", overrides={"training": {"ema_decay": None}})
        assert config.training.ema_decay is None

    def test_resolve__takes_a_section_without_settings_as_not_given(self, tmp_path: Path) -> None:
        file = write(tmp_path, "training:\n#  epochs: 3\nmodel: {arch: fpn}\n")
        config = resolve(TrainConfig, preset="reference", file=file)
        assert config.training.checkpoint == "best"
        assert config.model.arch == "fpn"

    def test_resolve__does_not_touch_its_input(self) -> None:
        overrides = {"training": {"epochs": 3}}
        resolve(TrainConfig, preset="default", overrides=overrides)
        assert overrides == {"training": {"epochs": 3}}

    def test_resolve__takes_numbers_as_text(self) -> None:
        overrides = {"optimiser": {"learning_rate": "1e-3"}, "model": {"image_size": ["64", "96"]}}
        config = resolve(TrainConfig, overrides=overrides)
        assert config.optimiser.learning_rate == 0.001
        assert config.model.image_size == (64, 96)


class TestRoundTrip:
    def test_to_yaml__has_the_order_of_the_class_and_one_line_per_setting(self) -> None:
        text = to_yaml(TrainConfig())
        data = [
            "root: null",
            "layout: auto",
            "classes: [person]",
            "extra: []",
            "repeat: 1",
            "mask_resize: area",
        ]
        data.append("accept: []")
        assert text.startswith("\n  ".join(["data:", *data]) + "\nsplit:\n")
        assert "  image_size: [320, 320]\n" in text

    @given(
        root=st.none() | st.text(st.characters(exclude_characters="\0"), min_size=1).map(Path),
        encoder=st.text(),
        rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        flip=st.floats(min_value=0, max_value=1),
        decay=st.none() | st.floats(0.5, 0.999),
        size=st.tuples(st.integers(1, 128), st.integers(1, 128)),
        seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True),
    )
    def test_to_yaml__loads_to_an_equal_object(
        self,
        root: Path | None,
        encoder: str,
        rate: float,
        flip: float,
        decay: float | None,
        size: tuple[int, int],
        seeds: list[int],
    ) -> None:
        config = resolve(
            CompareConfig,
            overrides={
                "data": {"root": root},
                "model": {"encoder_name": encoder, "image_size": [32 * side for side in size]},
                "optimiser": {"learning_rate": rate},
                "augmentation": {"horizontal_flip": flip},
                "training": {"ema_decay": decay},
                "seeds": seeds,
            },
        )
        assert resolve(CompareConfig, overrides=yaml.safe_load(to_yaml(config))) == config

    def test_to_yaml__survives_a_file(self, tmp_path: Path) -> None:
        config = resolve(
            CompareConfig, preset="reference", overrides={"data": {"root": "Bilder/Größe: 1"}}
        )
        assert resolve(CompareConfig, file=write(tmp_path, to_yaml(config))) == config

    @given(data=st.data())
    @settings(max_examples=120)
    def test_setting__of_any_value_is_refused_by_its_key_or_comes_back(
        self, data: st.DataObject
    ) -> None:
        kinds: list[type[Section]] = [TrainConfig, CompareConfig]
        kind = data.draw(st.sampled_from(kinds))
        section = data.draw(st.sampled_from(list(TrainConfig.model_fields)))
        key = data.draw(st.sampled_from(sorted(owners(TrainConfig.model_fields[section]))))
        values = {section: {key: data.draw(ANYTHING)}}
        try:
            config = resolve(kind, overrides=values)
        except ConfigError as error:
            for problem in error.problems:
                assert problem.startswith((f"{section}.", f"{section}:")), problem
                assert "\n" not in problem
        else:
            assert resolve(kind, overrides=yaml.safe_load(to_yaml(config))) == config

    @given(data=st.data(), key=st.text(min_size=1), value=ANYTHING)
    @settings(max_examples=60)
    def test_unknown_key__is_refused_by_its_dotted_name(
        self, data: st.DataObject, key: str, value: object
    ) -> None:
        section = data.draw(st.sampled_from([None, *TrainConfig.model_fields]))
        names = (
            TrainConfig.model_fields
            if section is None
            else owners(TrainConfig.model_fields[section])
        )
        assume(key not in {*names, *CompareConfig.model_fields})
        shown = key if key.isprintable() else repr(key)
        dotted = shown if section is None else f"{section}.{shown}"
        (problem,) = problems_of(
            {key: value} if section is None else {section: {key: value}}, TrainConfig
        )
        assert problem.startswith(f"{dotted}: unknown key in the given values")


class TestSentences:
    def test_problems__come_all_at_once_in_the_order_of_the_class(self) -> None:
        values = {
            "archs": ["unett"],
            "training": {"epochs": 0, "epoch": 3},
            "split": {"protocol": "fold"},
            "data": 3,
        }
        assert problems_of(values) == [
            "archs: got 'unett'; allowed: unet, fpn, deeplabv3plus, unetplusplus, manet, linknet, "
            "pspnet, pan, deeplabv3, upernet, segformer, dpt.",
            "data: got 3; must be a section with the keys root, layout, classes, extra, "
            "repeat, mask_resize, accept.",
            "split.protocol: got 'fold'; allowed: holdout, reference. In a comparison, ask for "
            "folds with folds and for sources with leave_one_source_out.",
            "training.epochs: got 0; must be at least 1.",
            "training.epoch: unknown key in the given values; did you mean training.epochs?",
        ]
        assert problems_of({"model": {"arch": "unett"}}, TrainConfig) == [
            "model.arch: got 'unett'; allowed: unet, fpn, deeplabv3plus, unetplusplus, manet, "
            "linknet, pspnet, pan, deeplabv3, upernet, segformer, dpt."
        ]

    @pytest.mark.parametrize(
        ("key", "value", "rest"),
        [
            ("training.epochs", "0", "got 0; must be at least 1."),
            ("training.epochs", "many", "got 'many'; must be a whole number, at least 1."),
            ("training.epochs", 2.5, "got 2.5; must be a whole number, at least 1."),
            ("training.epochs", None, "got null; must be a whole number, at least 1."),
            ("training.onnx", "maybe", "got 'maybe'; must be true or false."),
            ("training.ema_decay", 1, "got 1; must be above 0 and below 1, or null."),
            ("optimiser.learning_rate", -1, "got -1; must be above 0."),
            ("optimiser.learning_rate", float("nan"), "got nan; must be a finite number, above 0."),
            ("optimiser.learning_rate", "inf", "got inf; must be a finite number, above 0."),
            ("split.seed", -1, "got -1; must be at least 0 and below 4294967296."),
            ("augmentation.scale", [2, 1], "got 2.0 to 1.0; the smaller factor comes first."),
            ("model.decoder_atrous_rates", [0, 1, 2], "got 0; must be at least 1."),
            ("augmentation.blur", 1.5, "got 1.5; must be at least 0 and at most 1."),
            ("model.encoder_output_stride", 12, "got 12; allowed: 8, 16, 32, or null."),
            ("model.encoder_name", 3, "got 3; must be text."),
            ("model.encoder_weights", 3, "got 3; must be text, or null."),
            ("data.root", 3, "got 3; must be a path, or null."),
            (
                "model.image_size",
                [300, 320],
                "got 300; must be at least 32, at most 4096 and a multiple of 32.",
            ),
            (
                "model.image_size",
                [320],
                "got [320]; must be a list of 2 numbers, each at least 32, at most 4096 and a "
                "multiple of 32.",
            ),
            (
                "model.decoder_atrous_rates",
                [1, 2, 3, 4],
                "got [1, 2, 3, 4]; must be a list of 3 numbers, each at least 1, or null.",
            ),
        ],
    )
    def test_problem__says_key_value_and_what_is_allowed(
        self, key: str, value: object, rest: str
    ) -> None:
        section, name = key.split(".")
        assert problems_of({section: {name: value}}) == [f"{key}: {rest}"]

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            (
                {"archs": "unet"},
                "archs: got 'unet'; must be a list of unet, fpn, deeplabv3plus, unetplusplus, "
                "manet, linknet, pspnet, pan, deeplabv3, upernet, segformer, dpt.",
            ),
            ({"archs": []}, "archs: got []; give at least one, and each only once."),
            (
                {"archs": ["fpn", "fpn"]},
                "archs: got ['fpn', 'fpn']; give at least one, and each only once.",
            ),
            ({"seeds": [1, 1]}, "seeds: got [1, 1]; give at least one, and each only once."),
            ({"seeds": [-1]}, "seeds: got -1; must be at least 0 and below 4294967296."),
        ],
    )
    def test_plan__must_make_sense(self, values: dict[str, Any], problem: str) -> None:
        assert problems_of(values) == [problem]

    def test_plan__with_a_list_for_a_network_is_one_sentence_whatever_the_preset(self) -> None:
        with pytest.raises(ConfigError, match=r"^archs: got \['unet'\]; allowed: unet, fpn, "):
            resolve(CompareConfig, preset="reference", overrides={"archs": [["unet"]]})

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            (
                {"split": {"validation": 0.5, "test": 0.5}},
                "split: validation 0.5 and test 0.5 leave nothing to train on; their sum must be "
                "below 1.",
            ),
            (
                {"loss": {"dice": 0, "bce": 0}},
                "loss: dice, bce and lovasz are all 0; one must be above 0.",
            ),
            (
                {"loss": {"teacher_share": 0.3}},
                "loss: teacher_share has no effect without a teacher; name one.",
            ),
            (
                {"loss": {"teacher": "bundled", "bce": 0}},
                "loss: a teacher has no effect where bce is 0; give bce a weight.",
            ),
        ],
    )
    def test_section__must_make_sense(self, values: dict[str, Any], problem: str) -> None:
        assert problems_of(values) == [problem]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (
                "training: {epoch: 3}",
                "training.epoch: unknown key in my.yaml; did you mean training.epochs?",
            ),
            ("optimizer: {}", "optimizer: unknown key in my.yaml; did you mean optimiser?"),
            (
                "learning_rate: 1",
                "learning_rate: unknown key in my.yaml; did you mean optimiser.learning_rate?",
            ),
            (
                "seed: 1",
                "seed: unknown key in my.yaml; did you mean split.seed or training.seed?",
            ),
            (
                "loss: {focal: 1}",
                "loss.focal: unknown key in my.yaml; known keys here: dice, bce, lovasz, "
                "dice_per_image, teacher, teacher_share.",
            ),
            (
                'loss: {"a\\nb": 1}',
                "loss.'a\\nb': unknown key in my.yaml; known keys here: dice, bce, lovasz, "
                "dice_per_image, teacher, teacher_share.",
            ),
            (
                "archs: [unet]",
                "archs: is part of a comparison; run my.yaml with `humanseg compare`, or set "
                "model.arch to train one network.",
            ),
            (
                "seeds: [1]",
                "seeds: is part of a comparison; run my.yaml with `humanseg compare`, or set "
                "training.seed to train one network.",
            ),
        ],
    )
    def test_unknown_key__names_the_file_and_what_was_meant(
        self, tmp_path: Path, text: str, problem: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            resolve(TrainConfig, file=write(tmp_path, text), overrides={"model": {"arch": "fpn"}})
        assert caught.value.problems == [problem]

    def test_unknown_key__names_the_layer_it_is_in(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as caught:
            resolve(
                TrainConfig,
                file=write(tmp_path, "model: {depth: 3}"),
                overrides={"loss": {"bcee": 3}},
            )
        assert [problem.split(";")[0] for problem in caught.value.problems] == [
            "model.depth: unknown key in my.yaml",
            "loss.bcee: unknown key in the given values",
        ]

    def test_true_and_false__are_no_numbers(self, tmp_path: Path) -> None:
        file = write(
            tmp_path,
            "training: {epochs: yes, seed: false, ema_decay: no, onnx: yes}\n"
            "augmentation: {blur: on, scale: [yes, 1.2]}\n"
            "model: {image_size: [64, yes]}\n",
        )
        with pytest.raises(ConfigError) as caught:
            resolve(TrainConfig, file=file)
        assert caught.value.problems == [
            "model.image_size: got true in my.yaml; must be a whole number, at least 32, at most "
            "4096 and a multiple of 32.",
            "augmentation.scale: got true in my.yaml; must be a number, above 0.",
            "augmentation.blur: got true in my.yaml; must be a number, at least 0 and at most 1.",
            "training.seed: got false in my.yaml; must be a whole number, at least 0 and below "
            "4294967296.",
            "training.epochs: got true in my.yaml; must be a whole number, at least 1.",
            "training.ema_decay: got false in my.yaml; must be a number, above 0 and below 1, or "
            "null.",
        ]
        assert problems_of({"seeds": [True]}) == [
            "seeds: got true; must be a whole number, at least 0 and below 4294967296."
        ]

    def test_describe_problems__serves_other_callers(self) -> None:
        with pytest.raises(ValidationError) as caught:
            TrainConfig.model_validate({"training": {"epochs": 0}, "split": {"sed": 1}})
        assert describe_problems(TrainConfig, caught.value, lambda _: "config.yaml") == [
            "split.sed: unknown key in config.yaml; did you mean split.seed?",
            "training.epochs: got 0 in config.yaml; must be at least 1.",
        ]

    def test_describe_problems__keeps_the_words_of_a_check_across_settings(self) -> None:
        class Checked(TrainConfig):
            @model_validator(mode="after")
            def _check(self) -> Self:
                raise ValueError("split and data do not fit together.")

        with pytest.raises(ConfigError) as caught:
            Checked()
        assert caught.value.problems == ["split and data do not fit together."]


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", "my.yaml: got null; must hold settings as `key: value`."),
            ("- 1", "my.yaml: got [1]; must hold settings as `key: value`."),
            ("epochs", "my.yaml: got 'epochs'; must hold settings as `key: value`."),
            ("1: 2", "my.yaml, line 1: 1 is no name of a setting."),
            ("a: 2026-13-01", "my.yaml: is not valid YAML (month must be in 1..12)."),
            ("a: !!int ''", "my.yaml: is not valid YAML (string index out of range)."),
            ("a: !!bool 7", "my.yaml: is not valid YAML ('7')."),
            ("a: 1\n---\nb: 2", "my.yaml, line 2: is not valid YAML (but found another document)."),
            ("[" * 5000, "my.yaml: is nested too deeply."),
        ],
    )
    def test_load_yaml__refuses_what_is_no_mapping(
        self, tmp_path: Path, text: str, problem: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            load_yaml(write(tmp_path, text))
        assert caught.value.problems == [problem]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("seeds: x", "seeds: got 'x'; must be a list of numbers, each at least 0"),
            ("test_on: null", "test_on: got null; must be a list of paths."),
            ("data: {classes: 7}", "data.classes: got 7; must be a list of texts."),
            ("a: [", "line 1: is not valid YAML"),
            ("- 1", "got [1]; must hold settings"),
        ],
    )
    def test_read_stored__names_the_file(self, tmp_path: Path, text: str, problem: str) -> None:
        file = write(tmp_path, text)
        with pytest.raises(ConfigError) as caught:
            read_stored(CompareConfig, file)
        assert caught.value.problems[0].startswith(f"{file}: {problem}")

    def test_load_yaml__refuses_keys_given_twice(self, tmp_path: Path) -> None:
        text = "training:\n  epochs: 3\n  epochs: 4\nmodel: {}\nmodel: {}\n"
        with pytest.raises(ConfigError) as caught:
            load_yaml(write(tmp_path, text))
        assert caught.value.problems == [
            "my.yaml, line 3: epochs is given twice; keep one.",
            "my.yaml, line 5: model is given twice; keep one.",
        ]

    def test_load_yaml__runs_no_code(self, tmp_path: Path) -> None:
        path = write(tmp_path, "a: !!python/object/apply:os.getcwd []")
        with pytest.raises(ConfigError, match="could not determine a constructor"):
            load_yaml(path)

    def test_load_yaml__missing_or_unreadable(self, tmp_path: Path) -> None:
        missing = tmp_path / "no.yaml"
        with pytest.raises(UsageError) as caught:
            load_yaml(missing)
        assert str(caught.value) == (
            f"{missing}: cannot be read as a configuration (no such file or directory)."
        )
        with pytest.raises(UsageError, match="is a directory"):
            load_yaml(tmp_path)
        (tmp_path / "my.yaml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(UsageError, match="not UTF-8 text"):
            load_yaml(tmp_path / "my.yaml")
