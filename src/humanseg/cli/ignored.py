"""Remarks on settings that were given and that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from humanseg.cli.flags import Values
from humanseg.cli.terminal import note
from humanseg.config.loading import load_preset, load_yaml
from humanseg.config.schema import CompareConfig, Preset, TrainConfig

_PLANNED = (("model", "arch", "archs"), ("training", "seed", "seeds"))
_UNUSED = {
    "reference": ("validation", "test", "groups", "folds", "fold", "held_out"),
    "holdout": ("folds", "fold", "held_out"),
    "folds": ("test", "held_out"),
    "source": ("test", "folds", "fold"),
    "plan": ("test", "folds", "fold", "held_out"),
}
_WHY = {
    "reference": "the reference split has sizes of its own",
    "holdout": "the split is one hold-out split",
    "folds": "the test parts are folds",
    "source": "the test part is a source",
    "plan": "the comparison's own folds are the test parts",
}


def note_ignored(config: TrainConfig, *, values: Values, file: Path | None = None) -> None:
    """Say which given settings have no effect.

    A file as `--show-config` prints it names every setting, and nobody meant all of them: a network
    or seed is not remarked on in a file that also names those of the plan, nor is a default or a
    preset's value.

    Args:
        config: what came of all layers.
        values: what was typed.
        file: configuration file that was named.
    """
    again = file is not None and file.is_file()  # a pipe can be read only once
    written = load_yaml(file) if file is not None and again else {}
    where = f" in {file.name}" if file is not None else ""
    if isinstance(config, CompareConfig):
        for section, name, instead in _PLANNED:
            if name in values.get(section, {}):
                _note(f"--{section}.{name} has no effect here; use --{instead}.")
            elif name in (written.get(section) or {}) and instead not in written:
                _note(f"{section}.{name}{where} has no effect here; use {instead}.")
        if values.get("seeds") is not None and len(config.seeds) == 1 and 1 < config.seeds[0] < 10:
            seed = config.seeds[0]
            _note(
                f"--seeds {seed} is one seed, the number {seed}; for several trainings of each "
                "network give several numbers, such as --seeds 1 2 3."
            )
    for section, name, why in _unused(config):
        if name in values.get(section, {}):
            _note(f"--{section}.{name.replace('_', '-')} has no effect; {why}.")
        elif name in (given := written.get(section) or {}) and _meant(section, name, given[name]):
            _note(f"{section}.{name}{where} has no effect; {why}.")


def _unused(config: TrainConfig) -> Iterator[tuple[str, str, str]]:
    """Section, name and reason of each setting that changes nothing beside the others."""
    yield from _unused_parts(config)
    plan = config if isinstance(config, CompareConfig) else None
    archs = plan.archs if plan else (config.model.arch,)
    if "unet" not in archs:
        yield "model", "decoder_channels", "only U-Net has such a decoder"
    if "deeplabv3plus" not in archs:
        for name in ("encoder_output_stride", "decoder_atrous_rates"):
            yield "model", name, "only DeepLabV3+ has it"
    # A comparison without encoder weights does not look for scenes, whatever it starts from.
    decides = plan is not None and config.model.encoder_weights == "none"
    if config.model.start_from is not None and not decides:
        yield "model", "encoder_weights", "all weights are those of model.start_from"
    if config.training.early_size is None:
        yield "training", "early_share", "it needs training.early_size"


def _unused_parts(config: TrainConfig) -> Iterator[tuple[str, str, str]]:
    """Settings of the split that its protocol does not use."""
    protocol: str = config.split.protocol
    used: set[str] = set()
    if isinstance(config, CompareConfig):
        used.add("groups")  # intervals and checks go by them too
        if config.leave_one_source_out:
            used.add("validation")
        protocol = "plan" if config.folds else protocol
    for name in _UNUSED[protocol]:
        if name not in used:
            yield "split", name, _WHY[protocol]


def _meant(section: str, name: str, value: Any) -> bool:  # noqa: ANN401  whatever YAML holds
    """Whether a file's value is neither the default nor a preset's."""
    default = getattr(TrainConfig(), section).model_dump(mode="json")[name]
    presets = (load_preset(preset).get(section, {}) for preset in get_args(Preset))
    return value not in [default, *(preset[name] for preset in presets if name in preset)]


def _note(text: str) -> None:
    note(f"humanseg: note: {text}")
