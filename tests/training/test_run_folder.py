from __future__ import annotations

from pathlib import Path

import pytest

from humanseg.config.schema import TrainConfig
from humanseg.system.errors import FolderBusy
from humanseg.training.run_folder import RunFolder


def test_held__keeps_others_out_and_leaves_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.held():
        with pytest.raises(FolderBusy, match="another process is training here"), folder.held():
            pass
        assert folder.root.is_dir()
    assert not folder.root.exists()


def test_held__leaves_what_was_made_but_no_lock(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.held():
        (folder.root / "config.yaml").write_text("")
    assert [path.name for path in folder.root.iterdir()] == ["config.yaml"]


def test_check__what_a_killed_process_left_of_its_lock_is_no_hindrance(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    (folder.root / ".lock").touch()
    folder.check(TrainConfig(), resume=False)
    with folder.held():
        pass
    assert not folder.root.exists()
