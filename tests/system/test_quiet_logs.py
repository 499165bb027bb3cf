from __future__ import annotations

import logging

import pytest

from humanseg.system.quiet_logs import quiet_logs


def test_quiet_logs__let_errors_through_and_give_levels_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    talkative, other = logging.getLogger("house.talkative"), logging.getLogger("house.other")
    talkative.setLevel(logging.INFO)
    with quiet_logs("house.talkative"):
        talkative.warning("nothing to do about")
        talkative.error("broken")
        other.warning("of another")
    assert [record.getMessage() for record in caplog.records] == ["broken", "of another"]
    assert talkative.level == logging.INFO


def test_quiet_logs__of_the_root_and_of_a_level(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogger().level
    with quiet_logs("", "house.files", level=logging.CRITICAL):
        logging.getLogger("house.files").error("a line per file")
        logging.getLogger("house.inheriting").error("the root decides")
    assert logging.getLogger().level == before
    assert not caplog.records
