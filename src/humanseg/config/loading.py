"""From preset, model to start from, YAML file and given values to one configuration.

These layers are nested dicts; later ones win key by key, and lists are replaced whole. A preset and
a model speak of every kind of network and split: of theirs, only what the chosen kind has is taken.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from humanseg.config.comparison_config import CompareConfig, with_protocol
from humanseg.config.schema import Preset, TrainConfig
from humanseg.config.section import Section, kinds_of, owners
from humanseg.config.sentences import describe_problems, shown
from humanseg.system.errors import ConfigError, UsageError

T = TypeVar("T", bound=Section)
YAML_ERRORS = (yaml.YAMLError, ValueError, AttributeError, LookupError)
"""What PyYAML raises: over a value that its tag does not fit, whatever Python raises."""


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
    except YAML_ERRORS as error:
        reason = next(iter(str(error).splitlines()), "a value that its tag does not fit")
        raise ConfigError([f"{source}: is not valid YAML ({reason})."]) from error
    except RecursionError as error:
        raise ConfigError([f"{source}: is nested too deeply."]) from error
    if loader.problems:
        raise ConfigError([f"{source}, line {n}: {text}" for n, text in sorted(loader.problems)])
    if not isinstance(data, dict):
        raise ConfigError([f"{source}: got {shown(data)}; must hold settings as `key: value`."])
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
    unmerged = (
        {} if preset is None else load_preset(preset),
        start or {},
        {} if file is None else load_yaml(file),
        overrides or {},
    )
    general, model, own, given = prepared = [_prepared(kind, values) for values in unmerged]
    chosen = _merge(*prepared)
    layers = [
        (f"preset {preset}", suitable(kind, general, chosen)),
        ("the model to start from", suitable(kind, model, chosen)),
        ("" if file is None else file.name, _meant(kind, own, chosen)),
        ("the given values", given),
    ]
    try:
        return kind.model_validate(_merge(*(layer for _, layer in layers)))
    except ValidationError as error:
        raise ConfigError(
            describe_problems(kind, error, lambda names: _source(names, layers))
        ) from error


def read_stored(kind: type[T], file: Path, overrides: Mapping[str, Any] | None = None) -> T:
    """A configuration that a folder keeps, of which nobody thinks who gives the folder.

    `overrides` win over it.

    Raises:
        ConfigError, UsageError: see `resolve`; every sentence begins with the file.
    """
    try:
        return resolve(kind, file=file, overrides=overrides)
    except ConfigError as error:
        texts = (problem.removeprefix(file.name).lstrip(":, ") for problem in error.problems)
        told = f" in {file.name};"  # at the beginning already
        raise ConfigError([f"{file}: {text.replace(told, ';')}" for text in texts]) from error


def _prepared(kind: type[Section], layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """A layer without sections whose every line is commented out, which YAML reads as null."""
    sections = {key for key, field in kind.model_fields.items() if kinds_of(field)}
    values = {k: value for k, value in layer.items() if not (value is None and k in sections)}
    return with_protocol(values) if issubclass(kind, CompareConfig) else values


def _merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, value in chain.from_iterable(layer.items() for layer in layers):
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged


def suitable(
    kind: type[Section], layer: Mapping[str, Any], chosen: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Values without those that only other kinds of network or split have, or no network has.

    `chosen` are values that say which kinds were chosen; those of `layer` itself if not given.
    """
    chosen = layer if chosen is None else chosen
    values = dict(layer)
    for name, field in kind.model_fields.items():
        section = values.get(name)
        if not isinstance(section, Mapping):
            continue
        somewhere, usable = owners(TrainConfig.model_fields[name]), _usable(kind, name, chosen)
        values[name] = {k: v for k, v in section.items() if k in usable or k not in somewhere}
        if field.discriminator in section and (tag := _tag(kind, name, chosen)) in kinds_of(field):
            values[name][field.discriminator] = tag
    return values


def _usable(kind: type[Section], name: str, chosen: Mapping[str, Any]) -> set[str]:
    """Keys of a section that the chosen kind of network or split has; all if there is no such."""
    field = kind.model_fields[name]
    kinds = kinds_of(field)
    if "" not in kinds:
        tag = _tag(kind, name, chosen)
        return set(kinds[tag].model_fields if tag in kinds else owners(field))
    keys = set(kinds[""].model_fields)
    archs = chosen.get("archs", CompareConfig.model_fields["archs"].default)
    if issubclass(kind, CompareConfig) and name == "model" and isinstance(archs, list | tuple):
        having = owners(TrainConfig.model_fields["model"])
        keys = {key for key in keys if any(arch in having[key] for arch in archs)}
    return keys


def _tag(kind: type[Section], name: str, values: Mapping[str, Any]) -> str:
    """Which kind a section with kinds is, or would be by default."""
    field = kind.model_fields[name]
    section = values.get(name)
    given = section.get(field.discriminator) if isinstance(section, Mapping) else None
    return str(getattr(field.default, str(field.discriminator)) if given is None else given)


def _meant(
    kind: type[Section], layer: Mapping[str, Any], chosen: Mapping[str, Any]
) -> Mapping[str, Any]:
    """A file's values without defaults of a kind that a later layer has replaced.

    A file as `--show-config` prints it names every setting of its kind, and nobody meant all of
    them; a value that says something stays, and is refused if it does not belong.
    """
    values = dict(layer)
    for name, field in kind.model_fields.items():
        section = values.get(name)
        if not isinstance(field.discriminator, str) or not isinstance(section, Mapping):
            continue
        tag, own = _tag(kind, name, chosen), _tag(kind, name, layer)
        if tag != own and {tag, own} <= set(kinds_of(field)):
            fields, replaced = kinds_of(field)[tag].model_fields, kinds_of(field)[own].model_fields
            values[name] = {
                key: value
                for key, value in section.items()
                if key in fields or key not in replaced or value != replaced[key].default
            }
    return values


def _source(names: tuple[str, ...], layers: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Name of the last layer that has the key `names`, which is at the top or in a section."""
    *section, key = names
    source = ""
    for name, layer in layers:
        here = layer.get(section[0]) if section else layer
        if isinstance(here, Mapping) and key in here:
            source = name
    return source


def to_yaml(config: BaseModel) -> str:
    """Every setting of a configuration as YAML, in the order of the class.

    `load_yaml` of this text gives an equal object.
    """
    data = config.model_dump(mode="json")
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text
