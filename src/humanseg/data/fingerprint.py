"""One number for the whole content of a data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from humanseg.data.samples import Sample
from humanseg.errors import DataError


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 over the names and file contents of all pictures and truths.

    Independent of the order of `samples`, of where the files lie and of their suffixes; any changed
    byte, name or annotation changes it. Files are read in pieces.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: a file that cannot be read.
    """
    total = hashlib.sha256()
    for sample in sorted(samples, key=lambda sample: sample.id):
        truth = file_digest(sample.mask) if sample.mask is not None else _annotations_digest(sample)
        # One JSON line per picture: no two lists of names and digests give the same bytes.
        line = json.dumps([sample.id, file_digest(sample.image), truth])
        total.update(line.encode() + b"\n")
    return total.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces, as 64 hexadecimal digits.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def _annotations_digest(sample: Sample) -> str:
    text = json.dumps([sample.size, sample.annotations], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
