"""The flags of `humanseg predict` that say what is made of a picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import Group, Parameter

from humanseg.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from humanseg.effects.effect import Effect

OutputName: TypeAlias = Literal["mask", "probability", "cutout", "blur", "replace", "overlay"]
Background: TypeAlias = "tuple[int, int, int] | NDArray[np.uint8] | None"

_GROUP = Group("Result", sort_key=1)
_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "blur_radius": ("more than 0", lambda value: 0.0 < value < math.inf),
    "feather": ("at least 0", lambda value: 0.0 <= value < math.inf),
    "threshold": ("at least 0 and at most 1", lambda value: 0.0 <= value <= 1.0),
    "smallest_region": ("at least 0 and less than 1", lambda value: 0.0 <= value < 1.0),
}
_USED_BY: dict[str, tuple[OutputName, ...]] = {
    "background": ("replace",),
    "blur_radius": ("blur",),
    "feather": ("cutout", "blur", "replace"),
    "decontaminate": ("cutout", "replace"),
}


def _flag(text: str, *, negative: str = "") -> Parameter:
    return Parameter(group=_GROUP, help=text, negative=negative, show_default=False)


@Parameter(name="*")
@dataclass(frozen=True)
class EffectFlags:
    """What was typed; None where nothing was."""

    output: Annotated[
        OutputName,
        Parameter(
            group=_GROUP,
            help="mask: 0 and 255; probability: 16 bits; cutout: the person before nothing; blur "
            "and replace: another background; overlay: the person marked in colour.",
        ),
    ] = "mask"
    background: Annotated[
        str | None,
        _flag("Colour (white, #20a040, 32,160,64) or picture for --output replace."),
    ] = None
    blur_radius: Annotated[
        float | None, _flag("Pixels, for --output blur; by size if not given.")
    ] = None
    feather: Annotated[float | None, _flag("Pixels over which the edge is softened.")] = None
    refine: Annotated[
        bool | None, _flag("Draw the edge along the picture's own, at full resolution; slower.")
    ] = None
    decontaminate: Annotated[
        bool | None,
        _flag(
            "Take the old background's colour out of the edge, or not; done if not given.",
            negative="--no-decontaminate",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        _flag("A pixel is a person from this probability on; the model's own if not given."),
    ] = None
    smallest_region: Annotated[
        float | None, _flag("Drop parts smaller than this share of the picture, such as 0.01.")
    ] = None
    largest: Annotated[bool | None, _flag("Keep only the largest connected part: one person.")] = (
        None
    )

    def check(self) -> None:
        """Refuse values that are impossible, and flags without effect on what is made.

        Raises:
            UsageError: at the first of them.
        """
        for field in fields(self):
            uses = _USED_BY.get(field.name, (self.output,))
            if getattr(self, field.name) is not None and self.output not in uses:
                flag = f"--{field.name.replace('_', '-')}"
                if getattr(self, field.name) is False:
                    flag = f"--no-{field.name}"
                raise UsageError(
                    f"{flag} has no effect on --output {self.output}; it belongs to --output "
                    f"{' or '.join(uses)}."
                )
        if self.output == "replace" and self.background is None:
            raise UsageError("--output replace needs --background with a colour or a picture.")
        for name, (allowed, fits) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not fits(value):
                flag = f"--{name.replace('_', '-')}"
                raise UsageError(f"{flag}: got {value:g}; must be {allowed}.")

    def ground(self) -> Background:
        """What `--background` stands for: a colour, or the picture in a file.

        Raises:
            UsageError: neither.
            ImageError: the file cannot be read as a picture.
        """
        if self.background is None:
            return None
        colour = _colour(self.background)
        if colour is not None:
            return colour
        path = Path(self.background)
        if not path.is_file():
            raise UsageError(
                f"--background: got {self.background!r}; give a colour, such as white, #20a040 or "
                "32,160,64, or a picture file that exists."
            )
        from humanseg.images import load

        return load(path).pixels

    def effect(self, background: Background) -> Effect:
        """What is asked for, with the background that `ground` gave."""
        from humanseg.effects.effect import Effect

        return Effect(
            output=self.output,
            background=background,
            blur_radius=self.blur_radius,
            feather=self.feather or 0.0,
            refine=bool(self.refine),
            decontaminate=self.decontaminate is not False,
            smallest_region=self.smallest_region or 0.0,
            largest=bool(self.largest),
            threshold=self.threshold,
        )


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
