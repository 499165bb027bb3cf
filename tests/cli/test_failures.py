"""What the command line says of an error, and with which exit code it ends."""

from __future__ import annotations

from humanseg.cli.failures import explain


def test_explain__ctrl_c_within_a_call_that_turns_it_into_another_error() -> None:
    error = TypeError("cannot compare structured arrays")
    error.__context__ = KeyboardInterrupt()
    assert explain(error) == (["stopped."], 130)


def test_explain__a_bug_stays_a_bug() -> None:
    assert explain(ZeroDivisionError()) is None
