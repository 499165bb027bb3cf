"""What is made of the commands' descriptions: completion in shells, and the manual page."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
MAN_PAGE = Path(__file__).parents[2] / "examples/man_page.py"


@pytest.mark.command
def test_completion__completes_in_bash(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / "completion"
    code, out, _ = run("--install-completion", "--shell", "bash", "--output", str(script))
    assert (code, str(script) in out) == (0, True)
    assert str(script) in (tmp_path / ".bashrc").read_text()
    for words, expected in (
        ("humanseg ev", "evaluate"),
        ("humanseg predict --thres", "--threshold"),
    ):
        listed = words.split()
        typed = (
            f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(listed) - 1}; "
            '_humanseg; echo "${COMPREPLY[@]}"'
        )
        done = subprocess.run([bash, "-c", typed], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]


@pytest.mark.command
def test_man_page__describes_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(MAN_PAGE), run_name="__main__")
    text = capsys.readouterr().out
    title, _, rest = text.partition(":Manual section: 1")
    assert title.split("\n")[1] == "humanseg"
    assert "Find the people in pictures" in title
    for name in ("predict", "data review", "serve", "train"):
        assert f"humanseg {name} " in rest
    assert "``--threshold FLOAT``" in rest
