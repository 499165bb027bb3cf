"""What can be made of a prediction: one class per output, with just the settings that it uses.

The flags of `humanseg predict` are made from these classes. A setting that an output would ignore
cannot be written down, neither there nor in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, ValidationError, model_validator

from humanseg.config.section import Positive, Probability, Section, Share
from humanseg.system.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from humanseg.images.resize import Size

OutputName = Literal["mask", "probability", "cutout", "blur", "replace", "overlay"]
LabelName = Literal["coco", "yolo", "labelme", "voc"]
"""Labels, see `humanseg.annotations.label_output`."""


class Effect(Section):
    """What is made of each picture."""

    output: Literal[OutputName, LabelName]
    """What to write."""
    threshold: Probability | None = None
    """A pixel is a person from this probability on; the model's own if not given."""
    refine: bool | None = None
    """Draw edges along the picture's own; if not given, for cutout and replace, not in videos."""
    smallest_region: Share = 0.0
    """Drop parts that cover less than this share of the picture, such as 0.01."""
    fill_holes: Share = 0.0
    """Fill holes in people that cover less than this share of the picture, such as 0.001."""
    largest: bool = False
    """Keep only the largest connected part: one person."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if type(self) is Effect:
            raise ValueError("give one of the classes of effects, or use effect_of.")
        return self

    @property
    def needs_image(self) -> bool:
        """Whether the picture's own pixels are needed, at full size."""
        return True

    @property
    def refines(self) -> bool:
        """Whether the edge is drawn along the picture's own."""
        return bool(self.refine)

    def sized(self, size: Size) -> Self:
        """The same effect for the frames of a video: quicker, a background is scaled once."""
        return self.model_copy(update={"refine": bool(self.refine)})


class LevelEffect(Effect):
    """An effect that shows nothing of the picture."""

    @property
    def needs_image(self) -> bool:
        """Whether the picture's own pixels are needed, at full size: to refine the edge."""
        return self.refines


class _SoftEdge(Effect):
    """An effect that shows the people with a soft edge."""

    feather: Annotated[float, Field(ge=0.0)] = 0.0
    """Pixels of the picture by which the soft edge is widened to either side."""


class _WithoutBackground(_SoftEdge):
    """The people on something else, where their edge is seen most."""

    decontaminate: bool = True
    """Take the old background's colour out of the edge."""

    @property
    def refines(self) -> bool:
        """Whether the edge is drawn along the picture's own; unless told otherwise."""
        return self.refine is not False


class MaskEffect(LevelEffect):
    """Black and white."""

    output: Literal["mask"] = "mask"
    """mask: 0 and 255;"""


class ProbabilityEffect(LevelEffect):
    """Levels of grey."""

    output: Literal["probability"] = "probability"
    """probability: 16 bits;"""


class CutoutEffect(_WithoutBackground):
    """The people on transparency."""

    output: Literal["cutout"] = "cutout"
    """cutout: the people on transparency;"""
    trim: bool = False
    """Cut the result down to the people; of a picture with nobody nothing is cut off."""


class BlurEffect(_SoftEdge):
    """The people before their own background, blurred."""

    output: Literal["blur"] = "blur"
    """blur: their own background, blurred;"""
    blur_radius: Positive | None = None
    """Standard deviation in pixels; 1/50 of the longer side if not given."""


def _checked(background: Any) -> Any:  # noqa: ANN401  pydantic knows no arrays
    from humanseg.effects.compositing import read_background

    if background is None:
        raise ValueError("not given; replace needs a background: a colour or an image.")
    try:
        return read_background(background)
    except UsageError as error:
        raise ValueError(str(error).removeprefix("background: ")) from error


class ReplaceEffect(_WithoutBackground):
    """The people before another background: (red, green, blue), or uint8 (h, w, 3) RGB."""

    output: Literal["replace"] = "replace"
    """replace: another background;"""
    background: Annotated[Any, AfterValidator(_checked)] = None
    """Colour (white, #20a040, 32,160,64) or picture, which is scaled to cover."""

    def sized(self, size: Size) -> Self:
        """See `Effect`."""
        from humanseg.effects.compositing import cover

        same = super().sized(size)
        if isinstance(self.background, (tuple, list)):
            return same
        return same.model_copy(update={"background": cover(self.background, size)})


class OverlayEffect(Effect):
    """The people tinted."""

    output: Literal["overlay"] = "overlay"
    """overlay: the person marked in colour."""


EffectKind: TypeAlias = (
    MaskEffect | ProbabilityEffect | CutoutEffect | BlurEffect | ReplaceEffect | OverlayEffect
)


class EffectHolder(Section):
    """A section that holds an effect of any kind."""

    effect: Annotated[EffectKind, Field(discriminator="output")]


def effect_of(
    output: OutputName | LabelName,
    *,
    among: type[Section] = EffectHolder,
    **settings: Any,  # noqa: ANN401  as the classes have it
) -> Effect:
    """An effect by the name of its output, with settings of that output's class.

    `among` is the class whose field `effect` holds all that may be made.

    Raises:
        ConfigError: with one sentence for every value that is not allowed, and for every setting
            that the output has no use for.
    """
    from humanseg.config.sentences import describe_problems

    try:
        holder = among.model_validate({"effect": {**settings, "output": output}})
    except ValidationError as error:
        problems = describe_problems(among, error)
        raise ConfigError([text.replace("effect.", "") for text in problems]) from error
    made: Effect = getattr(holder, "effect")  # noqa: B009  `among` may be any holder
    return made
