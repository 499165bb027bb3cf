"""Save a network as a model directory and load it back, without a network connection."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from pathlib import Path

from safetensors.torch import load_file
from torch import nn

from humanseg.errors import ModelError
from humanseg.model_directory import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    ModelRecord,
    read_model_record,
    write_model_record,
)
from humanseg.models.network import SMP_CLASSES, SegmentationNetwork


def save_network(network: SegmentationNetwork, record: ModelRecord, directory: Path) -> None:
    """Write a model directory, all of it or nothing; an existing one is replaced.

    Args:
        network: the network; its weights may be on any device.
        record: what humanseg.json will hold.
        directory: where to; its parent is made if need be.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    try:
        _save_smp(network.network, staging)
        write_model_record(staging, record)
        staging.chmod(0o755)
        if directory.exists():
            shutil.rmtree(directory)
        staging.replace(directory)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _save_smp(network: nn.Module, directory: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the hub client's remarks about its card template
        network.save_pretrained(str(directory))  # type: ignore[operator]


def load_network(directory: Path) -> tuple[SegmentationNetwork, ModelRecord]:
    """Load a model directory; touches no network and runs nothing that the directory names.

    Returns:
        The network on the CPU in evaluation mode, and its record.

    Raises:
        ModelError: not a model directory, damaged, or weights that do not fit its config.json.
    """
    record = read_model_record(directory)
    try:
        network = _load_smp(directory)
    except Exception as error:  # a foreign or damaged config.json can raise anything
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{directory}: {CONFIG_FILE} and {WEIGHTS_FILE} cannot be loaded ({first}). "
            "Copy the directory again or train anew."
        ) from error
    wrapped = SegmentationNetwork(
        network,
        mean=record.preprocessing.mean,
        std=record.preprocessing.std,
        weights=record.encoder_weights,
    )
    return wrapped.eval(), record


def _load_smp(directory: Path) -> nn.Module:
    """What `segmentation_models_pytorch.from_pretrained` does, without its remark on stdout."""
    config = json.loads((directory / CONFIG_FILE).read_text(encoding="utf-8"))
    name = config.pop("_model_class")
    known = {kind.__name__: kind for kind in SMP_CLASSES.values()}
    if name not in known:
        raise ValueError(f"class {name!r}; allowed: {', '.join(known)}")
    arguments = config | {"encoder_weights": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`timm-` encoders are deprecated")
        network = known[name](**arguments)
    network.load_state_dict(load_file(directory / WEIGHTS_FILE))
    return network
