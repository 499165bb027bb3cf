"""The directive `configuration`: tables of the settings of a configuration class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docutils import nodes
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.schema import TrainConfig
from humanseg.config.section import kinds_of, owners

_CLASSES: dict[str, type[BaseModel]] = {"train": TrainConfig, "compare": CompareConfig}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
}
_WORDS = {
    "null": "unset",
    "boolean": "`true` or `false`",
    "integer": "whole number",
    "number": "number",
    "string": "text",
}


class Configuration(SphinxDirective):
    """`train`: all its settings; `compare`: those that a training has not, or has otherwise."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Tables as Markdown, parsed where the directive stands."""
        kind = _CLASSES[self.arguments[0]]
        return self.parse_text_to_nodes("\n".join(_tables(kind)), allow_section_headings=True)


def _tables(kind: type[BaseModel]) -> Iterator[str]:
    plain = {name: field for name, field in kind.model_fields.items() if not kinds_of(field)}
    if plain:
        yield from _table(_row(name, kind, name, field, "") for name, field in plain.items())
    for section, field in kind.model_fields.items():
        kinds = kinds_of(field)
        if not kinds or (kind is not TrainConfig and _same_as_of_training(section, field)):
            continue
        first = next(iter(kinds.values()))
        text = (first if "" in kinds else first.__mro__[-4]).__doc__ or ""
        yield f"### `{section}`\n\n{text}\n"
        yield from _table(_rows(section, field))


def _same_as_of_training(section: str, field: FieldInfo) -> bool:
    return owners(field).keys() == owners(TrainConfig.model_fields[section]).keys()


def _table(rows: Iterator[str]) -> Iterator[str]:
    yield "| Key | Default | Meaning |\n|---|---|---|"
    yield from rows
    yield ""


def _rows(section: str, field: FieldInfo) -> Iterator[str]:
    """One row for each setting that any kind of the section has."""
    kinds = kinds_of(field)
    for key, having in owners(field).items():
        if key == field.discriminator:
            texts = {name: kind.model_fields[key].description for name, kind in kinds.items()}
            values = ", ".join(f"`{name}`" for name in kinds)
            text = " ".join(dict.fromkeys(filter(None, texts.values())))
            default = _shown(getattr(field.default, key))
            yield f"| `{section}.{key}` | {default} | {text} *Allowed:* {values}. |"
            continue
        only = (
            f" Only for {', '.join(f'`{n}`' for n in having)}." if len(having) < len(kinds) else ""
        )
        kind = kinds[having[0]]
        yield _row(f"{section}.{key}", kind, key, kind.model_fields[key], only)


def _row(name: str, kind: type[BaseModel], key: str, field: FieldInfo, only: str) -> str:
    schema = kind.model_json_schema()
    values = _values(schema["properties"][key], schema.get("$defs", {}))
    text = " ".join((field.description or "").split())
    return f"| `{name}` | {_shown(field.get_default())} | {text}{only} *Allowed:* {values}. |"


def _shown(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """What a JSON schema allows, in words."""
    if "$ref" in schema:
        return _values(defs[schema["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in schema:
        return ", or ".join(_values(each, defs) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        items = schema.get("prefixItems", [])
        each = _values(items[0] if items else schema["items"], defs)
        return f"list of {len(items)}: {each}" if items else f"list of: {each}"
    word = "path" if schema.get("format") == "path" else _WORDS[schema["type"]]
    bounds = [text.format(f"{schema[key]:g}") for key, text in _BOUNDS.items() if key in schema]
    return ", ".join([word, *bounds])


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the directive known."""
    app.add_directive("configuration", Configuration)
    return {"parallel_read_safe": True}
