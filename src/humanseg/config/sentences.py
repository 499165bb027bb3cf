"""From errors of a configuration to sentences: dotted key, value given, values allowed."""

from __future__ import annotations

import difflib
import numbers
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from humanseg.config.section import kinds_of, owners

_GIVEN = "the given values"

_COMPARED = "is part of a comparison; run {source} with `humanseg compare`"
_INSTEAD = {
    ("TrainConfig", "archs"): f"{_COMPARED}, or set model.arch to train one network.",
    ("TrainConfig", "seeds"): f"{_COMPARED}, or set training.seed to train one network.",
    ("TrainConfig", "folds"): f"{_COMPARED}, or set split.folds to train on one of them.",
    ("TrainConfig", "repeats"): f"{_COMPARED}.",
    ("TrainConfig", "leave_one_source_out"): f"{_COMPARED}, or set split.held_out.",
    ("TrainConfig", "test_on"): f"{_COMPARED}.",
    ("TrainConfig", "corrupted_images"): f"{_COMPARED}.",
    ("CompareConfig", "model.arch"): "got {value} in {source}; a comparison has several networks: "
    "name them with archs.",
    ("CompareConfig", "training.seed"): "got {value} in {source}; a comparison may have several "
    "seeds: give them with seeds.",
    ("CompareConfig", "split.folds"): "got {value} in {source}; in a comparison, ask for folds "
    "with folds.",
    ("CompareConfig", "split.fold"): "got {value} in {source}; a comparison tests on all folds; "
    "leave it out.",
    ("CompareConfig", "split.held_out"): "got {value} in {source}; a comparison leaves out every "
    "source in turn, with leave_one_source_out.",
    ("CompareConfig", "split.protocol"): "got {value}; allowed: holdout, reference. In a "
    "comparison, ask for folds with folds and for sources with leave_one_source_out.",
}
"""What to do about a setting of the other kind of configuration."""


def describe_problems(
    kind: type[BaseModel],
    error: ValidationError,
    source: Callable[[tuple[str, ...]], str] = lambda _: _GIVEN,
) -> list[str]:
    """One sentence per problem of a validation, in the order of the class.

    `source` names where the value of a key came from.
    """
    return [
        sentence
        for problem in error.errors()
        for sentence in _sentences(kind, problem, source).splitlines()
    ]


def _sentences(
    kind: type[BaseModel], problem: Mapping[str, Any], source: Callable[[tuple[str, ...]], str]
) -> str:
    loc, given = problem["loc"], problem["input"]
    place = _place(kind, loc)
    names = place.names
    undecided = problem["type"].startswith("union_tag")
    if undecided:
        told = problem["ctx"]["discriminator"].strip("'")
        names = (*names, told)
        given = given.get(told) if isinstance(given, dict) else ""
    key = _joined(names)
    value = shown(given)
    instead = _INSTEAD.get((kind.__name__, key))
    if instead is not None and problem["type"] in ("extra_forbidden", "union_tag_invalid"):
        return f"{key}: {instead.format(value=value, source=source(names))}"
    if problem["type"] == "extra_forbidden":
        return _unknown_key(kind, place, value, source(names))
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}".removeprefix(": ")
    items = [part for part in loc if isinstance(part, int)]
    if problem["type"] == "missing":
        if not items:
            return f"{key}: not given; {_allowed(place, items, problem)}"
        items.pop()  # of a list that is too short
    origin = source(names)
    where = "" if origin in ("", _GIVEN) else f" in {origin}"
    allowed = (
        f"allowed: {', '.join(place.kinds)}." if undecided else _allowed(place, items, problem)
    )
    return f"{key}: got {value}{where}; {allowed}"


def _joined(names: tuple[str, ...]) -> str:
    """A dotted key on one line, whatever a file calls its keys."""
    return ".".join(name if name.isprintable() else repr(name) for name in names)


@dataclass(frozen=True)
class _Place:
    """Where in a configuration a problem is."""

    names: tuple[str, ...]
    """Keys that lead there."""
    section: type[BaseModel]
    """What the last of them is in."""
    tag: str
    """Of which kind that section is, where sections have kinds."""
    kinds: Mapping[str, type[BaseModel]]
    """See `kinds_of`; empty but where a section is meant itself."""


