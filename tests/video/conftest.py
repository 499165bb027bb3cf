from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A second of video with sound."""
    from tests.builders.clips import write_clip  # skips the test where PyAV is missing

    return write_clip(tmp_path / "clip.mp4", sound="aac")
