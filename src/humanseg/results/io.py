"""What all records share, and how they become JSON files: at once or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from humanseg.system.atomic import write_bytes
from humanseg.system.errors import DataError

SCHEMA_VERSION: Literal[1] = 1
"""Fields may be added with a default; anything else needs a new number."""


class Record(BaseModel):
    """Frozen and strict: no unknown keys, and no NaN or infinity, for which JSON has no word."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


R = TypeVar("R", bound=BaseModel)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` at once or not at all; folders are made."""
    write_bytes(path, text.encode("utf-8"))


def write_record(path: Path, record: BaseModel) -> None:
    """Write a record as indented JSON, atomically."""
    write_text(path, record.model_dump_json(indent=1) + "\n")


def read_record(path: Path, kind: type[R]) -> R:
    """Read a record.

    Raises:
        DataError: no such file, not JSON, another schema version, or not this kind of record.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    try:
        version = json.loads(text).get("schema_version", SCHEMA_VERSION)
    except (ValueError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: is not a humanseg record (no JSON object in it).") from error
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path}: has schema version {version}; this humanseg reads version {SCHEMA_VERSION}. "
            "Use the release that wrote it, or run it again."
        )
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{path}: is damaged at {where}: {first['msg']}. Restore it, or delete it and run the "
            "command that wrote it again."
        ) from error
