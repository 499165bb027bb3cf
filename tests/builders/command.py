"""The command line in a process of its own, as a user types it."""

from __future__ import annotations

import os
import subprocess
import sys


def run_command(*words: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `humanseg` with these words, which must end with exit code `expect`."""
    done = subprocess.run(
        [sys.executable, "-m", "humanseg", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == expect, done.stderr
    assert "Traceback" not in done.stderr
    return done
