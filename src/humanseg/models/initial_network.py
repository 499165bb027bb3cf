"""The network that a training starts from: a new one, or a whole trained one."""

from __future__ import annotations

import hashlib

from humanseg.config.architectures import ModelConfig
from humanseg.errors import UsageError
from humanseg.model_directory import WEIGHTS_FILE, find_model, structure
from humanseg.models.network import SegmentationNetwork, build_network, freeze_unused_parameters
from humanseg.models.saved import load_network


def start_network(config: ModelConfig) -> SegmentationNetwork:
    """The network of a configuration, with the weights that its training starts from.

    Raises:
        UsageError: see `build_network`; or `start_from` names a network of another structure.
        ModelError: weights that cannot be had or do not fit.
    """
    if config.start_from is None:
        return build_network(config)
    directory = find_model(config.start_from)
    network, record = load_network(directory)
    for key in structure(config):
        wanted, there = getattr(config, key), getattr(record.config.model, key, None)
        if wanted != there:
            raise UsageError(
                f"model.{key}: got {wanted}, but the model to start from, {config.start_from}, has "
                f"{there}; leave it out, or start from another model."
            )
    digest = hashlib.sha256((directory / WEIGHTS_FILE).read_bytes()).hexdigest()
    network.weights = f"{directory.name}/{WEIGHTS_FILE} sha256:{digest}"
    network.train()
    freeze_unused_parameters(network, config.image_size)
    return network
