"""One number for the whole content of a data set. A file that cannot be read is a DataError."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from humanseg.data.samples import Sample
from humanseg.system.errors import DataError
from humanseg.system.threads import ordered_map


def fingerprint(
    samples: Sequence[Sample], *, digests: Mapping[str, tuple[str, str]] | None = None
) -> str:
    """SHA-256 over the names and file contents of all pictures and truths, 64 hexadecimal digits.

    Independent of the order of `samples`, of where the files lie and of their suffixes; any changed
    byte, name or annotation changes it. Files are read in pieces, several at a time, but for those
    of whose id `digests` has what `sample_digests` gives.

    Raises:
        DataError: a file that cannot be read.
    """
    given = digests or {}
    total = hashlib.sha256()
    ordered = sorted(samples, key=lambda sample: sample.id)
    with closing(
        ordered_map(sample_digests, (sample for sample in ordered if sample.id not in given))
    ) as new:
        for sample in ordered:
            pair = given.get(sample.id) or next(new)
            # One JSON line per picture: no two lists of names and digests give the same bytes.
            total.update(json.dumps([sample.id, *pair]).encode() + b"\n")
    return total.hexdigest()


def sample_digests(sample: Sample) -> tuple[str, str]:
    """SHA-256 of a sample's picture file and of its truth."""
    truth = truth_digest(sample)
    return file_digest(sample.image), truth


def truth_digest(sample: Sample) -> str:
    """SHA-256 of a sample's truth, a file's bytes or its annotations."""
    return annotations_digest(sample) if sample.mask is None else file_digest(sample.mask)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces, as 64 hexadecimal digits."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error


def annotations_digest(sample: Sample) -> str:
    """SHA-256 of a sample's COCO outlines, of what is ignored, and of the size of both."""
    ignored = [] if sample.ignored is None else [sample.ignored]
    text = json.dumps([sample.size, sample.annotations, *ignored], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
