"""The public data set itself; runs where HUMANSEG_DATA names its folder."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from humanseg.config.split_config import ReferenceSplit
from humanseg.data.audit import audit
from humanseg.data.layouts import discover
from humanseg.data.splits import make_split

FOLDER = os.environ.get("HUMANSEG_DATA")

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not FOLDER, reason="HUMANSEG_DATA is not set"),
]

# Published: train_test_split(rows of train.csv, test_size=0.2, random_state=42).
HELD_OUT = {
    *(4, 9, 14, 15, 29, 34, 40, 41, 43, 56, 66, 68, 70, 79, 80, 83, 84, 87, 89, 92, 98, 103, 107),
    *(114, 119, 120, 126, 129, 137, 140, 153, 156, 159, 167, 169, 170, 175, 180, 190, 198, 200),
    *(204, 205, 206, 210, 211, 228, 230, 231, 241, 242, 248, 250, 257, 258, 261, 263, 277),
}


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(FOLDER or "")


@pytest.mark.parametrize("source", ["", "train.csv"])
def test_reference_split__is_the_published_one(folder: Path, source: str) -> None:
    split = make_split(discover(folder / source), ReferenceSplit())
    assert {int(Path(name).name) for name in split.test} == HELD_OUT
    assert len(split.train) == 232


def test_audit__finds_what_is_known_of_it(folder: Path) -> None:
    report = audit(folder)
    codes = Counter(finding.code for finding in report.findings)
    assert report.ok
    assert codes["size-differs"] == 198
    assert codes["exact-duplicate"] >= 1
