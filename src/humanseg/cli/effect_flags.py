"""The flags of `humanseg predict` that say what is made of an image, made of the effects."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Group, Parameter

from humanseg.cli.flags import Values, flags_of_kinds
from humanseg.effects.effect import Effect, EffectHolder, effect_of
from humanseg.errors import ConfigError, UsageError

if TYPE_CHECKING:
    EffectFlags: TypeAlias = Values
else:
    EffectFlags = Annotated[
        flags_of_kinds(EffectHolder.model_fields["effect"]),
        Parameter(group=Group("Result", sort_key=1), negative_none=""),
    ]


def typed_effect(typed: Values) -> Effect:
    """The effect that was typed.

    Raises:
        UsageError: values that are impossible, or that the output has no use for.
        ImageError: the background's file cannot be read as a picture.
    """
    values: dict[str, Any] = {"output": "mask", **typed}
    if values["output"] == "replace" and "background" in values:
        values["background"] = _background(str(values["background"]))
    try:
        return effect_of(**values)
    except ConfigError as error:
        raise UsageError("\n".join(_as_flag(problem) for problem in error.problems)) from error


def _as_flag(problem: str) -> str:
    return re.sub(r"^\w+(?=:)", lambda key: f"--{key[0].replace('_', '-')}", problem)


def _background(text: str) -> object:
    """What `--background` stands for: a colour, or the picture in a file."""
    colour = _colour(text)
    if colour is not None:
        return colour
    path = Path(text)
    if not path.is_file():
        raise UsageError(
            f"--background: got {text!r}; give a colour, such as white, #20a040 or 32,160,64, or a "
            "picture file that exists."
        )
    from humanseg.images import load

    return load(path).pixels


def _colour(text: str) -> tuple[int, int, int] | None:
    from PIL import ImageColor

    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 3 and all(0 <= number <= 255 for number in numbers):
        return numbers[0], numbers[1], numbers[2]
    try:
        colour = ImageColor.getrgb(text)
    except ValueError:
        return None
    return colour[:3] if len(colour) == 3 or colour[3] == 255 else None
