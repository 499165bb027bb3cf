"""Save a network as a model directory, load it back offline, and start a training from one."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from humanseg.config.architectures import ModelConfig
from humanseg.data.signatures import ImageBits
from humanseg.data.training_images import write_training_images
from humanseg.model_directory import (
    CONFIG_FILE,
    ONNX_FILE,
    WEIGHTS_FILE,
    ModelRecord,
    digests,
    find_model,
    read_model_record,
    refuse_changed,
    structure,
    write_model_record,
)
from humanseg.models.network import (
    SMP_CLASSES,
    SegmentationNetwork,
    build_network,
    freeze_unused_parameters,
)
from humanseg.models.onnx_file import write_onnx
from humanseg.system.atomic import replacing_folder
from humanseg.system.errors import ModelError, UsageError, first_line

_CONVOLUTION = 4
"""Dimensions of a convolution's weights."""


def save_network(
    network: SegmentationNetwork,
    record: ModelRecord,
    directory: Path,
    *,
    onnx: bool = False,
    half: bool = False,
    images: NDArray[np.uint8] | None = None,
    trained_on: ImageBits | None = None,
) -> ModelRecord:
    """Write a model directory, all of it or nothing; an existing one is replaced.

    Args:
        network: the network; its weights may be on any device. It is not changed.
        record: what humanseg.json will hold.
        directory: where to; its parent is made if need be.
        onnx: also write model.onnx, if it computes what torch does.
        half: save `halved(network)` instead, in files of half the size. torch and ONNX Runtime
            then read the same weights, and so does plain segmentation-models-pytorch.
        images: to compare ONNX and torch on, see `write_onnx`.
        trained_on: the training images, to recognise them later.

    Returns:
        The record as written: with what is known about the ONNX file.

    Raises:
        ExportError: the network cannot be written as ONNX, or the file computes something else.
        ModelError: `half`, and weights too large for it.
    """
    if half:
        network = halved(network)
    with replacing_folder(directory) as staging:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the hub client's remarks about its card template
            network.network.save_pretrained(str(staging))  # type: ignore[operator]
        if half:
            _store_half(staging / WEIGHTS_FILE)
        written = None
        if onnx:
            written = write_onnx(network, record, staging / ONNX_FILE, half=half, images=images)
        record = write_model_record(staging, record.model_copy(update={"onnx": written}))
        if trained_on is not None:
            write_training_images(staging, trained_on)
    return record


def halved(network: SegmentationNetwork) -> SegmentationNetwork:
    """A copy whose convolution weights are rounded to values that float16 holds.

    It computes in float32 as before. Biases and normalisation keep all their digits: they are
    small, and batch variances can leave the range of float16.

    Raises:
        ModelError: a weight is beyond 65504, the largest number of float16.
    """
    rounded = copy.deepcopy(network)
    for name, parameter in rounded.named_parameters():
        if parameter.ndim == _CONVOLUTION:
            parameter.data = parameter.data.half().to(parameter.dtype)
            if not torch.isfinite(parameter).all():
                raise ModelError(
                    f"{name}: has weights that float16 cannot hold; save the network in full."
                )
    return rounded


def _store_half(file: Path) -> None:
    """Rewrite saved weights of `halved` with convolutions as float16; nothing is lost."""
    with safe_open(file, framework="pt") as stored:
        metadata = stored.metadata()
    tensors = {
        name: tensor.half() if tensor.ndim == _CONVOLUTION else tensor
        for name, tensor in load_file(file).items()
    }
    save_file(tensors, file, metadata=metadata)


def load_network(directory: Path) -> tuple[SegmentationNetwork, ModelRecord]:
    """Load a model directory; touches no network and runs nothing that the directory names.

    Returns:
        The network on the CPU in evaluation mode, and its record.

    Raises:
        ModelError: not a model directory, damaged, or weights that do not fit its config.json.
    """
    record = read_model_record(directory)
    try:
        refuse_changed(directory, record, WEIGHTS_FILE)
        network = _load_smp(directory)
    except ModelError:
        raise
    except Exception as error:  # a foreign or damaged config.json can raise anything
        raise ModelError(
            f"{directory}: {CONFIG_FILE} and {WEIGHTS_FILE} cannot be loaded "
            f"({first_line(error)}). Copy the directory again or train anew."
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
    classes = {kind.__name__: kind for kind in SMP_CLASSES.values()}
    if name not in classes:
        raise ValueError(f"class {name!r}; allowed: {', '.join(classes)}")
    if ":" in str(config.get("encoder_name")):  # timm would ask a hub, or read another folder
        raise ValueError(f"encoder {config['encoder_name']!r}; its name must name no place")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`timm-` encoders are deprecated")
        network = classes[name](**config | {"encoder_weights": None})
    network.load_state_dict(load_file(directory / WEIGHTS_FILE))
    return network


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
    network.weights = f"{directory.name}/{WEIGHTS_FILE} sha256:{digests(directory)[WEIGHTS_FILE]}"
    network.train()
    freeze_unused_parameters(network, config.image_size)
    return network
