"""How images are divided, one class per protocol: each has just the settings that it uses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from humanseg.config.section import FileSection, Seed, Share, default_kind


class Split(FileSection):
    """Which pictures train, choose and test."""

    protocol: Literal["holdout", "folds", "source", "reference"]
    """How the parts are chosen."""

    @property
    def left_out(self) -> str | None:
        """The source that nothing is trained on; None where the protocol leaves none out."""
        return None


class DrawnSplit(Split):
    """A split that is drawn from groups of pictures, with a validation part of its own."""

    validation: Share = 0.1
    """Share of pictures for learning curves and checkpoint choice."""
    groups: Path | None = None
    """CSV with `id` and `group`, `source` or both: groups are never divided; sources are guessed
    from picture sizes otherwise."""
    seed: Seed = 42
    """Seed of the split; the reference split is defined by 42."""


class HoldoutSplit(DrawnSplit):
    """Three disjoint parts."""

    protocol: Literal["holdout"] = "holdout"
    """`holdout` draws three disjoint parts."""
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    """Share of pictures that only the final scores see."""

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if self.validation + self.test >= 1.0:
            raise ValueError(
                f"validation {self.validation} and test {self.test} leave nothing to train on; "
                "their sum must be below 1."
            )
        return self


class FoldSplit(DrawnSplit):
    """One of equal folds tests, the others train."""

    protocol: Literal["folds"] = "folds"
    """`folds` tests on one of equal folds."""
    folds: Annotated[int, Field(ge=2)] = 5
    """Number of folds."""
    fold: Annotated[int, Field(ge=1)] = 1
    """The fold to test on, from 1."""

    @model_validator(mode="after")
    def _be_one_of_them(self) -> Self:
        if self.fold > self.folds:
            raise ValueError(f"fold is {self.fold}, folds {self.folds}; folds count from 1.")
        return self


class SourceSplit(DrawnSplit):
    """All pictures of one source test, the others train."""

    protocol: Literal["source"] = "source"
    """`source` tests on all pictures of one source."""
    held_out: str
    """The source to test on."""

    @property
    def left_out(self) -> str:
        """The source that nothing is trained on."""
        return self.held_out


class ReferenceSplit(Split):
    """The published 232/58 split, whose test pictures also validate."""

    protocol: Literal["reference"] = "reference"
    """`reference` is the published 232/58 split."""
    seed: Seed = 42
    """Seed of the split; the reference split is defined by 42."""
    groups: Path | None = None
    """CSV with `id` and `group`, `source` or both: pictures of one group count as one in intervals,
    and a warning says how many groups this split divides; sources are guessed from picture sizes
    otherwise."""


SplitConfig: TypeAlias = Annotated[
    HoldoutSplit | FoldSplit | SourceSplit | ReferenceSplit,
    Field(discriminator="protocol"),
    default_kind("protocol", "holdout"),
]
