"""The flags of `humanseg predict` about files and the network, and all of them checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from cyclopts import App, Group, Parameter

from humanseg.annotations.label_output import LabelOutput, OutputHolder
from humanseg.cli import flags
from humanseg.cli.network_flags import NetworkFlags
from humanseg.effects.effect import Effect, effect_of
from humanseg.system.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from humanseg.batch.runner import Encoded
    from humanseg.inference.segmenter import Segmenter

    EffectFlags: TypeAlias = flags.Values
else:
    EffectFlags = Annotated[
        flags.flags_of_kinds(OutputHolder.model_fields["effect"], names={"output": "--as"}),
        Parameter(group=Group("Result", sort_key=1), negative_none=""),
    ]

PIPE = "-"
"""Standard input or output, in place of a file."""
TAR_SUFFIXES = (".tar.gz", ".tar", ".tgz")

FormatName: TypeAlias = Literal["png", "jpg", "webp", "tiff"]

_NOT_FOLDERS = (".json", ".tar", ".txt", ".xml", ".yaml", ".yml", ".zip", ".png")
_OF_NETWORK = ("precision", "flip_averaging", "sure_share")
_SETTINGS_OF_FILES = ("quality", "keep_metadata", "smoothing")
_FILES = Group("Files", sort_key=2)


def is_tar(word: str) -> bool:
    """Whether a name is that of a tar file, and not of a folder that is there."""
    return word.lower().endswith(TAR_SUFFIXES) and not Path(word).is_dir()


def refuse_options(command: Callable[..., object], words: Sequence[str]) -> None:
    """Refuse options that do not exist, which inputs that may be `-` let through."""
    word = next((word for word in words if word.startswith("-") and word != PIPE), None)
    if word is None:
        return
    known = App(default_command=command).assemble_argument_collection()
    names = [name for argument in known for name in argument.names if name.startswith("-")]
    meant = get_close_matches(word.partition("=")[0], names, n=1)
    hint = f" Did you mean {meant[0]}?" if meant else f" A file of this name is ./{word}."
    raise UsageError(f"Unknown option: {word}.{hint}")


def refuse_flags(given: object, where: str, *names: str) -> None:
    """Refuse flags that have no effect somewhere, such as `on a pipe`."""
    for name in names:
        value = getattr(given, name)
        if value != getattr(type(given), name):
            flag = f"--{'no-' if value is False else ''}{name.replace('_', '-')}"
            raise UsageError(f"{flag} has no effect {where}; leave it out.")


@flags.option(name="*", group=_FILES)
@dataclass(frozen=True)
class FileFlags:
    """Where results go and which are made."""

    to: Annotated[
        str | None,
        Parameter(
            name=("-o", "--output"),
            allow_leading_hyphen=True,
            help="Folder for the results; a file for one input, beside it if not given; - for "
            "standard output.",
        ),
    ] = None
    format: FormatName | None = None
    """File format; png for masks, probabilities and cut-outs, otherwise jpg."""
    quality: int | None = None
    """Of jpg and webp, 1 to 100; jpg 95 and webp lossless if not given."""
    keep_metadata: Literal["camera", "all"] | None = None
    """Keep date, camera and dpi, the same as camera; all: the place too. None if not given."""
    keep_suffix: bool = False
    """Keep the input's suffix in the name: 1.jpg becomes 1.jpg.png."""
    overwrite: bool = False
    """Make results again that are there already."""
    shard: flags.Shard = (1, 1)
    dry_run: bool = False
    """Name the inputs that are still to be done, and do nothing."""
    rank: bool = False
    """Order pictures by how unsure the network is, least sure first; twice its time."""
    smoothing: Annotated[bool | None, Parameter(negative="--no-smoothing")] = None
    """Steady the masks of videos over time, or not; done if not given."""
    camera: int | None = None
    """Record from camera N instead of reading INPUTs; Ctrl-C ends it."""

    def check(self, inputs: Sequence[str], *, as_json: bool, film: bool) -> None:
        """Refuse what is missing or does not go together."""
        if self.camera is not None:
            self._check_camera(inputs)
        elif not inputs:
            raise UsageError("INPUT is missing; give files, folders, patterns, or - for a pipe.")
        _refuse_empty(inputs, self.to)
        one_file = len(inputs) == 1 and (inputs[0] == PIPE or Path(inputs[0]).is_file())
        if self.to is None and not one_file:
            _refuse_missing_image(inputs)
            raise UsageError(
                "-o is missing; give the folder for the results with -o OUT. Only one file can do "
                "without: its result goes beside it."
            )
        if self.to is not None and self.to != PIPE and self.to.startswith("-"):
            raise UsageError("-o needs a value; see --help.")
        if PIPE in inputs and len(inputs) > 1:
            raise UsageError("- stands for one picture from standard input; give it alone.")
        if PIPE in inputs or self.to == PIPE:
            alone = ("keep_suffix", "shard", "dry_run", "rank")
            refuse_flags(self, "on a pipe", *alone, *(() if film else ("smoothing",)))
        if self.dry_run:
            refuse_flags(self, "on --dry-run", "rank")
        if self.to in (None, PIPE):
            refuse_flags(self, "on standard output", "overwrite")
            if as_json:
                raise UsageError(
                    "--json and the picture would both go to standard output; give -o FILE."
                )

    def _check_camera(self, inputs: Sequence[str]) -> None:
        if inputs:
            raise UsageError(f"--camera takes the place of INPUTs; leave {inputs[0]} out.")
        if self.camera is not None and self.camera < 0:
            raise UsageError(f"--camera: got {self.camera}; must be at least 0.")
        if self.to == PIPE:
            raise UsageError("--camera needs a file, such as -o out.mp4.")
        pictures = ("format", "quality", "keep_metadata", "keep_suffix", "shard", "dry_run", "rank")
        refuse_flags(self, "on a camera", *pictures)


