"""What imports on Windows: no module of the package needs Unix only to be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

_IMPORT_ALL = """
import importlib, pkgutil, sys

import humanseg

for name in ("fcntl", "grp", "pwd", "termios"):
    sys.modules[name] = None  # as on Windows: `import` raises ImportError
failed = []
for module in pkgutil.walk_packages(humanseg.__path__, "humanseg."):
    if module.name.endswith("__main__"):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        failed.append(f"{module.name}: {error}")
print(*failed, sep="\\n")
sys.exit(bool(failed))
"""


@pytest.mark.command
def test_every_module__is_imported_without_the_modules_of_unix() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
