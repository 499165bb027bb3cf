"""What all sections of the configuration are made of: strict classes, checked types, kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from humanseg.system.errors import ConfigError

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Side = Annotated[int, Field(ge=32, le=4096, multiple_of=32)]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class _Truth:
    """True or false where a number is needed: YAML reads `yes` so, and Python takes it for 1."""

    def __init__(self, value: bool) -> None:
        self._text = str(value).lower()

    def __repr__(self) -> str:
        return self._text


def _no_number(value: object) -> object:
    """A value that no number is made of if it, or one in a list, is true or false."""
    if isinstance(value, list | tuple):
        return [_no_number(item) for item in value]
    return _Truth(value) if isinstance(value, bool) else value


def _is_number(annotation: object) -> bool:
    """Whether numbers alone, or lists of them, are allowed."""
    parts = set(_parts(annotation))
    return bool not in parts and bool(parts & {int, float})


def _parts(annotation: object) -> Iterator[object]:
    """All that an annotation is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


class Section(BaseModel):
    """Frozen, no unknown keys, defaults checked like given values."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  whatever a caller gives
        """Check all values.

        Raises:
            ConfigError: with one sentence for every problem.
        """
        from humanseg.config.sentences import describe_problems

        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(describe_problems(type(self), error)) from error

    # Sections within sections are checked by pydantic itself, so that all problems come at once.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class FileSection(Section):
    """A section that YAML files hold, in which true and false are no numbers."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_truth(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        numbers = {name for name, field in cls.model_fields.items() if _is_number(field.annotation)}
        return {k: _no_number(v) if k in numbers else v for k, v in values.items()}


def default_kind(key: str, kind: str) -> BeforeValidator:
    """Validator for a section that comes in several kinds: without `key`, it is `kind`."""

    def add(values: object) -> object:
        return {key: kind, **values} if isinstance(values, Mapping) else values

    return BeforeValidator(add)


def kinds_of(field: FieldInfo) -> dict[str, type[Section]]:
    """Classes that a field's section may have, by the value that tells them apart.

    `` is the name of a section that comes in one kind only; a plain setting has no kinds.
    """
    choices = get_args(field.annotation) or (field.annotation,)
    classes = [kind for kind in choices if isinstance(kind, type) and issubclass(kind, Section)]
    if not isinstance(field.discriminator, str):
        return dict.fromkeys([""], classes[0]) if classes else {}
    told = field.discriminator
    kinds = {name: kind for kind in classes for name in _names(kind, told)}
    return {name: kinds[name] for name in _names(classes[0].__mro__[1], told) if name in kinds}


def _names(kind: type[Any], key: str) -> list[str]:
    """What a setting of a kind of section may be; its base class has the names of all kinds."""
    return [str(name) for name in get_args(kind.model_fields[key].annotation)]


def owners(field: FieldInfo) -> dict[str, list[str]]:
    """Kinds of a field's section that have each setting, by its key."""
    having: dict[str, list[str]] = {}
    for name, kind in kinds_of(field).items():
        for key in kind.model_fields:
            having.setdefault(key, []).append(name)
    return having
