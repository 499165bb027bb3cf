"""Remarks on settings that were given and that change nothing."""

from __future__ import annotations

from pathlib import Path

from humanseg.cli.flags import Values
from humanseg.cli.output import note
from humanseg.config import CompareConfig, SplitConfig, TrainConfig
from humanseg.configuration import load_yaml

_PLANNED = (("model", "arch", "archs"), ("training", "seed", "seeds"))
_UNUSED = {
    "reference": ("validation", "test", "groups", "folds", "fold", "held_out"),
    "holdout": ("folds", "fold", "held_out"),
    "folds": ("test", "held_out"),
    "source": ("test", "folds", "fold"),
}
_WHY = {
    "reference": "the reference split has sizes of its own",
    "holdout": "the split is one hold-out split",
    "folds": "the test parts are folds",
    "source": "the test part is a source",
}


def note_ignored(config: TrainConfig, *, values: Values, file: Path | None = None) -> None:
    """Say which given settings have no effect.

    A file as `--show-config` prints it names every setting, and nobody meant all of them: a network
    or seed is not remarked on in a file that also names those of the plan, nor is a default share.

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
    _note_parts(config, values, written, where)


def _note_parts(config: TrainConfig, values: Values, written: Values, where: str) -> None:
    """Settings of the split that its protocol does not use."""
    protocol = config.split.protocol
    if isinstance(config, CompareConfig) and config.folds:
        protocol = "folds"
    for name in _UNUSED[protocol]:
        default = SplitConfig.model_fields[name].default
        if name in values.get("split", {}):
            _note(f"--split.{name.replace('_', '-')} has no effect; {_WHY[protocol]}.")
        elif (written.get("split") or {}).get(name, default) != default:
            _note(f"split.{name}{where} has no effect; {_WHY[protocol]}.")


def _note(text: str) -> None:
    note(f"humanseg: note: {text}")
