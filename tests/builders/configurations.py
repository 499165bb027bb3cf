"""Configurations that differ from another one."""

from __future__ import annotations

from humanseg.config.loading import suitable
from humanseg.config.schema import TrainConfig


def changed(config: TrainConfig, **sections: dict[str, object]) -> TrainConfig:
    """The configuration with other settings; where they choose another kind, without its own."""
    values = config.model_dump()
    for section, changes in sections.items():
        values[section] |= changes
    return TrainConfig.model_validate(suitable(TrainConfig, values))