@dataclass(frozen=True)
class Request:
    """Everything that was typed, checked; nothing slow has happened yet."""

    inputs: tuple[str, ...]
    files: FileFlags
    typed: flags.Values
    """Of the effect."""
    network: NetworkFlags
    as_json: bool
    quiet: bool
    film: bool = False
    """Whether a pipe carries frames that follow one another."""

    def __post_init__(self) -> None:
        """Refuse values that are impossible, missing, or do not go together."""
        self.files.check(self.inputs, as_json=self.as_json, film=self.film)
        piped = PIPE in (self.files.to, *self.inputs)
        single = "a camera" if self.files.camera is not None else "a pipe" if piped else None
        self.network.check(single)
        if self.labels is not None:
            _check_labels(self, self.labels)

    @cached_property
    def effect(self) -> Effect:
        """The effect that was typed.

        Raises:
            ConfigError: values that are impossible, or that the output has no use for.
            ImageError: the background's file cannot be read as an image.
        """
        try:
            return effect_of(among=OutputHolder, **{"output": "mask", **self.typed})
        except ConfigError as error:
            said = [flags.as_flag(text).replace(" output ", " --as ") for text in error.problems]
            raise ConfigError([text.replace("--output:", "--as:") for text in said]) from error

    @cached_property
    def output(self) -> str:
        """`-o`, or the file beside the only input; `-` for standard output."""
        if self.files.to is not None or self.inputs == (PIPE,):
            return self.files.to or PIPE
        source = Path(self.inputs[0])
        name = f"{source.stem}-{self.effect.output}{self.suffix_of(source)}"
        return str(source.with_name(name))

    @property
    def background(self) -> str | None:
        """`--background`, as it was typed."""
        return self.typed.get("background")

    @property
    def labels(self) -> LabelOutput | None:
        """The labels that are asked for; None of pictures."""
        return self.effect if isinstance(self.effect, LabelOutput) else None

    def below(self, output: Path) -> Path:
        """The folder, in the one for all results, below which they have the names of inputs."""
        return output if self.labels is None else output / self.labels.folder

    @property
    def tars(self) -> bool:
        """Whether tar files are read or written."""
        return any(map(is_tar, (self.output, *self.inputs)))

    @property
    def read_files(self) -> list[Path]:
        """Files that are read beside the inputs."""
        return [] if self.background is None else [Path(self.background)]

    @property
    def no_bar(self) -> bool:
        """Whether a bar would be unwanted, or be torn by lines on the same terminal."""
        return self.quiet or (self.as_json and sys.stdout.isatty())

    def format_of(self, target: Path | None = None) -> FormatName:
        """Format of pictures: as asked for, as the file that `-o` names says, or the usual one.

        Raises:
            UsageError: the two do not agree, or the format cannot hold the result.
        """
        from humanseg.effects.encode import SUFFIXES, check_encoding, usual_format

        files, output = self.files, self.effect.output
        name = files.format
        if target is not None:
            by_suffix = SUFFIXES[target.suffix.lower()]
            if name not in (None, by_suffix):
                raise UsageError(
                    f"--format {name} and -o {target} disagree; leave one of them out."
                )
            name = by_suffix
        name = name or usual_format(output)
        check_encoding(name, output, quality=files.quality, keep_metadata=files.keep_metadata)
        return name

    def suffix_of(self, source: Path) -> str:
        """Suffix of the result of a file, an image's or a video's."""
        from humanseg.batch.discovery import VIDEO_SUFFIXES, VIDEO_TARGET_SUFFIXES

        if self.labels is not None:
            return self.labels.suffix
        suffix = source.suffix.lower()
        if suffix not in VIDEO_SUFFIXES:
            return f".{self.format_of()}"
        if self.effect.output == "cutout":
            return ".webm"
        return suffix if suffix in VIDEO_TARGET_SUFFIXES else ".mp4"

    def settings(self) -> dict[str, str]:
        """All that makes a result what it is, by flag; what is as usual is left out."""
        from humanseg.batch.made_record import fingerprint_files

        settings: dict[str, str] = {"--as": self.effect.output}
        if self.labels is None:
            settings["--format"] = self.format_of()
        settings["--model"] = self.network.identity()
        given: list[tuple[str, object]] = [
            (name, getattr(self.effect, name))
            for name, field in type(self.effect).model_fields.items()
            if name not in ("output", "background") and getattr(self.effect, name) != field.default
        ]
        given += [(name, getattr(self.network, name)) for name in _OF_NETWORK]
        given += [(name, getattr(self.files, name)) for name in _SETTINGS_OF_FILES]
        settings |= dict(_typed(*each) for each in given if each[1] not in (None, "auto"))
        if self.background is not None:
            path, colour = Path(self.background), getattr(self.effect, "background", None)
            settings["--background"] = (
                ",".join(map(str, colour))
                if isinstance(colour, (tuple, list))
                else f"picture ({fingerprint_files(path.parent, [path.name])})"
            )
        return settings

    def maker(self, segmenter: Segmenter, target: Path | None = None) -> Callable[..., Encoded]:
        """What makes the result of an image file, or of its content; `target` as in `format_of`."""
        from humanseg.batch.runner import predict_image

        return partial(
            predict_image,
            segmenter=segmenter,
            effect=self.effect,
            name=self.format_of(target),
            quality=self.files.quality,
            keep_metadata=self.files.keep_metadata,
            uncertainty=self.files.rank,
        )


