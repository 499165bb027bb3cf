"""Errors that a person can act on.

Every message says what was given, what is allowed and what to do, in one line. The command line
prints it without a traceback and ends with `exit_code`.
"""

from __future__ import annotations


class HumansegError(Exception):
    """Something failed that the caller could not have known beforehand. Exit code 1."""

    exit_code = 1


class UsageError(HumansegError):
    """What was asked for is impossible as asked: a wrong flag, value, path or file. Exit code 2."""

    exit_code = 2


class FolderBusy(UsageError):
    """Another process works in a folder."""


class ConfigError(UsageError):
    """A configuration is not valid. `problems` holds one sentence per problem, all of them."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[list[str]]]:
        # Errors travel between processes; by default the text would come back as the list.
        return ConfigError, (self.problems,)


class ImageError(HumansegError):
    """A file could not be read as a picture or mask."""


class ImageFormatError(ImageError):
    """A file is in no format of pictures that can be read here."""


class ImageSizeError(ImageError):
    """A picture has more bytes or pixels than are allowed, or than fit into the memory."""


class DataError(HumansegError):
    """A data set cannot be trained or evaluated on as it is."""


class ModelError(HumansegError):
    """A model directory, its weights or its encoder weights cannot be used."""


class ExportError(HumansegError):
    """A network cannot be written in a format, or what was written computes something else."""


class OutOfMemory(HumansegError):
    """A network, its batch and their gradients do not fit in memory."""


class GuardError(HumansegError):
    """A training run did something that makes its result meaningless."""


class Interrupted(HumansegError):
    """The user stopped the work; what was finished is saved. Exit code 130, as shells expect."""

    exit_code = 130


def first_line(error: BaseException) -> str:
    """The first line of what an error says that is not empty; its kind if there is none."""
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