def _place(kind: type[BaseModel], loc: tuple[int | str, ...]) -> _Place:
    names: list[str] = []
    section, tag, kinds = kind, "", {"": kind}
    for part in loc:
        if isinstance(part, int):  # in a list
            break
        if part and part in kinds:
            tag, kinds = part, {"": kinds[part]}
            continue
        names.append(part)
        section = kinds.get("", section)
        field = section.model_fields.get(part)
        kinds = {**kinds_of(field)} if field else {}
    return _Place(tuple(names), section, tag, kinds)


def _unknown_key(kind: type[BaseModel], place: _Place, value: str, source: str) -> str:
    first, last = place.names[0], place.names[-1]
    key = _joined(place.names)
    if place.tag and (having := owners(kind.model_fields[first]).get(last)):
        told = kind.model_fields[first].discriminator
        return (
            f"{key}: got {value} in {source}, but it belongs to {told} {', '.join(having)}; got "
            f"{told} {place.tag}. Leave it out, or choose another {first}.{told}."
        )
    every = list(_dotted(kind))
    near = difflib.get_close_matches(key, every, n=1, cutoff=0.8)
    if not near:
        ends = {name.rpartition(".")[2] for name in every}
        end = difflib.get_close_matches(last, sorted(ends), n=1, cutoff=0.8)
        near = [name for name in every if end and name.rpartition(".")[2] == end[0]]
    if near:
        return f"{key}: unknown key in {source}; did you mean {' or '.join(near)}?"
    here = ", ".join(place.section.model_fields)
    return f"{key}: unknown key in {source}; known keys here: {here}."


def _dotted(kind: type[BaseModel]) -> Iterator[str]:
    """All keys of a configuration, sections and all their kinds included."""
    for name, field in kind.model_fields.items():
        yield name
        for inner in owners(field):
            yield f"{name}.{inner}"


_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
    "multipleOf": "a multiple of",
}
_NOUNS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "path": "a path",
}
_PLURALS = {"string": "texts", "path": "paths"}


def _allowed(place: _Place, items: Sequence[int], problem: Mapping[str, Any]) -> str:
    """What may stand at a place, or for one of its items, as the second half of a sentence."""
    if place.kinds:
        keys = next(iter(place.kinds.values())).model_fields
        return f"must be a section with the keys {', '.join(keys)}."
    schema = place.section.model_json_schema()["properties"][place.names[-1]]
    for item in items:
        schema = _first(schema)
        schema = schema["prefixItems"][item] if "prefixItems" in schema else schema["items"]
    null = ", or null" if "anyOf" in schema else ""
    schema = _first(schema)
    if choices := _choices(schema):
        return f"allowed: {choices}{null}."
    bounds = _bounds(schema)
    if problem["type"].startswith(("greater_than", "less_than", "multiple_of")) and bounds:
        return f"must be {bounds}{null}."
    noun = _noun(schema)
    if problem["type"] == "finite_number" and schema.get("type") == "number":
        noun = "a finite number"
    return f"must be {noun}{', ' if bounds else ''}{bounds}{null}."


def _first(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the null that may stand instead; the only alternatives are those."""
    options: list[dict[str, Any]] = schema.get("anyOf", [schema])
    return options[0]


def _choices(schema: Mapping[str, Any]) -> str:
    fixed = [schema["const"]] if "const" in schema else []
    return ", ".join(str(choice) for choice in schema.get("enum", fixed))


def _bounds(schema: Mapping[str, Any]) -> str:
    """Limits in words: `at least 32, at most 4096 and a multiple of 32`."""
    words = [
        f"{word} {schema[name]:.12g}"  # seeds have ten digits
        for name, word in _BOUNDS.items()
        if name in schema
    ]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _noun(schema: Mapping[str, Any]) -> str:
    name = schema.get("format", schema.get("type"))
    if name != "array":
        return _NOUNS.get(name, "another kind of value")
    exact = schema.get("prefixItems", [])
    item = exact[0] if exact else schema["items"]
    if choices := _choices(item):
        return f"a list of {choices}"
    things = _PLURALS.get(item.get("format", item["type"]), "numbers")
    bounds = _bounds(item)
    count = f"{len(exact)} " if exact else ""
    return f"a list of {count}{things}{', each ' if bounds else ''}{bounds}"


def is_number(value: object) -> bool:
    """Whether something is a real number, of Python or NumPy, and no bool."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def shown(value: object) -> str:
    """A value as its giver wrote it, on one line and shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path) or is_number(value):
        value = str(value)
    if isinstance(value, str):
        try:  # on the command line numbers are text
            float(value)
        except ValueError:
            return _SHORT.repr(value)
        return value
    return " ".join(_SHORT.repr(value).split())


_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
