"""The measured copies that docs/duplicates.md quotes; values typed by hand from the result file."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def test_copies__at_least_54_of_58_of_each_change_and_no_stranger() -> None:
    record = json.loads((RESULTS / "2026-11-29-copies-epyc-zen5-2cores.json").read_text())
    results = {each["change"]: each for each in record["changes"]}
    assert results.pop("turned by 5 degrees")["found"] == 14
    assert (record["images"], record["searched"], len(record["pairs"])) == (58, 1293, 8)
    assert min(each["found"] for each in results.values()) == 55
    assert results["brightness 1.5"]["found_by_bits"] == 53
    assert results["brightness 0.6"]["found"] == 57
    assert results["10 % off each side"]["found"] == 58
    assert {each["strangers"] for each in results.values()} == {0}
    assert (record["drawn"], record["drawn_copies"]) == (2000, [])
