"""The shape of the package: few rooms, and a file name that says where one is."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import humanseg

PACKAGE = Path(humanseg.__file__).parent


def test_package__has_at_most_twenty_rooms() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if not path.name.startswith("__")}
    assert len(rooms - {"py.typed"}) <= 20


def test_files__have_names_of_their_own() -> None:
    names = Counter(path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert [name for name, times in names.items() if times > 1] == []


def test_files__are_short() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert [str(path) for path, count in lines.items() if count > 400] == []


def test_wheel__has_at_most_32_megabytes() -> None:
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert 10_000_000 < sum(len(zlib.compress(path.read_bytes())) for path in files) < 32_000_000


def test_face__gives_every_public_name() -> None:
    for name in humanseg.__all__:
        value = getattr(humanseg, name)
        assert name == "__version__" or value.__name__ == name
        assert name in dir(humanseg)


def test_face__imports_nothing_before_it_is_asked() -> None:
    program = (
        "import sys, humanseg; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('numpy', 'torch', 'pydantic', 'onnxruntime', 'lightning')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
