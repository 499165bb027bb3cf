from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from humanseg.effects.encode import FormatName, check_format, encode
from humanseg.errors import ImageError, UsageError
from humanseg.system.atomic import remove_leftovers, write_bytes

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def _read(content: bytes) -> tuple[str, NDArray[np.generic]]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.mode, np.asarray(image)


def _noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


class TestEncode:
    @given(arrays(np.uint8, SIZES))
    def test_grey_png__reads_back_exactly(self, grey: NDArray[np.uint8]) -> None:
        mode, back = _read(encode(grey, "png"))
        assert mode == "L"
        np.testing.assert_array_equal(back, grey)

    @pytest.mark.parametrize("height", [255, 256, 257, 700])
    def test_grey_png__reads_back_exactly_across_bands(self, height: int) -> None:
        mask = np.where(_noise(height, 33) > 250, 255, 0).astype(np.uint8)
        np.testing.assert_array_equal(_read(encode(mask, "png"))[1], mask)

    def test_grey_png__not_contiguous(self) -> None:
        grey = _noise(40, 60)[::2, ::-1]
        np.testing.assert_array_equal(_read(encode(grey, "png"))[1], grey)

    def test_grey_png__is_small(self) -> None:
        mask = np.zeros((1000, 1000), dtype=np.uint8)
        mask[200:900, 300:700] = 255
        assert len(encode(mask, "png")) < 6000

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_mask__is_exact_in_every_format_allowed(self, name: FormatName) -> None:
        mask = np.where(_noise(31, 45) > 127, 255, 0).astype(np.uint8)
        back = _read(encode(mask, name))[1]
        np.testing.assert_array_equal(back if back.ndim == 2 else back[..., 0], mask)

    @pytest.mark.parametrize("name", ["png", "tiff"])
    def test_sixteen_bits__are_exact(self, name: FormatName) -> None:
        levels = np.arange(60_000, 60_000 + 35, dtype=np.uint16).reshape(5, 7)
        mode, back = _read(encode(levels, name))
        assert mode.startswith("I;16")
        np.testing.assert_array_equal(back, levels)

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_transparency__keeps_the_colour_of_every_pixel(self, name: FormatName) -> None:
        cutout = _noise(20, 30, 4)
        cutout[:10, :, 3] = 0
        mode, back = _read(encode(cutout, name))
        assert mode == "RGBA"
        np.testing.assert_array_equal(back, cutout)

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_picture__is_exact_where_the_format_is_lossless(self, name: FormatName) -> None:
        picture = _noise(20, 30, 3)
        np.testing.assert_array_equal(_read(encode(picture, name))[1], picture)

    def test_jpeg__is_close(self) -> None:
        picture = np.asarray(Image.fromarray(_noise(4, 5, 3)).resize((90, 60)))
        back = _read(encode(picture, "jpg"))[1].astype(int)
        assert np.abs(back - picture).max() < 16

    def test_no_metadata(self) -> None:
        for name in ("png", "jpg", "webp", "tiff"):
            with Image.open(io.BytesIO(encode(_noise(20, 30, 3), name))) as image:
                assert not image.info.get("exif")
                assert not image.info.get("icc_profile")

    def test_too_large_for_the_format__is_a_sentence(self) -> None:
        with pytest.raises(ImageError, match=r"17000x2 pixels do not fit into webp .*use --format"):
            encode(np.zeros((2, 17_000), dtype=np.uint8), "webp")


class TestCheckFormat:
    @pytest.mark.parametrize(
        ("name", "output", "sentence"),
        [
            ("jpg", "mask", "jpg would blur the edge of a mask; for --output mask use png, webp"),
            ("jpg", "cutout", "jpg holds no transparency; for --output cutout use png, webp or t"),
            ("jpg", "probability", "jpg holds 8 bits, probabilities have 16; .* use png or tiff"),
            ("webp", "probability", "webp holds 8 bits"),
        ],
    )
    def test_unfit__is_refused(self, name: FormatName, output: str, sentence: str) -> None:
        with pytest.raises(UsageError, match=sentence):
            check_format(name, output)

    def test_fit(self) -> None:
        check_format("jpg", "blur")
        check_format("webp", "cutout")
        check_format("tiff", "probability")


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
