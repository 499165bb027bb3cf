"""How progress is drawn: bars on a terminal, lines in a log, nothing when asked."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from humanseg.cli.bars import Log
from humanseg.cli.terminal import shown


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TestLog:
    def test_a_line_every_minute__with_rate_and_time_left(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        clock = Clock()
        log = Log("Predicting", "images", clock=clock)
        for second in range(1, 301):
            clock.now = 1000.0 + second
            log(40 * second, 100_000)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 5
        rest = "100000 images, 40.0 per second, 40 min 40 s left"
        assert lines[0] == f"humanseg: Predicting: 2400 of {rest}"
        assert lines[4].startswith("humanseg: Predicting: 12000 of 100000 images, 40.0 per second")
        assert lines[4].endswith(", 36 min 40 s left")

    def test_milestone__is_written_at_once_with_its_figures(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        clock = Clock()
        log = Log("Training", "images", clock=clock)
        log(60, 80, stage="unet", detail="epoch 7/8, loss 0.500")
        assert capsys.readouterr().err == ""
        clock.now += 10
        log(70, 80, stage="unet", detail="epoch 7/8, loss 0.250", milestone=True)
        assert capsys.readouterr().err == "humanseg: unet: epoch 7/8, loss 0.250, 10.0 s left\n"

    def test_unknown_total__has_no_time_left(self, capsys: pytest.CaptureFixture[str]) -> None:
        clock = Clock()
        log = Log("Camera 0", "frames", clock=clock)
        clock.now += 60
        log(120, None)
        assert capsys.readouterr().err == "humanseg: Camera 0: 120 frames, 2.0 per second\n"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal would get; sys.stderr is one."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    return stream


class TestShown:
    def test_terminal__count_rate_and_name(self, terminal: io.StringIO) -> None:
        with shown("Predicting", unit="images") as progress:
            for done in range(1, 8):
                progress(done, 7)
        text = terminal.getvalue()
        assert all(part in text for part in ("Predicting", "7/7", "images/s"))

    def test_terminal__a_bar_per_stage(self, terminal: io.StringIO) -> None:
        with shown("Training") as progress:
            progress(2, 2, stage="Reading images")
            progress(3, 3, stage="unet", detail="loss 0.125")
        text = terminal.getvalue()
        assert all(part in text for part in ("Reading images", "2/2", "unet", "loss 0.125"))

    def test_terminal__work_of_unknown_length(self, terminal: io.StringIO) -> None:
        with shown("Camera 0", unit="frames") as progress:
            progress(5, None)
        assert "5/?" in terminal.getvalue()

    @pytest.mark.parametrize("quiet", [True, False])
    def test_pipe__short_work_is_not_talked_about(
        self, capsys: pytest.CaptureFixture[str], quiet: bool
    ) -> None:
        with shown("Predicting", quiet=quiet) as progress:
            progress(3, 3)
        assert capsys.readouterr() == ("", "")

    def test_quiet__shows_nothing(self, terminal: io.StringIO) -> None:
        with shown("Training", quiet=True) as progress:
            progress(1, 2, milestone=True)
        assert terminal.getvalue() == ""

    def test_further_process_of_torchrun__shows_nothing(
        self, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
        monkeypatch.setenv("RANK", "1")
        with shown("Training") as progress:
            progress(1, 2, milestone=True)
        assert terminal.getvalue() == ""
