from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch

from humanseg.config.schema import TrainConfig
from humanseg.data.signatures import ImageBits
from humanseg.system.errors import DataError, FolderBusy, UsageError
from humanseg.training.run_folder import RunFolder, RunState


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


_LEFTOVER = ".humanseg-0123456789abcdef.part"


def test_check__temporary_file_of_a_killed_process_is_no_hindrance(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    (folder.root / _LEFTOVER).touch()
    folder.check(TrainConfig(), resume=False)
    (folder.root / "mine").touch()
    with pytest.raises(UsageError, match="is not empty and no run folder"):
        folder.check(TrainConfig(), resume=False)


def test_held__removes_what_a_killed_process_left_however_young(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    (folder.checkpoints / _LEFTOVER).touch()
    (folder.root / _LEFTOVER).mkdir()
    (folder.root / _LEFTOVER / "model.safetensors").touch()
    with folder.held():
        assert sorted(path.name for path in folder.root.iterdir()) == [".lock", "checkpoints"]
        assert not [*folder.checkpoints.iterdir()]


def test_whole__refuses_a_damaged_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.checkpoints.mkdir(parents=True)
    torch.save({"weight": torch.zeros(100)}, folder.last)
    assert folder.whole(folder.last) == folder.last
    content = bytearray(folder.last.read_bytes())
    content[content.index(b"\0" * 400) + 200] = 1  # torch itself reads a 1 there
    folder.last.write_bytes(content)
    assert torch.load(folder.last, weights_only=True)["weight"].count_nonzero() == 1
    with pytest.raises(DataError, match=r"last\.ckpt: is damaged or gone; restore it, or delete"):
        folder.whole(folder.last)


def test_begin__says_first_whose_folder_it_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")

    def killed() -> ImageBits:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.begin(TrainConfig(), cast(RunState, None), killed)
    folder.check(TrainConfig(), resume=True)
