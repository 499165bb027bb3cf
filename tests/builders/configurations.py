"""Configurations that differ from another one, and the data that they name."""

from __future__ import annotations

from humanseg.config.loading import suitable
from humanseg.config.schema import TrainConfig
from humanseg.training import RunData, find_data_set


def changed(config: TrainConfig, **sections: dict[str, object]) -> TrainConfig:
    """The configuration with other settings; where they choose another kind, without its own."""
    values = config.model_dump()
    for section, changes in sections.items():
        values[section] |= changes
    return TrainConfig.model_validate(suitable(TrainConfig, values))


def find_data(config: TrainConfig) -> RunData:
    """The pictures of a configuration, divided as it says."""
    return find_data_set(config).divided(config.split)
