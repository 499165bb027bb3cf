"""From preset, file and given values to one configuration, and from its errors to sentences.

Layers, each a nested dict, later ones win key by key: preset, model to start from, YAML file, given
values.
Lists are replaced whole.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from humanseg.config.schema import CompareConfig, Preset, Section, TrainConfig
from humanseg.errors import ConfigError, UsageError

__all__ = ["describe_problems", "load_preset", "load_yaml", "resolve", "to_yaml"]

T = TypeVar("T", bound=TrainConfig)


class _Loader(yaml.SafeLoader):
    """Safe YAML that keeps a list of keys that are given twice or are no names."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.problems: list[tuple[int, str]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            line = key_node.start_mark.line + 1
            if key_node.tag != "tag:yaml.org,2002:str":
                self.problems.append((line, f"{_text(key_node)} is no name of a setting."))
            elif key_node.value in seen:
                self.problems.append((line, f"{key_node.value} is given twice; keep one."))
            else:
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _text(node: yaml.Node) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else "a list or section"


class _Dumper(yaml.SafeDumper):
    """Block style for sections, one line for lists."""

    def represent_sequence(
        self, tag: str, sequence: Iterable[object], flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=True)

    def represent_str(self, data: str) -> yaml.ScalarNode:
        # Unquoted or in single quotes, PyYAML would change U+0085 and its like into line ends.
        style = None if data.isprintable() else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def load_preset(name: str) -> dict[str, Any]:
    """Values of a preset shipped with the package, as a nested dict."""
    if name not in get_args(Preset):
        raise UsageError(f"preset: got {name!r}; allowed: {', '.join(get_args(Preset))}.")
    file = resources.files("humanseg.config") / "presets" / f"{name}.yaml"
    return _parse(file.read_text(encoding="utf-8"), source=f"preset {name}")


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file into a nested dict.

    Raises:
        UsageError: the file is missing or cannot be read as text.
        ConfigError: the text is not YAML, not a mapping, or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path}: cannot be read as a configuration ({reason}).") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: cannot be read as a configuration (not UTF-8 text).") from error
    return _parse(text, source=path.name)


def _parse(text: str, *, source: str) -> dict[str, Any]:
    try:
        loader = _Loader(text)
        data = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError([f"{source}{where}: is not valid YAML ({error.problem})."]) from error
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError([f"{source}: is not valid YAML ({reason})."]) from error
    except RecursionError as error:
        raise ConfigError([f"{source}: is nested too deeply."]) from error
    if loader.problems:
        raise ConfigError([f"{source}, line {n}: {text}" for n, text in sorted(loader.problems)])
    if not isinstance(data, dict):
        raise ConfigError([f"{source}: got {_shown(data)}; must hold settings as `key: value`."])
    return data


