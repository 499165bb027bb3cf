"""Remarks on settings that were given and that change nothing."""

from __future__ import annotations

from pathlib import Path

from humanseg.cli.flags import Values
from humanseg.cli.output import note
from humanseg.config import CompareConfig, SplitConfig, TrainConfig
from humanseg.configuration import load_yaml

_PLANNED = (("model", "arch", "archs"), ("training", "seed", "seeds"))
_DRAWN = ("validation", "test")


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
    if config.split.protocol != "reference":
        return
    for name in _DRAWN:
        default = SplitConfig.model_fields[name].default
        if name in values.get("split", {}):
            _note(f"--split.{name} has no effect; the reference split has sizes of its own.")
        elif (written.get("split") or {}).get(name, default) != default:
            _note(f"split.{name}{where} has no effect; the reference split has sizes of its own.")


def _note(text: str) -> None:
    note(f"humanseg: note: {text}")
