"""From the options of a request to an effect and a format: names and defaults of `predict`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Field

from humanseg.annotations.label_output import LabelOutput, OutputHolder
from humanseg.batch.runner import KeepMetadata
from humanseg.config.section import Section, kinds_of, owners
from humanseg.effects.compositing import parse_colour
from humanseg.effects.effect import Effect, effect_of
from humanseg.effects.encode import (
    SUFFIXES,
    FormatName,
    check_encoding,
    formats_for,
    usual_format,
)
from humanseg.serving.problem_details import Problem
from humanseg.system.errors import ConfigError

T = TypeVar("T")

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
}
"""By suffix of the result."""


class EncodingOptions(Section):
    """How the result is packed."""

    format: FormatName | None = None
    """File format; by the header Accept if not given, otherwise png or jpg as for files."""
    quality: Annotated[int | None, Field(ge=1, le=100)] = None
    """Of jpg and webp; jpg 95 and webp lossless if not given."""
    keep_metadata: KeepMetadata | None = None
    """camera: keep date, camera and dpi; all: the place too."""


@dataclass(frozen=True)
class Wanted:
    """What is to be made of a picture."""

    effect: Effect
    suffix: str
    """Of the result, without its dot: a `FormatName`, or that of labels."""
    quality: int | None = None
    keep_metadata: KeepMetadata | None = None

    @property
    def format(self) -> FormatName:
        """Of a result that is no label."""
        return SUFFIXES[f".{self.suffix}"]


def wanted_of(options: Mapping[str, str | bytes], accept: str) -> Wanted:
    """What options mean.

    Args:
        options: by name, as text; `background` may also be the content of a picture's file.
        accept: the header; empty for none.

    Raises:
        UsageError: options that do not exist, are not allowed or do not go together; a ConfigError
            with a sentence for each, where there are several.
        ImageError: the background cannot be read.
        Problem: none of the accepted formats can hold the result.
    """
    packing = EncodingOptions.model_fields
    known = [*owners(OutputHolder.model_fields["effect"]), *packing]
    problems = [_unknown(key, known) for key in options if key not in known]
    settings: dict[str, Any] = {
        key: options[key] for key in options if key in known and key not in packing
    }
    background = settings.get("background")
    no_colour = isinstance(background, str) and parse_colour(background) is None
    if no_colour:
        settings["background"] = "white"  # a name would be taken for one of the server's own files
    encoding = _collected(
        problems,
        lambda: EncodingOptions(**{key: options[key] for key in packing if key in options}),
    )
    effect = _collected(
        problems, lambda: effect_of(among=OutputHolder, **{"output": "mask", **settings})
    )
    if no_colour:
        problems = [text for text in problems if not text.startswith("background: ")]
        problems.append(
            f"background: got {str(background)[:80]!r}; give a colour, such as white, #20a040 or "
            "32,160,64, or send a picture as a part of the form."
        )
    if encoding is None or effect is None or problems:
        raise ConfigError(problems)
    if isinstance(effect, LabelOutput):
        idle = [key for key in packing if key in encoding.model_fields_set]
        if idle:
            told = f"has no effect on output {effect.output}; leave it out."
            raise ConfigError([f"{key} {told}" for key in idle])
        return Wanted(effect, _accepted(accept, [effect.suffix.removeprefix(".")]))
    able = [usual_format(effect.output), *formats_for(effect.output)]
    name = encoding.format or SUFFIXES[f".{_accepted(accept, able)}"]
    quality, metadata = encoding.quality, encoding.keep_metadata
    check_encoding(name, effect.output, quality=quality, keep_metadata=metadata)
    return Wanted(effect, name, quality, metadata)


def _collected(problems: list[str], make: Callable[[], T]) -> T | None:
    """What is made, or None where that fails: what is wrong is added to the problems."""
    try:
        return make()
    except ConfigError as error:
        problems += error.problems
        return None


def _unknown(key: str, known: Sequence[str]) -> str:
    """What is said of an option that does not exist."""
    given = key[:80] if key.isprintable() else repr(key[:80])
    near = ["output"] if key == "as" else difflib.get_close_matches(key, known, n=1)
    if near:
        return f"{given}: no such option; did you mean {near[0]}?"
    return f"{given}: no such option; there are {', '.join(known)}."


def _accepted(accept: str, suffixes: Sequence[str]) -> str:
    """Which of the possible results, the usual one first, is accepted best."""
    weights = _weights(accept) or {"*/*": 1.0}

    def weight(suffix: str) -> float:
        own = MEDIA_TYPES[suffix].partition(";")[0]
        ranges = (own, f"{own.partition('/')[0]}/*", "*/*")  # the narrowest that is named counts
        return next((weights[range_] for range_ in ranges if range_ in weights), 0.0)

    best = max(suffixes, key=weight)
    if weight(best) > 0:
        return best
    able = ", ".join(dict.fromkeys(MEDIA_TYPES[suffix] for suffix in suffixes))
    raise Problem(
        "not-acceptable",
        f"Accept: got {accept[:200]!r}, which excludes all that can hold this output; give {able}.",
    )


def _weights(accept: str) -> dict[str, float]:
    """How much each media range of the header is wanted; 0 for not at all."""
    weights = {}
    for item in accept.split(","):
        media_range, *parameters = (part.strip().lower() for part in item.split(";"))
        given = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            weights[media_range] = float(given)
        except ValueError:
            weights[media_range] = 0.0
    weights.pop("", None)
    return weights


def option_schemas() -> dict[str, dict[str, Any]]:
    """JSON schema of every option, with its description, for OpenAPI."""
    field = OutputHolder.model_fields["effect"]
    kinds = kinds_of(field)
    schemas: dict[str, dict[str, Any]] = {}
    for key, having in owners(field).items():
        schema = _schema(kinds[having[0]], key)
        if key == field.discriminator:
            schema = {"type": "string", "enum": list(kinds), "default": "mask"}
            schema["description"] = "What to make."
        elif len(having) < len(kinds):
            schema["description"] += f" Only for {', '.join(having)}."
        schemas[key] = schema
    schemas["background"]["type"] = "string"
    return schemas | {key: _schema(EncodingOptions, key) for key in EncodingOptions.model_fields}


def _schema(section: type[Section], key: str) -> dict[str, Any]:
    """Schema of a setting, without the `null` that a request cannot send."""
    schema: dict[str, Any] = section.model_json_schema()["properties"][key]
    for option in schema.pop("anyOf", ()):
        if option != {"type": "null"}:
            schema |= option
    if schema.get("default", "") is None:
        del schema["default"]
    return {name: value for name, value in schema.items() if name != "title"}
