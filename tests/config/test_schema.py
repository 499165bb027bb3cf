"""The configuration classes: strict, frozen, described, and a plan's runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from humanseg.config.schema import (
    CompareConfig,
    DataConfig,
    ModelConfig,
    Section,
    TrainConfig,
    TrainingConfig,
)

SECTIONS = [
    field.annotation
    for field in TrainConfig.model_fields.values()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
]


def test_train_config__is_made_of_sections_only() -> None:
    assert len(SECTIONS) == len(TrainConfig.model_fields)


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
        (ModelConfig, {"image_size": (321, 320)}),
        (ModelConfig, {"image_size": (0, 320)}),
        (ModelConfig, {"arch": "U-Net"}),
        (DataConfig, {"layout": "voc"}),
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
    plan = CompareConfig(
        archs=("fpn", "unet"), seeds=(3, 4), training=TrainingConfig(epochs=7, seed=99)
    )
    runs = plan.runs()
    assert list(runs) == ["fpn-seed3", "unet-seed3", "fpn-seed4", "unet-seed4"]
    for name, run in runs.items():
        assert type(run) is TrainConfig
        assert name == f"{run.model.arch}-seed{run.training.seed}"
        alike = run.model_copy(
            update={
                "model": run.model.model_copy(update={"arch": "unet"}),
                "training": run.training.model_copy(update={"seed": 99}),
            }
        )
        shared = TrainConfig.model_validate(plan.model_dump(include=set(TrainConfig.model_fields)))
        assert alike == shared


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
    assert [(one.protocol, one.folds, one.fold, one.seed) for one in splits[:4]] == [
        ("folds", 2, 1, 42),
        ("folds", 2, 2, 42),
        ("folds", 2, 1, 43),
        ("folds", 2, 2, 43),
    ]
    assert [one.held_out for one in splits[4:]] == ["a", "b c"]


def test_plan__names_folds_alone_without_repeats() -> None:
    assert list(CompareConfig(archs=("fpn",), folds=2).runs()) == [
        "fpn-fold1-seed42",
        "fpn-fold2-seed42",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"split": {"protocol": "folds"}}, "ask for folds with folds"),
        ({"split": {"protocol": "reference"}, "folds": 5}, "is one fixed split"),
        ({"repeats": 3}, "it needs folds"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"split": {"fold": 6}}, "fold is 6, folds 5"),
        ({"split": {"protocol": "source", "held_out": None}}, "held_out names none"),
        ({"test_on": ["x/set", "y/set"]}, "their names must differ"),
    ],
)
def test_plan__refuses_what_cannot_be_meant(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CompareConfig.model_validate(values)
