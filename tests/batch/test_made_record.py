"""Whether a folder may get results, seen from work that begins side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from humanseg.batch.discovery import Job
from humanseg.batch.made_record import MadeRecord, claim_folder
from humanseg.system.errors import UsageError

SETTINGS = {"--as": "mask"}


def _begun_meanwhile(folder: Path, settings: dict[str, str]) -> Iterator[Job]:
    """Jobs, while another shard records its settings and writes the first result."""
    MadeRecord(settings).write(folder)
    (folder / "a.png").write_bytes(b"x")
    yield Job(folder / "a.jpg", folder / "a.png")


def test_claim__of_a_shard_while_another_begins(tmp_path: Path) -> None:
    jobs = _begun_meanwhile(tmp_path, SETTINGS)
    assert claim_folder(tmp_path, SETTINGS, jobs, overwrite=False) == MadeRecord(SETTINGS)


def test_claim__while_work_of_other_settings_begins_is_refused(tmp_path: Path) -> None:
    jobs = _begun_meanwhile(tmp_path, {"--as": "cutout"})
    with pytest.raises(UsageError, match="its results were made with --as cutout"):
        claim_folder(tmp_path, SETTINGS, jobs, overwrite=False)


def test_claim__results_without_a_record_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    jobs = [Job(tmp_path / "a.jpg", tmp_path / "a.png")]
    with pytest.raises(UsageError, match="exists, and how it was made is not known"):
        claim_folder(tmp_path, SETTINGS, jobs, overwrite=False)
