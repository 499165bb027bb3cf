"""From errors of a configuration to sentences: dotted key, value given, values allowed."""

from __future__ import annotations

import difflib
import numbers
import reprlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from humanseg.config.section import Section, kinds_of, owners

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
    loc = problem["loc"]
    if problem["type"].startswith("union_tag"):
        loc = (*loc, problem["ctx"]["discriminator"].strip("'"))
        section = problem["input"]
        problem = {**problem, "input": section.get(loc[-1]) if isinstance(section, dict) else ""}
    names, section_kind = _names(kind, loc)
    key = _joined(names)
    value = shown(problem["input"])
    instead = _INSTEAD.get((kind.__name__, key))
    if instead is not None and problem["type"] in ("extra_forbidden", "union_tag_invalid"):
        return f"{key}: {instead.format(value=value, source=source(names))}"
    if problem["type"] == "extra_forbidden":
        return _unknown_key(kind, names, section_kind, value, source(names))
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}".removeprefix(": ")
    if problem["type"] == "missing" and isinstance(loc[-1], str):
        return f"{key}: not given; {_allowed(kind, loc, problem)}"
    if problem["type"] == "missing":  # of a list that is too short
        loc = loc[:-1]
    origin = source(names)
    place = "" if origin in ("", _GIVEN) else f" in {origin}"
    return f"{key}: got {value}{place}; {_allowed(kind, loc, problem)}"


def _joined(names: tuple[str, ...]) -> str:
    """A dotted key on one line, whatever a file calls its keys."""
    return ".".join(name if name.isprintable() else repr(name) for name in names)


def _names(kind: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[tuple[str, ...], str]:
    """Keys of a place, and of which kind its section is, where sections have kinds."""
    fields: Mapping[str, FieldInfo] = kind.model_fields
    names: list[str] = []
    parts = iter(loc)
    tag = ""
    for part in parts:
        if not isinstance(part, str):
            break
        names.append(part)
        field = fields.get(part)
        kinds = {} if field is None else kinds_of(field)
        if kinds and "" not in kinds:
            tag = next((str(name) for name in parts if str(name) in kinds), "")
            if not tag:
                names += [str(name) for name in loc[len(names) :]]
                break
        fields = (
            kinds[tag].model_fields if tag in kinds else kinds[""].model_fields if kinds else {}
        )
    return tuple(names), tag


def _unknown_key(
    kind: type[BaseModel], names: tuple[str, ...], tag: str, value: str, source: str
) -> str:
    key = _joined(names)
    field = kind.model_fields.get(names[0])
    if tag and field is not None and (having := owners(field).get(names[-1])):
        told = field.discriminator
        return (
            f"{key}: got {value} in {source}, but it belongs to {told} {', '.join(having)}; got "
            f"{told} {tag}. Leave it out, or choose another {names[0]}.{told}."
        )
    every = list(_dotted(kind))
    near = difflib.get_close_matches(key, every, n=1, cutoff=0.8)
    if not near:
        ends = {name.rpartition(".")[2] for name in every}
        end = difflib.get_close_matches(names[-1], sorted(ends), n=1, cutoff=0.8)
        near = [name for name in every if end and name.rpartition(".")[2] == end[0]]
    if near:
        return f"{key}: unknown key in {source}; did you mean {' or '.join(near)}?"
    here = _keys(kind, names[:-1], tag)
    return f"{key}: unknown key in {source}; known keys here: {', '.join(here)}."


def _keys(kind: type[BaseModel], names: tuple[str, ...], tag: str) -> list[str]:
    """Keys of the section at `names`."""
    if not names:
        return list(kind.model_fields)
    kinds = kinds_of(kind.model_fields[names[0]])
    return list(kinds[tag if tag in kinds else next(iter(kinds))].model_fields)


def _dotted(kind: type[BaseModel]) -> Iterator[str]:
    """All keys of a configuration, sections and all their kinds included."""
    for name, field in kind.model_fields.items():
        yield name
        for inner in owners(field):
            yield f"{name}.{inner}"


def _allowed(kind: type[BaseModel], loc: tuple[int | str, ...], problem: Mapping[str, Any]) -> str:
    """What may stand at `loc`, as the second half of a sentence."""
    core, limits, optional = _type_at(kind, loc)
    null = ", or null" if optional else ""
    if get_origin(core) is Literal:
        return f"allowed: {', '.join(str(choice) for choice in get_args(core))}{null}."
    bounds = _bounds(limits)
    if problem["type"].startswith(("greater_than", "less_than", "multiple_of")) and bounds:
        return f"must be {bounds}{null}."
    noun = _noun(core)
    if problem["type"] == "finite_number" and core is float:
        noun = "a finite number"
    return f"must be {noun}{', ' if bounds else ''}{bounds}{null}."


_BOUNDS = {
    "gt": "above",
    "ge": "at least",
    "lt": "below",
    "le": "at most",
    "multiple_of": "a multiple of",
}
_NOUNS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
}


def _bounds(limits: list[object]) -> str:
    """Limits in words: `at least 32, at most 4096 and a multiple of 32`."""
    words = [
        f"{word} {getattr(limit, name):.12g}"  # seeds have ten digits
        for limit in limits
        for name, word in _BOUNDS.items()
        if hasattr(limit, name)
    ]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _noun(core: object) -> str:
    if get_origin(core) is tuple:
        items = get_args(core)
        count = "" if items[-1] is Ellipsis else f"{len(items)} "
        item, limits, _ = _bare(items[0])
        if get_origin(item) is Literal:
            return f"a list of {', '.join(str(choice) for choice in get_args(item))}"
        bounds = _bounds(limits)
        things = {str: "texts", Path: "paths"}.get(item, "numbers")
        return f"a list of {count}{things}{', each ' if bounds else ''}{bounds}"
    if get_origin(core) in (Union, UnionType):
        core = get_args(core)[0]
    if isinstance(core, type) and issubclass(core, BaseModel):
        return f"a section with the keys {', '.join(core.model_fields)}"
    return next((noun for kind, noun in _NOUNS.items() if core is kind), "another kind of value")


def _type_at(kind: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[Any, list[object], bool]:
    """Core type, limits and whether null is allowed, at `loc` within `kind`."""
    core, limits, optional = kind, list[object](), False
    kinds: Mapping[str, type[Section]] = {}
    for part in loc:
        if "" not in kinds and part in kinds:
            core, kinds = kinds[str(part)], {}
        elif kinds and "" not in kinds and isinstance(part, str):  # the key that tells kinds apart
            return Literal[tuple(kinds)], [], False
        elif isinstance(part, str):
            field = core.model_fields[part]
            kinds = kinds_of(field)
            core, limits, optional = _bare(field.annotation)
            limits = [*field.metadata, *limits]
        else:
            items = get_args(core)
            core, limits, optional = _bare(items[0 if items[-1] is Ellipsis else part])
    return core, limits, optional


def _bare(annotation: object) -> tuple[Any, list[object], bool]:
    """Take `Annotated` and `| None` off an annotation."""
    limits: list[object] = []
    arguments = get_args(annotation)
    optional = NoneType in arguments
    if optional:
        annotation = next(argument for argument in arguments if argument is not NoneType)
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        for extra in extras:
            limits += extra.metadata if isinstance(extra, FieldInfo) else [extra]
    return annotation, limits, optional


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
