"""Flags made from the configuration classes: one dotted flag per field, its docstring as help.

What arrives in a command is a nested dict of just what was typed, unchecked. It becomes the last
layer of `config.loading.resolve`, which checks all layers together and reports all problems.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args, get_origin

from cyclopts import Group, Parameter, Token
from pydantic import BaseModel, Field, PlainValidator, create_model
from pydantic.fields import FieldInfo

from humanseg.config.architectures import Arch, ModelConfig
from humanseg.config.comparison_config import CompareConfig
from humanseg.config.finding_codes import Code
from humanseg.config.schema import EvaluationConfig, Layout, Preset, TrainConfig
from humanseg.config.section import kinds_of, owners
from humanseg.config.split_config import Split
from humanseg.system.errors import UsageError

Backend: TypeAlias = Literal["auto", "onnxruntime", "openvino", "torch"]
Precision: TypeAlias = Literal["auto", "fp32", "bf16", "int8"]
Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Values: TypeAlias = dict[str, Any]
Shortcuts: TypeAlias = Mapping[str, tuple[str, object]]
"""By short flag the key that it stands for, and the value."""


def _flat(field: FieldInfo, hidden: FieldInfo) -> type[BaseModel]:
    """A section with the settings of all of its kinds, each saying which kinds have it.

    Settings that only the like section of a training has can be typed too, but are not shown: they
    are refused with a sentence that says what to do.
    """
    kinds = kinds_of(field)
    fields: dict[str, Any] = {}
    for key, having in owners(field).items():
        settings = [kinds[name].model_fields[key] for name in having]
        own = getattr(field.default, key, settings[0].get_default())
        only = f" Only for {', '.join(having)}." if len(having) < len(kinds) else ""
        texts = dict.fromkeys(setting.description or "" for setting in settings)
        text = " ".join(texts if key == field.discriminator else list(texts)[:1]) + only
        fields[key] = (_annotation(settings), Field(default=own, description=text))
    for key, having in owners(hidden).items():
        if key not in fields:
            unseen = _annotation([kinds_of(hidden)[name].model_fields[key] for name in having])
            fields[key] = (Annotated[unseen | None, Parameter(show=False)], Field(default=None))
    return create_model(next(iter(kinds.values())).__name__, **fields)


def _annotation(settings: Sequence[FieldInfo]) -> Any:  # noqa: ANN401  a type
    """The type of a setting that several kinds of a section have: all that any of them allows."""
    if all(get_origin(setting.annotation) is Literal for setting in settings):
        choices = dict.fromkeys(arg for each in settings for arg in get_args(each.annotation))
        return Literal[tuple(choices)]
    return settings[0].annotation


def _grouped(kind: type[BaseModel]) -> type[BaseModel]:
    """The same configuration, with the help of each section under a heading of its own."""
    fields: dict[str, Any] = {}
    for order, (name, field) in enumerate(kind.model_fields.items()):
        annotation: Any = field.annotation
        default = field.default
        if kinds := kinds_of(field):
            first = next(iter(kinds.values()))
            text = first.__doc__ if "" in kinds else _HEADINGS[name]
            heading = Group(name.capitalize(), help=text or "", sort_key=order + 10)
            section = _flat(field, TrainConfig.model_fields[name])
            default = section.model_construct()
            annotation = Annotated[section, Parameter(group=heading)]
        fields[name] = (annotation, Field(default=default, description=field.description))
    return create_model(kind.__name__, **fields)


_HEADINGS = {"split": Split.__doc__, "model": ModelConfig.__doc__}
"""Of sections that come in several kinds."""


def _typed(flags: type[BaseModel], typed: Values) -> Values:
    """Translate words that stand for something else than text: `none`, and numbers to choose."""
    values: Values = {}
    for name, value in typed.items():
        annotation: Any = flags.model_fields[name].annotation
        options = get_args(annotation)
        if isinstance(value, dict):
            values[name] = _typed(annotation, value)
        elif NoneType in options and (value == "null" or (value == "none" and str not in options)):
            values[name] = None
        elif isinstance(value, str):
            literals = [kind for kind in (annotation, *options) if get_origin(kind) is Literal]
            choices = {str(choice): choice for kind in literals for choice in get_args(kind)}
            values[name] = choices.get(value, value)
        else:
            values[name] = value
    return values


# `negative_none` makes --training.no-ema-decay; an empty list would never be meant.
_PARAMETER = Parameter(
    name="*", consume_multiple=1, json_dict=False, negative_iterable="", negative_none="no-"
)


def _flags(flags: type[BaseModel]) -> Any:  # noqa: ANN401  an annotation
    """Annotation that has cyclopts parse flags without checking their values."""
    return Annotated[flags, _PARAMETER, PlainValidator(lambda typed: _typed(flags, typed))]


def flags_of_kinds(field: FieldInfo, names: Mapping[str, str] = MappingProxyType({})) -> Any:  # noqa: ANN401  an annotation
    """Annotation with the flags of a section that comes in several kinds, some renamed."""
    section = _flat(field, field)
    renamed: dict[str, Any] = {
        key: (
            Annotated[section.model_fields[key].annotation, Parameter(name=flag)],
            section.model_fields[key],
        )
        for key, flag in names.items()
    }
    return _flags(create_model(section.__name__, __base__=section, **renamed) if names else section)


if TYPE_CHECKING:
    TrainFlags: TypeAlias = Values
    CompareFlags: TypeAlias = Values
    SplitFlags: TypeAlias = Values
else:
    TrainFlags = _flags(_grouped(TrainConfig))
    CompareFlags = _flags(_grouped(CompareConfig))
    SplitFlags = Annotated[
        flags_of_kinds(TrainConfig.model_fields["split"]), Parameter(name="split")
    ]


option = partial(Parameter, negative="", show_default=False)
"""A flag without a negative form, and without a default in its help."""


def _as_typed(_: object, tokens: Sequence[Token]) -> str:
    return tokens[0].value


def _shard(_: object, tokens: Sequence[Token]) -> tuple[int, int]:
    """I and N of `--shard I/N`."""
    text = tokens[0].value
    numbers = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if numbers is None or not 1 <= int(numbers[1]) <= int(numbers[2]):
        raise UsageError(f"--shard: got {text!r}; give I/N with I from 1 to N, such as 2/4.")
    return int(numbers[1]), int(numbers[2])


def _models(_: object) -> str:
    return "the model's own"


# A single flag for one field: checked with the rest of the configuration, like a dotted flag.
_FIELD = Parameter(converter=_as_typed)
_UNCHECKED = PlainValidator(lambda typed: typed)

ArchName: TypeAlias = Annotated[
    Arch | None, _FIELD, _UNCHECKED, Parameter(help="Architecture; the same as --model.arch.")
]
Seed: TypeAlias = Annotated[
    int | None, _FIELD, _UNCHECKED, Parameter(help="Seed; the same as --training.seed.")
]
Epochs: TypeAlias = Annotated[
    int | None, _FIELD, _UNCHECKED, Parameter(help="The same as --training.epochs.")
]
LearningRate: TypeAlias = Annotated[
    float | None,
    _FIELD,
    _UNCHECKED,
    Parameter(name="--lr", help="The same as --optimiser.learning-rate."),
]
BatchSize: TypeAlias = Annotated[
    int | None, _FIELD, _UNCHECKED, Parameter(help="The same as --training.batch-size.")
]
Threshold: TypeAlias = Annotated[
    float | None,
    _FIELD,
    _UNCHECKED,
    Parameter(help=EvaluationConfig.model_fields["threshold"].description, show_default=_models),
]
FlipAveraging: TypeAlias = Annotated[
    bool | None,
    Parameter(
        negative="--no-flip-averaging",
        help=EvaluationConfig.model_fields["flip_averaging"].description,
        show_default=_models,
    ),
]
SureShare: TypeAlias = Annotated[
    float | None,
    Parameter(help=EvaluationConfig.model_fields["sure_share"].description, show_default=_models),
]
LayoutName: TypeAlias = Annotated[
    Layout | None,
    _FIELD,
    _UNCHECKED,
    Parameter(help="How pairs are found; recognised if not given."),
]
_DATA = Parameter(help="Folder, CSV or file of labels with images and masks.")
Root: TypeAlias = Annotated[Path, _DATA]
Data: TypeAlias = Annotated[Path | None, _DATA]
Accept: TypeAlias = Annotated[
    tuple[Code, ...] | None,
    _UNCHECKED,
    Parameter(
        consume_multiple=True,
        help="Errors of the data check that do not stop the training; the same as --data.accept.",
    ),
]
Classes: TypeAlias = Annotated[
    tuple[str, ...] | None,
    _UNCHECKED,
    Parameter(
        consume_multiple=True,
        help="Names of the labels' classes that are people; person if not given.",
    ),
]
PresetName: TypeAlias = Annotated[
    Preset | None,
    Parameter(help="Where the settings start from.", show_default=lambda _: "default"),
]
ConfigFile: TypeAlias = Annotated[
    Path | None, Parameter(help="YAML file with settings; flags win over it.")
]
ShowConfig: TypeAlias = Annotated[
    bool, option(help="Print all settings as YAML and train nothing.")
]
Cache: TypeAlias = Annotated[
    Path | None,
    Parameter(
        help="Folder, on a disk with room, that keeps decoded pictures for this and later runs; "
        "they are held in memory otherwise."
    ),
]
Shard: TypeAlias = Annotated[
    tuple[int, int],
    option(
        converter=_shard,
        n_tokens=1,
        metavar="STR",
        help="I/N: take only every Nth part of the work, from the Ith; I counts from 1.",
    ),
]
Quiet: TypeAlias = Annotated[bool, option(help="No progress bar.")]
Silent: TypeAlias = Annotated[bool, option(help="Say nothing but what went wrong.")]
JsonLines: TypeAlias = Annotated[
    bool, option(help="One line of JSON per input on standard output, as it is done.")
]


def output(text: str) -> Parameter:
    """The flag -o."""
    return Parameter(name=["-o", "--output"], help=text)


Output: TypeAlias = Annotated[Path | None, output("Folder for everything that is made.")]


def with_shortcuts(values: Values, shortcuts: Shortcuts) -> Values:
    """Add what short flags such as `--data` say: by flag, the key that it stands for, and value."""
    for flag, (key, value) in shortcuts.items():
        section, name = key.split(".")
        given = values.get(section, {})
        if value is None or not isinstance(given, dict):  # one word, which `resolve` refuses
            continue
        if name in given:
            dotted = key.replace("_", "-")
            raise UsageError(f"{flag} and --{dotted} are the same setting; give one of them.")
        values = values | {section: given | {name: value}}
    return values


def as_flag(problem: str) -> str:
    """A problem of a setting, `name: what is wrong`, as one of its flag."""
    name, _, text = problem.partition(":")
    return f"--{name.replace('_', '-')}:{text}"


def typed_flags(values: Values, prefix: str = "--") -> list[str]:
    """Names of the flags that made these values."""
    names = []
    for name, value in values.items():
        flag = prefix + name.replace("_", "-")
        names += typed_flags(value, f"{flag}.") if isinstance(value, dict) else [flag]
    return names


def settings_of_data(
    root: Path | None,
    layout: str | None,
    classes: tuple[str, ...] | None,
    *,
    split: Values | None = None,
    threshold: float | None = None,
) -> TrainConfig:
    """Settings with which labelled pictures are read, checked; then that these are there."""
    from humanseg.config.loading import resolve

    data = {"root": root, "layout": layout, "classes": classes or None}
    given = {name: value for name, value in data.items() if value is not None}
    values: Values = {"data": given, "split": split or {}}
    if threshold is not None:
        values["evaluation"] = {"threshold": threshold}
    settings = resolve(TrainConfig, overrides=values)
    if root is not None:
        existing_data(root)
    return settings


def typed(options: Mapping[str, object]) -> list[str]:
    """Options that were typed: those that have a value and are no switch that is off."""
    return [
        name for name, value in options.items() if value not in (None, ()) and value is not False
    ]


def required_output(output: Path | None) -> Path:
    """The folder of `-o`, checked before anything slow begins."""
    if output is None:
        raise UsageError("-o is missing; give the folder for the results with -o RUN.")
    refuse_file(output, "-o")
    return output


def refuse_file(folder: Path | None, flag: str) -> None:
    """Refuse a file where a folder is needed, before anything slow begins."""
    if folder is not None and folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; {flag} needs a folder.")


def free_output_file(output: Path | None) -> None:
    """Refuse an `-o` that no file can be written to, before anything slow begins."""
    if output is None:
        return
    if output.is_dir():
        raise UsageError(f"{output}: is a folder; -o needs a file.")
    above = next(folder for folder in output.parents if folder.exists())
    if not above.is_dir():
        raise UsageError(f"{above}: is a file, not a folder; -o {output} cannot be written.")


def existing_data(root: Path | None) -> None:
    """Refuse data that are not named or not there, before anything slow begins."""
    if root is None:
        raise UsageError("data.root: not given; name the folder with --data.")
    if not root.exists():
        raise UsageError(f"{root}: does not exist; give a folder, CSV or file of labels.")
