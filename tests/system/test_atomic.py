"""Files and folders that are written at once or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from humanseg.system.atomic import (
    remove_leftovers,
    replacing_folder,
    replacing_together,
    write_bytes,
)


class TestWriteBytes:
    def test_makes_folders_and_replaces(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "x.png"
        write_bytes(path, b"one")
        write_bytes(path, b"two")
        assert path.read_bytes() == b"two"
        assert [entry.name for entry in path.parent.iterdir()] == ["x.png"]

    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
    def test_interrupted__leaves_the_old_file_and_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
    ) -> None:
        path = tmp_path / "x.png"
        path.write_bytes(b"old")

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(type(error)) as caught:
            write_bytes(path, b"new")
        assert [entry.name for entry in tmp_path.iterdir()] == ["x.png"]
        assert path.read_bytes() == b"old"
        if isinstance(caught.value, OSError):
            assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))

    @pytest.mark.skipif(sys.platform != "linux", reason="limits of file size differ elsewhere")
    def test_file_cut_off_while_it_is_written__leaves_nothing(self, tmp_path: Path) -> None:
        code = (
            "import resource, signal, sys; from pathlib import Path\n"
            "from humanseg.system.atomic import write_bytes\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
            "try: write_bytes(Path(sys.argv[1]), bytes(100_000))\n"
            "except OSError as error: print(error.errno, error.filename)\n"
        )
        path = tmp_path / "x.png"
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60
        )
        assert done.stdout == f"{errno.EFBIG} {path}\n"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(os.name == "nt", reason="rights differ")
    @pytest.mark.parametrize(("umask", "rights"), [(0o077, 0o600), (0o022, 0o644), (0, 0o666)])
    def test_new_file__has_the_rights_that_the_umask_leaves(
        self, tmp_path: Path, umask: int, rights: int
    ) -> None:
        before = os.umask(umask)
        try:
            write_bytes(tmp_path / "x.png", b"new")
        finally:
            os.umask(before)
        assert (tmp_path / "x.png").stat().st_mode & 0o777 == rights

    @pytest.mark.skipif(os.name == "nt", reason="rights differ")
    @pytest.mark.parametrize("rights", [0o600, 0o440, 0o666])
    def test_overwritten_file__keeps_its_rights_from_the_first_byte(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rights: int
    ) -> None:
        path = tmp_path / "x.png"
        path.write_bytes(b"old")
        path.chmod(rights)
        seen = []
        write = Path.write_bytes

        def watched(self: Path, content: bytes) -> int:
            seen.append(self.stat().st_mode & 0o777)
            return write(self, content)

        monkeypatch.setattr(Path, "write_bytes", watched)
        write_bytes(path, b"new")
        assert seen == [rights | 0o200]
        assert path.stat().st_mode & 0o777 == rights
        assert path.read_bytes() == b"new"

    def test_folder_in_the_way__is_named(self, tmp_path: Path) -> None:
        (tmp_path / "x.png").mkdir()
        with pytest.raises(OSError) as caught:  # noqa: PT011  several kinds
            write_bytes(tmp_path / "x.png", b"new")
        assert caught.value.filename == str(tmp_path / "x.png")
        assert os.listdir(tmp_path) == ["x.png"]  # noqa: PTH208


class TestReplacingTogether:
    def test_all_files_move(self, tmp_path: Path) -> None:
        (tmp_path / "x.xml").write_text("old")
        with replacing_together(tmp_path / "x.xml") as temporary:
            temporary.write_text("new")
            temporary.with_suffix(".bin").write_text("weights")
            assert (tmp_path / "x.xml").read_text() == "old"
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
            "x.xml": "new",
            "x.bin": "weights",
        }

    def test_failure_leaves_everything_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "x.xml").write_text("old")

        def interrupted() -> None:
            with replacing_together(tmp_path / "x.xml") as temporary:
                temporary.write_text("half of it")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x.xml": "old"}


class TestReplacingFolder:
    def test_new_or_there_already__holds_what_was_written(self, tmp_path: Path) -> None:
        target = tmp_path / "far" / "model"
        for content in ("old", "new"):
            with replacing_folder(target) as folder:
                (folder / content).write_text(content)
            assert [path.name for path in target.iterdir()] == [content]
        assert list(target.parent.iterdir()) == [target]

    def test_failure__leaves_the_old_one_alone(self, tmp_path: Path) -> None:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "old").touch()

        def interrupted() -> None:
            with replacing_folder(tmp_path / "model") as folder:
                (folder / "half").touch()
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]

    @pytest.mark.skipif(os.name == "nt", reason="rights differ")
    def test_files_of_closed_libraries__get_the_usual_rights(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            with replacing_folder(tmp_path / "model") as folder:
                (folder / "weights").touch(mode=0o600)
        finally:
            os.umask(before)
        assert (tmp_path / "model").stat().st_mode & 0o777 == 0o750
        assert (tmp_path / "model" / "weights").stat().st_mode & 0o777 == 0o640


_KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from humanseg.system.atomic import replacing
with replacing(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


class TestRemoveLeftovers:
    @staticmethod
    def _age(path: Path, hours: float) -> Path:
        moment = time.time() - 3600 * hours
        os.utime(path, (moment, moment))
        return path

    def test_killed_outright__leaves_a_hidden_file_that_goes_after_a_day(
        self, tmp_path: Path
    ) -> None:
        target = tmp_path / "x.png"
        command = [sys.executable, "-c", _KILLED_WHILE_WRITING, str(target)]
        done = subprocess.run(command, check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL
        (leftover,) = tmp_path.iterdir()
        assert leftover.name.startswith(".")
        assert leftover.read_bytes() == b"half"
        self._age(leftover, 23)
        assert remove_leftovers([tmp_path]) == 0
        self._age(leftover, 25)
        assert remove_leftovers([tmp_path, tmp_path / "missing"]) == 1
        assert list(tmp_path.iterdir()) == []

    def test_folder__goes_with_what_is_in_it(self, tmp_path: Path) -> None:
        folder = tmp_path / ".humanseg-0123456789abcdef.part"
        folder.mkdir()
        _touched(folder / "half")
        self._age(folder, 25)
        assert remove_leftovers([tmp_path]) == 1
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "name", ["x.png", ".0123456789abcdef.part", ".humanseg-0123.part", "humanseg.part"]
    )
    def test_files_of_others__stay_however_old(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        self._age(tmp_path / name, 10_000)
        assert remove_leftovers([tmp_path]) == 0
        assert (tmp_path / name).exists()

    def test_two_processes_at_once__do_not_disturb_each_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._age(_touched(tmp_path / ".humanseg-0123456789abcdef.part"), 30)
        unlink = Path.unlink

        def late(self: Path, *, missing_ok: bool = False) -> None:
            unlink(self)
            unlink(self, missing_ok=missing_ok)  # the other one was faster

        monkeypatch.setattr(Path, "unlink", late)
        assert remove_leftovers([tmp_path]) == 0
        assert list(tmp_path.iterdir()) == []


def _touched(path: Path) -> Path:
    path.touch()
    return path