def resolve(
    kind: type[T],
    *,
    preset: Preset | None = None,
    start: Mapping[str, Any] | None = None,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> T:
    """Build one configuration from its layers.

    Args:
        kind: `TrainConfig` or `CompareConfig`.
        preset: name of a shipped preset; none starts from the defaults, which equal `default`.
        start: nested dict of values of a model that is started from; win over the preset.
        file: YAML file with any part of the configuration.
        overrides: nested dict of values that win over all.

    Raises:
        ConfigError: with one sentence for every problem in any layer.
        UsageError: `file` is missing or unreadable.
    """
    layers: dict[str, Mapping[str, Any]] = {}
    if preset is not None:
        layers[f"preset {preset}"] = load_preset(preset)
    if start is not None:
        layers["the model to start from"] = start
    if file is not None:
        layers[file.name] = load_yaml(file)
    layers["the given values"] = overrides or {}
    merged: dict[str, Any] = {}
    for layer in layers.values():
        merged = _merge(merged, _without_empty_sections(layer))
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        problems = [
            _sentence(_kind(error), problem, _source(problem["loc"], layers))
            for problem in error.errors()
        ]
        raise ConfigError(problems) from error


def _merge(base: Mapping[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in layer.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged


def _without_empty_sections(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Drop sections whose every line is commented out, which YAML reads as null."""
    sections = {key for key in CompareConfig.model_fields if _fields(CompareConfig, (key,))}
    return {key: value for key, value in layer.items() if not (value is None and key in sections)}


def _source(loc: tuple[int | str, ...], layers: Mapping[str, Mapping[str, Any]]) -> str:
    """Name of the last layer that has the key `loc`."""
    found = ""
    for name, layer in layers.items():
        here: Any = layer
        for part in loc[:-1]:
            here = here.get(part) if isinstance(here, Mapping) else None
        if isinstance(here, Mapping) and loc[-1] in here:
            found = name
    return found


def to_yaml(config: BaseModel) -> str:
    """Every setting of a configuration as YAML, in the order of the class.

    `load_yaml` of this text gives an equal object.
    """
    data = config.model_dump(mode="json")
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def describe_problems(error: ValidationError, source: str) -> list[str]:
    """One sentence per problem: dotted key, value given, values allowed.

    Args:
        error: what validation of a configuration raised.
        source: where the values came from, for unknown keys (a file name).
    """
    return [_sentence(_kind(error), problem, source) for problem in error.errors()]


def _kind(error: ValidationError) -> type[BaseModel]:
    return TrainConfig if error.title == "TrainConfig" else CompareConfig


def _sentence(kind: type[BaseModel], problem: Mapping[str, Any], source: str) -> str:
    names = tuple(part for part in problem["loc"] if isinstance(part, str))
    key = ".".join(names)
    if problem["type"] == "extra_forbidden":
        return _unknown_key(kind, names, source)
    if problem["type"] == "value_error":
        return f"{key}: {problem['ctx']['error']}".removeprefix(": ")
    loc = problem["loc"]
    if problem["type"] == "missing":  # of a list that is too short
        loc = loc[:-1]
    return f"{key}: got {_shown(problem['input'])}; {_allowed(kind, loc, problem)}"


def _unknown_key(kind: type[BaseModel], names: tuple[str, ...], source: str) -> str:
    key = ".".join(names)
    if kind is TrainConfig and key in ("archs", "seeds"):
        single = {"archs": "model.arch", "seeds": "training.seed"}[key]
        return (
            f"{key}: is part of a plan; run {source} with `humanseg compare`, or set {single} "
            "to train one network."
        )
    known = list(_dotted(kind))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    if not near:
        ends = {name.rpartition(".")[2] for name in known}
        end = difflib.get_close_matches(names[-1], sorted(ends), n=1, cutoff=0.8)
        near = [name for name in known if end and name.rpartition(".")[2] == end[0]]
    if near:
        return f"{key}: unknown key in {source}; did you mean {' or '.join(near)}?"
    here = _fields(kind, names[:-1])
    return f"{key}: unknown key in {source}; known keys here: {', '.join(here)}."


def _allowed(kind: type[BaseModel], loc: tuple[int | str, ...], problem: Mapping[str, Any]) -> str:
    """What may stand at `loc`, as the second half of a sentence."""
    core, limits, optional = _type_at(kind, loc)
    null = ", or null" if optional else ""
    if get_origin(core) is Literal:
        return f"allowed: {', '.join(str(choice) for choice in get_args(core))}{null}."
    bounds = _bounds(limits)
    if problem["type"] in _BOUND_ERRORS and bounds:
        return f"must be {bounds}{null}."
    noun = _noun(core)
    if problem["type"] == "finite_number" and core is float:
        noun = "a finite number"
    return f"must be {noun}{', ' if bounds else ''}{bounds}{null}."


_BOUND_ERRORS = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "multiple_of",
}
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
        return f"a list of {count}numbers{', each ' if bounds else ''}{bounds}"
    if isinstance(core, type) and issubclass(core, BaseModel):
        return f"a section with the keys {', '.join(core.model_fields)}"
    return next((noun for kind, noun in _NOUNS.items() if core is kind), "another kind of value")


def _type_at(kind: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[Any, list[object], bool]:
    """Core type, limits and whether null is allowed, at `loc` within `kind`."""
    core, limits, optional = kind, list[object](), False
    for part in loc:
        if isinstance(part, str):
            field = core.model_fields[part]
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


def _fields(kind: type[BaseModel], names: tuple[str, ...]) -> dict[str, FieldInfo]:
    """Fields of the section at `names`; empty if there is none."""
    for name in names:
        section = kind.model_fields[name].annotation
        if not (isinstance(section, type) and issubclass(section, Section)):
            return {}
        kind = section
    return kind.model_fields


def _dotted(kind: type[BaseModel]) -> Iterator[str]:
    """All keys of a configuration, sections included."""
    for name in kind.model_fields:
        yield name
        for inner in _fields(kind, (name,)):
            yield f"{name}.{inner}"


def _shown(value: object) -> str:
    """A value as its giver wrote it, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        try:  # on the command line numbers are text
            float(value)
        except ValueError:
            return _SHORT.repr(value)
        return value
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxstring = 80
