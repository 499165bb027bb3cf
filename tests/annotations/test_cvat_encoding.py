"""A CVAT file in an encoding that nobody knows is refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from humanseg.data.layouts import discover
from humanseg.system.errors import DataError


def test_unknown_encoding__is_a_sentence(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    text = '<?xml version="1.0" encoding="utf-x"?><annotations><image name="a.png"/></annotations>'
    file = tmp_path / "annotations.xml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"annotations.xml: line 1 is not of CVAT .*utf-x"):
        discover(file, "cvat")
