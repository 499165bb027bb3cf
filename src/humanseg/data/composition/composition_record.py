"""What a folder of composed scenes was made from."""

from __future__ import annotations

from typing import Literal

from humanseg.results import Record

RECORD_FILE = "composition.json"


class SourceRecord(Record):
    """A data set whose people were cut out."""

    name: str
    fingerprint: str
    """SHA-256 over names and contents of all its pictures and masks."""
    pictures: tuple[str, ...]
    """Ids of the pictures that were used; no other picture is in any scene."""


class CompositionRecord(Record):
    """composition.json: lets a training see that no test picture's person is in a scene."""

    schema_version: Literal[1] = 1
    seed: int
    sources: tuple[SourceRecord, ...]
    backgrounds: dict[str, str]
    """SHA-256 by file: the folder's name and the path within it."""
    objects: dict[str, str]
    """Likewise."""
    kinds: dict[str, int]
    """Number of scenes by kind; in a folder that holds fewer, composing was interrupted."""
