"""What the command line says of an error, and with which exit code it ends."""

from __future__ import annotations

import pytest

from humanseg.cli.failures import explain


def test_explain__ctrl_c_within_a_call_that_turns_it_into_another_error() -> None:
    with pytest.raises(TypeError) as raised:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise TypeError("cannot compare structured arrays")  # noqa: B904  as NumPy does
    assert explain(raised.value) == (["stopped."], 130)


def test_explain__a_bug_stays_a_bug() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 / 0
    assert explain(raised.value) is None
