"""Initial weights of an encoder: from the hub, from a local safetensors file, or none."""

from __future__ import annotations

import hashlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import segmentation_models_pytorch as smp
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from humanseg.config.architectures import ModelConfig
from humanseg.system.errors import HumansegError, ModelError, UsageError, first_line

_HUB_PATIENCE = 6.0
"""Seconds until the hub counts as out of reach."""

RGB = tuple[float, float, float]

IMAGENET_MEAN: RGB = (0.485, 0.456, 0.406)
IMAGENET_STD: RGB = (0.229, 0.224, 0.225)

# Encoders whose timm twin has another name.
_TIMM_NAMES = {
    "xception": "legacy_xception",
    "inceptionv4": "inception_v4",
    "inceptionresnetv2": "inception_resnet_v2",
}


def expected_input(encoder_name: str) -> tuple[RGB, RGB]:
    """RGB mean and deviation (scale 0 to 1) that an encoder's ImageNet weights were trained with.

    Taken from timm's own tables, which need no network; SMP would ask the hub.
    """
    import timm

    name = _TIMM_NAMES.get(encoder_name, encoder_name.removeprefix("timm-").removeprefix("tu-"))
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # a tag that timm does not know
        config = None
    if config is None or not config.mean:
        return IMAGENET_MEAN, IMAGENET_STD
    red, green, blue = config.mean
    deviations = tuple(config.std)
    return (red, green, blue), (deviations[0], deviations[1], deviations[2])


def load_encoder_weights(encoder: nn.Module, config: ModelConfig) -> tuple[str, RGB, RGB]:
    """Load the configured initial weights into `encoder`, in place.

    Returns:
        Where they came from, and the mean and deviation of the input that they expect.
    """
    wanted = config.encoder_weights or "none"
    if wanted == "none":
        source = "none"
    elif wanted.endswith(".safetensors") or "/" in wanted:
        source = _load_local(encoder, Path(wanted).expanduser(), config.encoder_name)
    else:
        return _load_from_hub(encoder, config, wanted)
    return source, *expected_input(config.encoder_name)


def _load_local(encoder: nn.Module, path: Path, name: str) -> str:
    if not path.is_file():
        raise UsageError(f"model.encoder_weights: {path}: no such file; give a safetensors file.")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: is not a readable safetensors file ({error}).") from error
    _fill(encoder, tensors, f"{path}: does not fit encoder {name}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name} sha256:{digest}"


def _fill(encoder: nn.Module, tensors: dict[str, Tensor], complaint: str) -> None:
    """Load tensors; every parameter and statistic of the encoder must be among them."""
    fitting = _match_names(tensors, encoder.state_dict())
    missing = sorted(
        key
        for key in encoder.state_dict()
        if key not in fitting and not key.endswith("num_batches_tracked")
    )
    if missing:
        raise ModelError(
            f"{complaint}: {len(missing)} of its tensors are missing or of another shape, first "
            f"{missing[0]}. Give the weights of this very encoder."
        )
    # SMP's encoders override load_state_dict to drop classifier keys and return nothing.
    nn.Module.load_state_dict(encoder, fitting, strict=False)


def _match_names(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a timm or SMP file under the encoder's names; `tu-` encoders add `model.`."""
    prefixes = ("", "model.", "encoder.")
    fitting = {}
    for key, tensor in wanted.items():
        for prefix in prefixes:
            for candidate in (prefix + key, key.removeprefix(prefix)):
                if candidate in given and given[candidate].shape == tensor.shape:
                    fitting[key] = given[candidate]
    return fitting


def _load_from_hub(encoder: nn.Module, config: ModelConfig, weights: str) -> tuple[str, RGB, RGB]:
    name = config.encoder_name
    if not name.startswith("tu-"):
        available = list(smp.encoders.encoders.get(name, {}).get("pretrained_settings", {}))
        if available and weights not in available:
            raise UsageError(
                f"model.encoder_weights: got {weights!r}; allowed for {name}: "
                f"{', '.join([*available, 'none'])}, or the path of a safetensors file."
            )
    online = _hub_answers_in_time()
    with _offline(not online):
        try:
            loaded = smp.encoders.get_encoder(name, weights=weights)
        except Exception as error:
            raise _hub_error(config, online, error) from error
        mean_std = _hub_input(name, weights)
    _fill(encoder, loaded.state_dict(), f"{weights} of {name}")
    return weights, *mean_std


def _hub_input(name: str, weights: str) -> tuple[RGB, RGB]:
    """Mean and deviation that the hub's record of these very weights names."""
    if name.startswith("tu-"):
        return expected_input(name)
    parameters = smp.encoders.get_preprocessing_params(name, pretrained=weights)
    scale = 255.0 if list(parameters["input_range"]) == [0, 255] else 1.0
    mean, std = ([value / scale for value in parameters[key]] for key in ("mean", "std"))
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _hub_error(config: ModelConfig, online: bool, error: Exception) -> HumansegError:
    what = f"model.encoder_weights: {config.encoder_weights!r} of {config.encoder_name}"
    if not online:
        return ModelError(
            f"{what} must be downloaded, and the Hugging Face hub is out of reach. Connect once, "
            "give the path of a safetensors file, or use --model.encoder-weights none."
        )
    return ModelError(f"{what} could not be loaded from the hub ({first_line(error)}).")


def _hub_answers() -> bool:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    request = urllib.request.Request(constants.ENDPOINT, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_HUB_PATIENCE):
            return True
    except urllib.error.HTTPError:
        return True  # it answered, if only with a refusal
    except (OSError, ValueError):
        return False


def _hub_answers_in_time() -> bool:
    """Ask in a thread, because name resolution obeys no timeout of ours."""
    answers: list[bool] = []

    def ask() -> None:
        with suppress(Exception):  # whatever goes wrong, the hub did not answer
            answers.append(_hub_answers())

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_HUB_PATIENCE)
    return any(answers)


@contextmanager
def _offline(enabled: bool) -> Iterator[None]:
    """Make the hub client look into its cache only, instead of retrying for minutes."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or enabled
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