def _check_labels(request: Request, labels: LabelOutput) -> None:
    """Refuse what labels cannot be made of, and flags that they have no use for."""
    files, flag = request.files, f"--as {labels.output}"
    if files.camera is not None or files.to in (None, PIPE) or PIPE in request.inputs:
        raise UsageError(f"{flag} labels files in a folder; give pictures, and -o FOLDER.")
    output = Path(request.output)
    if any(map(is_tar, request.inputs)):
        raise UsageError(f"{flag} does not read tar files; unpack them first.")
    if output.is_file() or (output.suffix.lower() in _NOT_FOLDERS and not output.is_dir()):
        raise UsageError(f"{output}: {flag} needs a folder with -o, such as -o labels.")
    alike = () if labels.output == "labelme" else ("keep_suffix",)
    refuse_flags(files, f"on {flag}", "format", "quality", "keep_metadata", *alike)


def _typed(name: str, value: object) -> tuple[str, str]:
    """A setting as a flag, and the value after it: `--trim` and ``, or `--no-trim`."""
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}", ""
    return f"--{flag}", str(value)


def _refuse_empty(inputs: Sequence[str], output: str | None) -> None:
    """Refuse words without a letter, as of a variable that a script forgot to set."""
    if output == "" or "" in inputs:
        name = "-o" if output == "" else "INPUT"
        raise UsageError(f"{name} is empty; give a name, or . for the working folder.")


def _refuse_missing_image(inputs: Sequence[str]) -> None:
    """Name an image that is not there, which explains more than what else is missing."""
    from humanseg.batch.discovery import discover
    from humanseg.images import SUFFIXES

    for word in inputs:
        image = Path(word).suffix.lower() in SUFFIXES and not Path(word).exists()
        if image or word.startswith(("http://", "https://")):
            discover([word], output=Path(PIPE))
