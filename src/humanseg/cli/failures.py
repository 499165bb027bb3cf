"""From an exception to the sentences and the exit code that a user gets."""

from __future__ import annotations

import errno
import os
import sys

from cyclopts import CycloptsError, MissingArgumentError, RepeatArgumentError, UnusedCliTokensError

from humanseg.system.errors import ConfigError, HumansegError

_TRAINING_PARTS = {
    "jinja2", "lightning", "onnx", "onnxscript", "pooch", "pycocotools", "safetensors",
    "scipy", "segmentation_models_pytorch", "timm", "torch", "torchvision",
}  # fmt: skip
_FULL = {errno.ENOSPC, errno.EDQUOT}
_IN_THE_WAY = {
    errno.EISDIR: "is a folder; a file is needed here",
    errno.ENOTDIR: "is a file, or lies below one; a folder is needed here",
    errno.EEXIST: "exists already; give another place",
}
_NOT_OURS = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ESTALE,
}
"""What disks and their owners forbid or fail at; the system says it well."""


def explain(error: BaseException) -> tuple[list[str], int] | None:
    """Sentences and exit code for an error that a user can act on; None for a bug."""
    if isinstance(error, HumansegError):
        lines = error.problems if isinstance(error, ConfigError) else [str(error)]
        return lines if any(lines) else [type(error).__name__], error.exit_code
    if isinstance(error, CycloptsError):
        return [_misuse(error)], 2
    if _interrupted(error):
        return ["stopped."], 130
    if isinstance(error, OSError):
        return _system(error)
    if isinstance(error, ModuleNotFoundError):
        return _missing_part(error)
    return None


def _interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it: NumPy turns one that comes within its calls into a TypeError."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt) or _interrupted(error.__cause__ or error.__context__)
    )


def _misuse(error: CycloptsError) -> str:
    """What cyclopts has to say, in one line."""
    if isinstance(error, UnusedCliTokensError):
        words = " ".join(error.unused_tokens or [])
        return f"unexpected: {words}. Options are given by name; see --help."
    if isinstance(error, RepeatArgumentError):
        return f"{error.token.keyword} is given twice; give it once."
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        name = error.keyword or error.argument.name
        if not error.argument.tokens and error.keyword is None:
            return f"{name} is missing; see --help."
        count, _ = error.argument.token_count()
        return f"{name} needs {'a value' if count == 1 else f'{count} values'}; see --help."
    return " ".join(str(error).split())


def _system(error: OSError) -> tuple[list[str], int] | None:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in _FULL | {errno.EPIPE} and not where:
        _drop_stdout()
    if isinstance(error, BrokenPipeError):  # the reader (`head`, a closed pager) has gone
        return [], 1
    if error.errno in _FULL:
        return [f"{where}the disk is full. Free some space and run the same command again."], 1
    if error.errno in _IN_THE_WAY and error.filename:
        path = error.filename2 or error.filename  # of a renaming, the new name
        return [f"{path}: {_IN_THE_WAY[error.errno]}."], 2
    if error.errno in _NOT_OURS:
        return [f"{where}{(error.strerror or 'not allowed').lower()}."], 1
    return None


def _drop_stdout() -> None:
    """Send what is left in the buffer nowhere, or Python fails once more on it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing_part(error: ModuleNotFoundError) -> tuple[list[str], int] | None:
    package = (error.name or "").partition(".")[0]
    if package not in _TRAINING_PARTS:
        return None
    what = "this command needs the training parts. Install them"
    return [f'{what} with: pip install "humanseg[train]"'], 1
