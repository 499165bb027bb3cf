"""The configuration classes: strict, frozen, described, and a plan's runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from humanseg.config.architectures import (
    ARCHITECTURES,
    Arch,
    DeepLabModel,
    PANModel,
    UNetModel,
    model_settings,
    own_settings,
)
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.schema import DataConfig, LoopConfig, TrainConfig, TrainingConfig
from humanseg.config.section import kinds_of
from humanseg.config.split_config import FoldSplit, ReferenceSplit, SourceSplit
from humanseg.system.errors import ConfigError

SECTIONS = list(
    dict.fromkeys(
        section
        for kind in (TrainConfig, CompareConfig)
        for field in kind.model_fields.values()
        for section in kinds_of(field).values()
    )
)


def test_train_config__is_made_of_sections_only() -> None:
    assert all(kinds_of(field) for field in TrainConfig.model_fields.values())


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: str(section.__name__))
def test_section__describes_every_field(section: type[BaseModel]) -> None:
    assert section.__doc__
    for name, field in section.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name


@pytest.mark.parametrize(
    "kind", [TrainConfig, CompareConfig, *SECTIONS], ids=lambda kind: str(kind.__name__)
)
def test_config__forbids_unknown_keys_and_changes(kind: type[BaseModel]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        kind.model_validate({"unknown": 1})
    if any(field.is_required() for field in kind.model_fields.values()):
        return  # a source, or an architecture, must be named
    config = kind()
    name = next(iter(kind.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, name, getattr(config, name))


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (TrainingConfig, {"epochs": 0}),
        (TrainingConfig, {"batch_size": 1}),
        (TrainingConfig, {"ema_decay": 1.0}),
        (UNetModel, {"image_size": (321, 320)}),
        (UNetModel, {"image_size": (0, 320)}),
        (UNetModel, {"arch": "U-Net"}),
        (DataConfig, {"layout": "tar"}),
        (DataConfig, {"classes": ()}),
    ],
)
def test_section__refuses_impossible_values(
    section: type[BaseModel], values: dict[str, object]
) -> None:
    with pytest.raises(ValidationError):
        section.model_validate(values)


def test_config__survives_json() -> None:
    config = CompareConfig(data=DataConfig(root=Path("pictures")), seeds=(1, 2))
    assert CompareConfig.model_validate_json(config.model_dump_json()) == config


def test_plan__runs_every_network_with_every_seed_and_all_else_equal() -> None:
    plan = CompareConfig(archs=("fpn", "unet"), seeds=(3, 4), training=LoopConfig(epochs=7))
    runs = plan.runs()
    assert list(runs) == ["fpn-seed3", "unet-seed3", "fpn-seed4", "unet-seed4"]
    for name, run in runs.items():
        assert type(run) is TrainConfig
        assert name == f"{run.model.arch}-seed{run.training.seed}"
        assert run.model == model_settings(run.model.arch)
        assert run.training == TrainingConfig(epochs=7, seed=run.training.seed)
        for section in ("data", "split", "augmentation", "loss", "optimiser", "evaluation"):
            assert getattr(run, section) == getattr(plan, section)


def test_plan__crosses_folds_repeats_and_sources() -> None:
    plan = CompareConfig(archs=("unet",), folds=2, repeats=2, leave_one_source_out=True)
    runs = plan.runs(["a", "b c"])
    assert list(runs) == [
        "unet-repeat1-fold1-seed42",
        "unet-repeat1-fold2-seed42",
        "unet-repeat2-fold1-seed42",
        "unet-repeat2-fold2-seed42",
        "unet-without-a-seed42",
        "unet-without-b-c-seed42",
    ]
    splits = [run.split for run in runs.values()]
    assert splits == [
        FoldSplit(folds=2, fold=1, seed=42),
        FoldSplit(folds=2, fold=2, seed=42),
        FoldSplit(folds=2, fold=1, seed=43),
        FoldSplit(folds=2, fold=2, seed=43),
        SourceSplit(held_out="a"),
        SourceSplit(held_out="b c"),
    ]


def test_plan__names_folds_alone_without_repeats() -> None:
    assert list(CompareConfig(archs=("fpn",), folds=2).runs()) == [
        "fpn-fold1-seed42",
        "fpn-fold2-seed42",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": {"protocol": "folds"}}, "ask for folds with folds"),
        (
            {"split": {"protocol": "reference"}, "folds": 5},
            "reference is one split; leave one of them out",
        ),
        ({"repeats": 3}, "it needs folds"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"model": {"decoder_channels": [1] * 5}, "archs": ["fpn"]}, "none of archs .fpn. has it"),
        ({"model": {"encoder_output_stride": 8}, "archs": ["pan"]}, "allowed: 16, 32 for pan"),
        ({"model": {"image_size": [64, 64]}, "archs": ["unet", "pan"]}, "64x64; pan needs 128"),
        ({"archs": ["unet", "dpt"]}, "dpt takes encoders of timm only"),
        ({"test_on": ["x/set", "y/set"]}, "their names must differ"),
    ],
)
def test_plan__refuses_what_cannot_be_meant(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CompareConfig.model_validate(values)


def test_plan__gives_settings_to_the_networks_that_have_them() -> None:
    plan = CompareConfig.model_validate(
        {
            "archs": ["unet", "deeplabv3plus", "fpn"],
            "model": {"decoder_channels": [5, 4, 3, 2, 1], "decoder_atrous_rates": [1, 2, 3]},
        }
    )
    unet, deeplab, fpn = (run.model for run in plan.runs().values())
    assert isinstance(unet, UNetModel)
    assert isinstance(deeplab, DeepLabModel)
    assert unet.decoder_channels == (5, 4, 3, 2, 1)
    assert (deeplab.encoder_output_stride, deeplab.decoder_atrous_rates) == (16, (1, 2, 3))
    assert not hasattr(fpn, "decoder_channels")


def test_plan__divides_by_the_published_split_and_keeps_groups_for_sources() -> None:
    plan = CompareConfig.model_validate(
        {
            "archs": ["fpn"],
            "split": {"protocol": "reference", "groups": "groups.csv", "seed": 7},
            "leave_one_source_out": True,
        }
    )
    assert list(plan.splits(["a"]).values()) == [
        ReferenceSplit(seed=7, groups=Path("groups.csv")),
        SourceSplit(held_out="a", groups=Path("groups.csv"), seed=7),
    ]


class TestArchitectures:
    def test_table__has_every_architecture(self) -> None:
        assert tuple(ARCHITECTURES) == get_args(Arch)

    @pytest.mark.parametrize("arch", get_args(Arch))
    def test_own_settings__are_those_of_its_class(self, arch: Arch) -> None:
        settings = model_settings(arch, encoder_name="tu-vit_small_patch16_224")
        assert settings.arch == arch
        assert set(own_settings(arch)) == set(type(settings).model_fields) - set(
            model_settings("fpn").model_dump()
        )

    def test_rates__fit_the_stride(self) -> None:
        assert DeepLabModel().atrous_rates == (6, 12, 18)
        assert DeepLabModel(encoder_output_stride=8).atrous_rates == (12, 24, 36)
        assert DeepLabModel(decoder_atrous_rates=(1, 2, 3)).atrous_rates == (1, 2, 3)

    @pytest.mark.parametrize(
        ("arch", "values", "sentence"),
        [
            (
                "pan",
                {"image_size": (320, 96)},
                "model: image_size is 320x96; pan needs 128 pixels at least on each side (8 times "
                "encoder_output_stride). Take a larger size or another arch.",
            ),
            (
                "pan",
                {"image_size": (224, 224), "encoder_output_stride": 32},
                "model: image_size is 224x224; pan needs 256 pixels at least on each side (8 times "
                "encoder_output_stride). Take a larger size or another arch.",
            ),
            (
                "linknet",
                {"encoder_name": "mit_b0"},
                "model: encoder_name is mit_b0; linknet takes no Mix Transformers (mit_b...) as "
                "encoder. Take another encoder or another arch.",
            ),
            (
                "unetplusplus",
                {"encoder_name": "vgg11_bn"},
                "model: encoder_name is vgg11_bn; unetplusplus takes neither Mix Transformers "
                "(mit_b...) nor VGG (vgg...) as encoder. Take another encoder or another arch.",
            ),
            (
                "dpt",
                {"encoder_name": "resnet18"},
                "model: encoder_name is resnet18; dpt takes encoders of timm only (tu-..., best a "
                "vision transformer: tu-vit...). Take another encoder or another arch.",
            ),
        ],
    )
    def test_settings__that_do_not_fit_are_one_sentence(
        self, arch: Arch, values: dict[str, object], sentence: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            model_settings(arch, **values)
        assert caught.value.problems == [sentence]

    @pytest.mark.parametrize(
        ("arch", "encoder", "early", "sentence"),
        [
            ("pan", "resnet18", (64, 64), "training.early_size is 64x64; pan needs 128"),
            ("dpt", "tu-vit", (64, 64), "training.early_size is 64x64; dpt takes images of one"),
        ],
    )
    def test_early_size__must_fit_too(
        self, arch: Arch, encoder: str, early: tuple[int, int], sentence: str
    ) -> None:
        model = model_settings(arch, encoder_name=encoder)
        with pytest.raises(ConfigError, match=sentence):
            TrainConfig(model=model, training=TrainingConfig(early_size=early))

    def test_settings__of_another_architecture_are_refused(self) -> None:
        with pytest.raises(ConfigError) as caught:
            model_settings("unet", decoder_atrous_rates=(1, 2, 3))
        assert caught.value.problems == [
            "model.decoder_atrous_rates: got (1, 2, 3) in the given values, but it belongs to arch "
            "deeplabv3plus, deeplabv3; got arch unet. Leave it out, or choose another model.arch."
        ]
        with pytest.raises(ConfigError, match="got 8; allowed: 16, 32"):
            PANModel(encoder_output_stride=8)


class TestPython:
    """What is refused on the command line is refused in Python, with the same sentences."""

    def test_section__raises_sentences(self) -> None:
        with pytest.raises(ConfigError) as caught:
            TrainingConfig(epochs=0, batch_size=1)
        assert caught.value.problems == [
            "epochs: got 0; must be at least 1.",
            "batch_size: got 1; must be at least 2.",
        ]

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            (
                {"split": {"protocol": "folds", "test": 0.3}},
                "split.test: got 0.3 in the given values, but it belongs to protocol holdout; got "
                "protocol folds. Leave it out, or choose another split.protocol.",
            ),
            (
                {"split": {"protocol": "source"}},
                "split.held_out: not given; must be text.",
            ),
            (
                {"split": {"protocol": "folds", "fold": 6}},
                "split: fold is 6, folds 5; folds count from 1.",
            ),
            (
                {"model": {"start_from": "bundled", "encoder_weights": "imagenet"}},
                "model: encoder_weights is imagenet, but all weights are those of start_from "
                "(bundled); leave one of them out.",
            ),
            (
                {"training": {"early_share": 0.3}},
                "training: early_share is 0.3, but no epoch is early without early_size; set "
                "early_size, or leave early_share out.",
            ),
            (
                {"test_on": ["x"]},
                "test_on: is part of a comparison; run the given values with `humanseg compare`.",
            ),
        ],
    )
    def test_train__refuses_what_would_be_ignored(
        self, values: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            TrainConfig(**values)
        assert caught.value.problems == [problem]

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            (
                {"model": {"arch": "fpn"}},
                "model.arch: got 'fpn' in the given values; a comparison has several networks: "
                "name them with archs.",
            ),
            (
                {"training": {"seed": 3}},
                "training.seed: got 3 in the given values; a comparison may have several seeds: "
                "give them with seeds.",
            ),
            (
                {"folds": 5, "split": {"test": 0.3}},
                "split.test: got 0.3 in the given values, but it belongs to protocol holdout; got "
                "protocol folds. Leave it out, or choose another split.protocol.",
            ),
        ],
    )
    def test_compare__refuses_what_would_be_ignored(
        self, values: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(ConfigError) as caught:
            CompareConfig(**values)
        assert caught.value.problems == [problem]

    def test_weights__are_those_of_the_model_that_is_started_from(self) -> None:
        assert UNetModel().encoder_weights == "imagenet"
        assert UNetModel(start_from="bundled").encoder_weights is None

    def test_early_share__is_half_where_a_size_is_given(self) -> None:
        assert TrainingConfig().early_share is None
        assert TrainingConfig(early_size=(64, 64)).early_share == 0.5
