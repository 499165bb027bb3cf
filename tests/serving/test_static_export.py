from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("starlette")

from humanseg.serving.static_files import export_static, page_files
from humanseg.system.errors import UsageError


def test_export__is_the_page_in_private_mode(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "page"
    written = export_static(folder)
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"index.html", "_headers", *page_files()} - {""}
    assert written == sum((folder / name).stat().st_size for name in files)
    index = (folder / "index.html").read_text("utf-8")
    assert 'data-modes="private"' in index
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'; ' in index
    headers = (folder / "_headers").read_text("utf-8").splitlines()
    assert headers[0] == "/*"
    assert "  Cross-Origin-Embedder-Policy: require-corp" in headers
    assert all(path.stat().st_mode & 0o111 for path in folder.rglob("*") if path.is_dir())


def test_export__refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already; give a new or an empty folder"):
        export_static(tmp_path)
    with pytest.raises(UsageError, match="exists already"):
        export_static(tmp_path / "notes.txt")
    assert (tmp_path / "notes.txt").read_text() == "mine"
