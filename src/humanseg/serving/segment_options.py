"""From the options of a request to an effect and a format: names and defaults of `predict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args

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
    check_format,
    usual_format,
)
from humanseg.serving.problem_details import Problem
from humanseg.system.errors import UsageError

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
    def media_type(self) -> str:
        """Of the result."""
        return MEDIA_TYPES[self.suffix]

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
        UsageError: options that do not exist, are not allowed or do not go together.
        ImageError: the background cannot be read.
        Problem: none of the accepted formats can hold the result.
    """
    background = options.get("background")
    if isinstance(background, str) and parse_colour(background) is None:
        # A name would be taken for one of the server's own files.
        raise UsageError(
            f"background: got {background[:80]!r}; give a colour, such as white, #20a040 or "
            "32,160,64, or send a picture as a part of the form."
        )
    packing = EncodingOptions.model_fields
    encoding = EncodingOptions(**{key: options[key] for key in packing if key in options})
    settings: dict[str, Any] = {key: options[key] for key in options if key not in packing}
    effect = effect_of(among=OutputHolder, **{"output": "mask", **settings})
    if isinstance(effect, LabelOutput):
        for key in encoding.model_fields_set:
            raise UsageError(f"{key} has no effect on output {effect.output}; leave it out.")
        return Wanted(effect, _accepted(accept, [effect.suffix.removeprefix(".")]))
    formats = [usual_format(effect.output), *(name for name in get_args(FormatName))]
    able = [name for name in formats if _can_hold(name, effect.output)]
    name = encoding.format or SUFFIXES[f".{_accepted(accept, able)}"]
    quality, metadata = encoding.quality, encoding.keep_metadata
    check_encoding(name, effect.output, quality=quality, keep_metadata=metadata)
    return Wanted(effect, name, quality, metadata)


def _accepted(accept: str, suffixes: Sequence[str]) -> str:
    """Which of the possible results, the usual one first, is accepted best."""
    types = list(_by_preference(accept))
    for accepted in types or ["*/*"]:
        for suffix in suffixes:
            own = MEDIA_TYPES[suffix].partition(";")[0]
            if accepted in (own, f"{own.partition('/')[0]}/*", "*/*"):
                return suffix
    able = ", ".join(dict.fromkeys(MEDIA_TYPES[suffix] for suffix in suffixes))
    raise Problem(
        "not-acceptable",
        f"Accept: none of {', '.join(types)[:200]} can hold this output; give {able}.",
    )


def _by_preference(accept: str) -> Iterator[str]:
    """Media types of the header, best first, without those that are excluded."""
    weights = {}
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        given = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        try:
            weights[media_type] = float(given)
        except ValueError:
            weights[media_type] = 0.0
    ordered = sorted(weights, key=lambda media_type: -weights[media_type])
    return (media_type for media_type in ordered if media_type and weights[media_type] > 0)


def _can_hold(name: FormatName, output: str) -> bool:
    try:
        check_format(name, output)
    except UsageError:
        return False
    return True


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
