"""The configuration of a comparison, and the runs that it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, field_validator, model_validator

from humanseg.config.architectures import (
    PUBLISHED,
    AnyModel,
    Arch,
    Rates,
    SharedModel,
    Widths,
    model_settings,
    own_settings,
)
from humanseg.config.schema import (
    AugmentationConfig,
    DataConfig,
    EvaluationConfig,
    LoopConfig,
    LossConfig,
    OptimiserConfig,
    TrainConfig,
    TrainingConfig,
)
from humanseg.config.section import FileSection, Seed, default_kind
from humanseg.config.split_config import (
    DrawnSplit,
    FoldSplit,
    HoldoutSplit,
    ReferenceSplit,
    SourceSplit,
    SplitConfig,
)
from humanseg.system.errors import ConfigError


class ComparedModel(SharedModel):
    """What all networks share, and settings of those that have them."""

    decoder_channels: Widths | None = None
    """Decoder widths from coarse to fine; unset: each network's own."""
    encoder_output_stride: Literal[8, 16, 32] | None = None
    """Output stride of the encoder; unset: 16."""
    decoder_atrous_rates: Rates | None = None
    """Atrous rates; unset: those that fit the stride."""

    def own(self) -> dict[str, object]:
        """Given settings that only some architectures have."""
        return self.model_dump(exclude=set(SharedModel.model_fields), exclude_none=True)

    def of(self, arch: Arch) -> AnyModel:
        """Settings of one of the networks."""
        had = {*SharedModel.model_fields, *own_settings(arch)}
        return model_settings(arch, **self.model_dump(include=had, exclude_none=True))


class ComparedFolds(DrawnSplit):
    """The comparison's own folds are the test parts."""

    protocol: Literal["folds"] = "folds"
    """`folds` tests on every fold in turn; ask for it with folds."""


ComparedSplit: TypeAlias = Annotated[
    HoldoutSplit | ComparedFolds | ReferenceSplit,
    Field(discriminator="protocol"),
    default_kind("protocol", "holdout"),
]


def with_protocol(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a comparison with the protocol that `folds` implies, where none is given."""
    split = values.get("split", {})
    implied = values.get("folds") is not None and isinstance(split, Mapping)
    if implied and "protocol" not in split:
        return {**values, "split": {"protocol": "folds", **split}}
    return dict(values)


class CompareConfig(FileSection):
    """A plan: every architecture with every seed on every split, all else equal."""

    archs: tuple[Arch, ...] = PUBLISHED
    """Architectures to train."""
    seeds: tuple[Seed, ...] = (42,)
    """Training seeds."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Cross-validate: every picture is scored by networks that never saw it; unset: one split."""
    repeats: Annotated[int, Field(ge=1)] = 1
    """Cross-validate this many times, each time with other folds."""
    leave_one_source_out: bool = False
    """Also train without each source of pictures in turn and test on it."""
    test_on: tuple[Path, ...] = ()
    """Other data sets to score the networks on; nothing is trained on them. With folds, their
    pictures are divided among the folds' networks."""
    corrupted_images: Annotated[int, Field(ge=0)] = 0
    """Number of test pictures that are also scored with noise, blur, fog and the like; 0: none."""
    data: DataConfig = DataConfig()
    split: ComparedSplit = HoldoutSplit()
    model: ComparedModel = ComparedModel()
    augmentation: AugmentationConfig = AugmentationConfig()
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    training: LoopConfig = LoopConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    @model_validator(mode="before")
    @classmethod
    def _imply_protocol(cls, values: object) -> object:
        return with_protocol(values) if isinstance(values, Mapping) else values

    @field_validator("archs", "seeds")
    @classmethod
    def _distinct(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError(f"got {list(value)}; give at least one, and each only once.")
        return value

    @field_validator("test_on")
    @classmethod
    def _distinct_names(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        if len({slug(path.name) for path in value}) != len(value):
            raise ValueError(
                f"got {[str(path) for path in value]}; their names must differ, since results are "
                "kept under them."
            )
        return value

    @model_validator(mode="after")
    def _make_sense(self) -> Self:
        problems = [*self._problems_of_folds(), *self._problems_of_networks()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_of_folds(self) -> list[str]:
        protocol, problems = self.split.protocol, []
        if self.folds is None and protocol == "folds":
            problems.append("split.protocol is folds; in a comparison, ask for folds with folds.")
        if self.folds is not None and protocol != "folds":
            problems.append(
                f"folds is {self.folds}, but split.protocol {protocol} is one split; leave one of "
                "them out."
            )
        if self.repeats > 1 and self.folds is None:
            problems.append(f"repeats is {self.repeats}; it needs folds.")
        if self.split.seed + self.repeats > 2**32:
            problems.append(
                f"repeats is {self.repeats} and split.seed {self.split.seed}; every repeat takes "
                "the next seed, and 4294967295 is the last. Take a smaller split.seed."
            )
        return problems

    def _problems_of_networks(self) -> list[str]:
        having = {key for arch in self.archs for key in own_settings(arch)}
        problems = [
            f"model.{key}: got {value}, but none of archs ({', '.join(self.archs)}) has it; leave "
            "it out."
            for key, value in self.model.own().items()
            if key not in having
        ]
        for arch in self.archs:
            try:
                self.run(arch, self.seeds[0], HoldoutSplit())
            except ConfigError as error:
                problems += [f"{problem[:-1]} for {arch}." for problem in error.problems]
        return problems

    def splits(self, sources: Sequence[str] = ()) -> dict[str, SplitConfig]:
        """Splits of the plan by name, `` for a single one, in the order of training.

        Sources of the data set are left out in turn, if the plan asks for it.
        """
        splits: dict[str, SplitConfig] = {}
        drawn = {
            key: getattr(self.split, key)
            for key in DrawnSplit.model_fields
            if key != "protocol" and hasattr(self.split, key)
        }
        for repeat in range(self.repeats if self.folds else 0):
            for fold in range(1, (self.folds or 0) + 1):
                name = f"fold{fold}" if self.repeats == 1 else f"repeat{repeat + 1}-fold{fold}"
                seeded = drawn | {"seed": self.split.seed + repeat}
                splits[name] = FoldSplit(folds=self.folds, fold=fold, **seeded)
        if isinstance(self.split, HoldoutSplit | ReferenceSplit):
            splits[""] = self.split
        if self.leave_one_source_out:
            for source in sources:
                splits[f"without-{slug(source)}"] = SourceSplit(held_out=source, **drawn)
        return splits

    def runs(self, sources: Sequence[str] = ()) -> dict[str, TrainConfig]:
        """One configuration per run, by run name, in the order of training; see `splits`."""
        configs = {}
        for split_name, split in self.splits(sources).items():
            for seed in self.seeds:
                for arch in self.archs:
                    name = "-".join(part for part in (arch, split_name, f"seed{seed}") if part)
                    configs[name] = self.run(arch, seed, split)
        return configs

    def run(self, arch: Arch, seed: int, split: SplitConfig) -> TrainConfig:
        """The configuration of one run."""
        return TrainConfig(
            data=self.data,
            split=split,
            model=self.model.of(arch),
            augmentation=self.augmentation,
            loss=self.loss,
            optimiser=self.optimiser,
            training=TrainingConfig(seed=seed, **self.training.model_dump()),
            evaluation=self.evaluation,
        )


def slug(text: str) -> str:
    """A text as part of a file name: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "x"
