"""`humanseg predict`: flags, files, remarks and exit codes, and the whole command in processes."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms
from tests.builders.segmenters import BrightIsPerson

from humanseg.batch.discovery import RECORD_NAME, Job
from humanseg.batch.runner import Outcome
from humanseg.cli.network_flags import NetworkFlags
from humanseg.cli.predict_flags import FileFlags, Request
from humanseg.cli.predict_report import Report
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import ONNX_FILE, ONNX_INT8_FILE, bundled
from humanseg.system.errors import HumansegError, ModelError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How the network was opened; it is a stand-in."""
    calls: list[dict[str, Any]] = []

    def open_network(self: NetworkFlags, *, threads: int | None = None) -> Segmenter:
        calls.append({"model": self.model, "threads": threads})
        return BrightIsPerson()

    monkeypatch.setattr(NetworkFlags, "open", open_network)
    return calls


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures with somebody, one without; named relative to the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, level in (("1.jpg", 255), ("a/2.png", 240), ("a/nobody.png", 0)):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.new("RGB", (60, 45))
        image.paste((level, level, level), (20, 10, 50, 40))
        image.save(path)
    return Path("photos")


def _files(folder: str | Path) -> list[str]:
    """All files but the record of how they were made."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in Path(folder).rglob("*")
        if path.is_file() and path.name != RECORD_NAME
    )


def _pixels(path: str | Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class TestBadUse:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("", "INPUT is missing; give files, folders, patterns, or - for a pipe."),
            ("photos", "-o is missing; give the folder for the results with -o OUT."),
            ("https://example.org/1.jpg", "https://example.org/1.jpg: is an address; download"),
            ("photos/*.jpg", "-o is missing; give the folder for the results with -o OUT."),
            ("https://example.org/?a=1.jpg", "https://example.org/?a=1.jpg: is an address; downl"),
            ("https://example.org/", "https://example.org/: is an address; download the image"),
            ("nothing.jpg", "nothing.jpg: does not exist; give files, folders, patterns or -."),
            ("photos -o", "-o needs a value; see --help."),
            ("photos -o --json", "-o needs a value; see --help."),
            ("photos --treshold 0.4 -o out", "Unknown option: --treshold. Did you mean --thresh"),
            ("photos --zzz -o out", "Unknown option: --zzz. A file of this name is ./--zzz."),
            ("photos -o out --as outline", "--as: got 'outline'; allowed: mask, probabil"),
            ("photos -o out --threshold 2", "--threshold: got 2; must be at least 0 and at most 1"),
            ("photos -o out --smallest-region 1", "--smallest-region: got 1; must be at least 0"),
            ("photos -o out --as blur --blur-radius 0", "--blur-radius: got 0; must be above"),
            ("photos -o out --as cutout --feather -1", "--feather: got -1; must be at least 0"),
            ("photos -o out --workers 0", "--workers: got 0; must be at least 1."),
            ("photos -o out --threads -2", "--threads: got -2; must be at least 1."),
            ("photos -o out --background red", "--background: got 'red' in the given values, but"),
            ("photos -o out --feather 2", "--feather: got 2 in the given values, but it belongs"),
            ("photos -o out --no-decontaminate", "--decontaminate: got false in the given values"),
            (
                "photos -o out --as blur --decontaminate",
                "--decontaminate: got true in the given values, but",
            ),
            (
                "photos -o out --as cutout --blur-radius 3",
                "--blur-radius: got 3 in the given values, but it",
            ),
            (
                "photos -o out --as replace",
                "--background: not given; replace needs a background: a c",
            ),
            (
                "photos -o out --as replace --background 1,2",
                "--background: got '1,2'; give a c",
            ),
            ("photos -o out --as replace --background #ff000080", "--background: got '#ff0000"),
            (
                "photos -o out --format jpg",
                "jpg would blur the edge of a mask; for --as mask u",
            ),
            ("photos -o out --shard 3/2", "--shard: got '3/2'; give I/N with I from 1 to N"),
            ("nowhere -o out", "nowhere: does not exist; give files, folders, patterns or -."),
            ("photos -o photos", "photos: is both input and output; results would be read"),
            ("photos -o photos/1.jpg", "photos/1.jpg: names a file; these inputs need a folder"),
            ("photos -o photos/file", "photos/file: is a file; -o needs a folder."),
            ("photos -o photos/file/out", "photos/file: is a file, not a folder; -o photos/file/o"),
            ("photos -o out.png", "out.png: names a file; these inputs need a folder with -o."),
            (
                "photos/1.jpg -o out.gif",
                "out.gif: a picture is written as .png, .jpg, .jpeg, .webp",
            ),
            ("photos/1.jpg -o out.mp4", "out.mp4: a picture is written as .png"),
            ("photos/1.jpg -o out.jpg", "jpg would blur the edge of a mask"),
            ("photos/1.jpg -o out.png --format webp", "--format webp and -o out.png disagree"),
            ("photos/1.jpg -o out.png --keep-suffix", "--keep-suffix has no effect on -o out.png"),
            ("photos/a/2.png -o photos/a", "photos/a/2.png: is an input; inputs are never written"),
            ("- photos -o out", "- stands for one picture from standard input; give it alone."),
            ("- -o out", "out: a picture from standard input needs the name of a file with -o"),
            ("- --json", "--json and the picture would both go to standard output; give -o FILE."),
            ("- --shard 1/2", "--shard has no effect on a pipe; leave it out."),
            ("- --dry-run", "--dry-run has no effect on a pipe; leave it out."),
            ("- --no-smoothing", "--no-smoothing has no effect on a pipe; leave it out."),
            ("- --workers 2", "--workers has no effect on a pipe; leave it out."),
            ("photos/1.jpg -o - --workers 2", "--workers has no effect on a pipe; leave it out."),
            (
                "--camera 0 -o out.mp4 --workers 2",
                "--workers has no effect on a camera; leave it out.",
            ),
            ("- --overwrite", "--overwrite has no effect on standard output; leave it out."),
            ("photos -o -", "-o - takes one picture; give one file that exists, or -."),
            (
                "photos --camera 0 -o out.mp4",
                "--camera takes the place of INPUTs; leave photos out",
            ),
            ("--camera -1 -o out.mp4", "--camera: got -1; must be at least 0."),
            ("--camera 0", "-o is missing; give the folder"),
            ("--camera 0 -o -", "--camera needs a file, such as -o out.mp4."),
            ("--camera 0 -o out.png", "out.png: is not the name of a video"),
            ("--camera 0 -o out.mp4 --format png", "--format has no effect on a camera; leave it"),
        ],
    )
    def test_is_one_sentence_and_nothing_is_done(
        self, run: Run, photos: Path, opened: list[Any], words: str, sentence: str
    ) -> None:
        (photos / "file").touch()
        before = _files(".")
        code, out, err = run("predict", *words.split())
        assert (code, out) == (2, "")
        assert err.startswith(f"humanseg: {sentence}")
        assert len(err.splitlines()) == 1
        assert opened == []
        assert _files(".") == before

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            (("", "-o", "out"), "INPUT"),
            (("photos", "", "-o", "out"), "INPUT"),
            (("photos/1.jpg", "-o", ""), "-o"),
        ],
    )
    def test_empty_word__is_refused(
        self, run: Run, photos: Path, opened: list[Any], words: tuple[str, ...], name: str
    ) -> None:
        assert run("predict", *words) == (
            2,
            "",
            f"humanseg: {name} is empty; give a name, or . for the working folder.\n",
        )
        assert not Path("out").exists()

    def test_name_with_a_line_break__is_one_line(self, run: Run, photos: Path) -> None:
        code, _, err = run("predict", "photos/a\nb.jpg", "-o", "out")
        assert (code, err) == (
            2,
            "humanseg: photos/a\\nb.jpg: does not exist; give files, folders, patterns or -.\n",
        )

    def test_broken_picture_with_a_line_break__is_one_line(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        (photos / "a\nb.jpg").write_bytes(b"no picture")
        code, _, err = run("predict", "photos", "-o", "out", "--quiet")
        assert (code, err) == (
            1,
            "humanseg: photos/a\\nb.jpg: not a picture in a known format.\n",
        )

    @pytest.mark.parametrize("words", ["photos -o out", "photos/clip.mp4 -o out.webm"])
    def test_trimmed_video__is_refused_beforehand(
        self, run: Run, photos: Path, opened: list[Any], words: str
    ) -> None:
        (photos / "clip.mp4").write_bytes(b"x")
        code, _, err = run("predict", *words.split(), "--as", "cutout", "--trim")
        assert (code, opened) == (2, [])
        assert err == (
            "humanseg: photos/clip.mp4: is a video, whose frames are of one size; leave --trim "
            "out, or name the pictures alone.\n"
        )

    def test_one_output_name_for_two_inputs__names_both(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        shutil.copy(photos / "1.jpg", photos / "1.PNG")
        code, _, err = run("predict", "photos", "-o", "out")
        assert code == 2
        assert "photos/1.PNG and photos/1.jpg would both become out/1.png; add --keep-suf" in err
        assert run("predict", "photos", "-o", "out", "--keep-suffix")[0] == 0
        assert _files("out") == ["1.PNG.png", "1.jpg.png", "a/2.png.png", "a/nobody.png.png"]

    def test_background_in_place_of_a_result__is_refused(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        shutil.copytree(photos, "out")
        words = ("--as", "replace", "--background", "out/1.jpg", "--overwrite")
        code, _, err = run("predict", "photos/1.jpg", "-o", "out", *words)
        assert (code, "out/1.jpg: is an input; inputs are never written over" in err) == (2, True)

    @pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "Permission denied", "out")])
    def test_folder_without_permission__is_a_sentence(
        self, run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)
        code, _, err = run("predict", "photos", "-o", "out")
        assert (code, err) == (1, f"humanseg: {Path.cwd()}: permission denied.\n")

    def test_model_that_cannot_be_used__leaves_no_folder(
        self, run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise ModelError("model: is damaged.")

        monkeypatch.setattr(NetworkFlags, "open", refuse)
        code, out, err = run("predict", "photos", "-o", "out")
        assert (code, out, err) == (1, "", "humanseg: model: is damaged.\n")
        assert not Path("out").exists()


class TestFiles:
    def test_folder__mirrored_with_a_summary(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
        code, out, err = run("predict", "photos", "-o", "out", "--workers", "2")
        assert code == 0
        assert _files("out") == ["1.png", "a/2.png", "a/nobody.png"]
        assert out.startswith("Done: 3 inputs in ")
        assert err == "humanseg: note: nobody was found in photos/a/nobody.png.\n"
        assert {path: path.read_bytes() for path in before} == before
        assert [_pixels(Path("out") / name).shape for name in _files("out")] == [(45, 60)] * 3

    def test_again__skips_what_is_there(self, run: Run, photos: Path, opened: list[Any]) -> None:
        run("predict", "photos", "-o", "out")
        Path("out/1.png").write_bytes(b"mine")
        code, out, _ = run("predict", "photos", "-o", "out")
        assert (code, len(opened)) == (0, 1)
        assert out == "Left alone: 3 results that existed; --overwrite makes them again.\n"
        run("predict", "photos", "-o", "out", "--overwrite")
        assert Path("out/1.png").read_bytes() != b"mine"

    def test_bad_picture__is_told_in_a_line_and_the_rest_is_done(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        (photos / "0.jpg").write_bytes(b"")
        (photos / "b.jpg").symlink_to("gone.jpg")
        code, out, err = run("predict", "photos", "-o", "out", "--quiet")
        assert (code, out) == (1, "")
        assert _files("out") == ["1.png", "a/2.png", "a/nobody.png"]
        lines = sorted(err.splitlines())
        assert len(lines) == 2
        assert lines[0].startswith("humanseg: photos/0.jpg: ")
        assert lines[1].startswith("humanseg: photos/b.jpg: ")

    def test_shards__make_every_result_once(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        for number in range(3, 12):
            shutil.copy(photos / "1.jpg", photos / f"{number}.jpg")
        first = run("predict", "photos", "-o", "out", "--shard", "1/2", "--json")
        second = run("predict", "photos", "-o", "out", "--shard", "2/2", "--json")
        made = [line["output"] for line in _lines(first[1]) + _lines(second[1])]
        assert len(made) == len(set(made)) == 12
        assert len(_files("out")) == 12
        assert "Left to other shards: " in first[2]

    def test_json__has_a_line_per_input(self, run: Run, photos: Path, opened: list[Any]) -> None:
        run("predict", "photos", "-o", "out")
        Path("out/1.png").unlink()
        Path("out/a/nobody.png").unlink()
        (photos / "bad.jpg").write_bytes(b"bad")
        code, out, err = run("predict", "photos", "-o", "out", "--json")
        lines = {line["input"]: line for line in _lines(out)}
        assert code == 1
        assert set(lines["photos/1.jpg"]) == {
            "input",
            "output",
            "status",
            "people",
            "coverage",
            "seconds",
            "error",
            "notes",
            "uncertainty",
        }
        assert {name: (line["status"], line["people"]) for name, line in lines.items()} == {
            "photos/a/2.png": ("skipped", None),
            "photos/1.jpg": ("done", True),
            "photos/a/nobody.png": ("done", False),
            "photos/bad.jpg": ("failed", None),
        }
        assert lines["photos/1.jpg"]["output"] == "out/1.png"
        assert lines["photos/1.jpg"]["coverage"] == pytest.approx(30 * 30 / (60 * 45), abs=0.02)
        assert lines["photos/bad.jpg"]["error"].startswith("photos/bad.jpg: ")
        assert "Done: 2 inputs" in err

    def test_named_file__is_written_as_named(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        words = ("--as", "replace", "--background", "0,99,0", "-o", "new/x.WEBP")
        assert run("predict", "photos/1.jpg", *words)[0] == 0
        with Image.open("new/x.WEBP") as image:
            assert image.format == "WEBP"
            assert image.convert("RGB").getpixel((1, 1)) == (0, 99, 0)

    @pytest.mark.parametrize(
        ("words", "name"),
        [
            ("--as probability", "1.png"),
            ("--as cutout", "1.png"),
            ("--as blur", "1.jpg"),
            ("--as overlay --format tiff", "1.tiff"),
            ("--as replace --background photos/a/2.png", "1.jpg"),
        ],
    )
    def test_formats(
        self, run: Run, photos: Path, opened: list[Any], words: str, name: str
    ) -> None:
        assert run("predict", "photos/1.jpg", "-o", "out", *words.split())[0] == 0
        assert _files("out") == [name]

    def test_background_picture__has_its_colour_profile_applied(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"tmp ").replace(b"bXYZ", b"rXYZ").replace(b"tmp ", b"bXYZ")
        Image.new("RGB", (60, 45), (40, 80, 120)).save("ground.png", icc_profile=swapped)
        words = ("--as", "replace", "--format", "png", "--background", "ground.png")
        assert run("predict", "photos/1.jpg", "-o", "out", *words)[0] == 0
        np.testing.assert_allclose(_pixels("out/1.png")[1, 1], (120, 80, 40), atol=3)

    def test_threshold__of_the_model_or_as_typed(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos/a/2.png", "-o", "x.png")
        run("predict", "photos/a/2.png", "-o", "y.png", "--threshold", "0.99")
        assert _pixels("x.png").any()
        assert not _pixels("y.png").any()

    def test_workers__share_the_cores(
        self, run: Run, photos: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("humanseg.system.cpu.usable_cores", lambda: 8)
        run("predict", "photos", "-o", "a")
        run("predict", "photos/1.jpg", "-o", "b")
        run("predict", "photos", "-o", "c", "--workers", "1")
        run("predict", "photos", "-o", "d", "--workers", "2", "--threads", "3")
        assert [call["threads"] for call in opened] == [2, None, 8, 3]  # None: all cores

    def test_remarks__are_the_first_ones_and_their_number(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        for number in range(25):
            shutil.copy(photos / "a" / "nobody.png", photos / f"n{number:02}.png")
        _, _, err = run("predict", "photos", "-o", "out", "--workers", "1")
        assert err.startswith("humanseg: note: nobody was found in photos/")
        assert err.count("photos/") == 10
        assert err.endswith(", and 16 more.\n")

    def test_remarks__take_no_memory_for_what_is_not_shown(self) -> None:
        files, network = FileFlags(to="out"), NetworkFlags()
        report = Report(Request(("a.png",), files, {}, network, as_json=False, quiet=True))
        job = Job(Path("a.png"), Path("b.png"))

        def tell(count: int) -> int:
            for number in range(count):
                report.tell(Outcome(job, "done", people=False, notes=(f"note {number} " * 50,)))
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            before = tell(50)
            assert tell(2000) - before < 50_000
        finally:
            tracemalloc.stop()

    def test_flags_about_videos__are_remarked_on_without_any(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        _, _, err = run("predict", "photos/1.jpg", "-o", "out", "--no-smoothing")
        assert "note: --no-smoothing has no effect; there is no video among the inputs." in err

    def test_other_files__are_counted(self, run: Run, photos: Path, opened: list[Any]) -> None:
        (photos / "notes.txt").touch()
        _, out, _ = run("predict", "photos", "-o", "out")
        assert "Passed over: 1 file without the suffix of a picture or video." in out

    def test_full_disk__ends_it_with_a_sentence(
        self, run: Run, photos: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(self: Path, target: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "replace", full)
        code, _, err = run("predict", "photos/1.jpg", "-o", "out")
        assert (code, err) == (
            1,
            "humanseg: out/.humanseg.json: the disk is full. Free some space and run the same "
            "command again.\n",
        )
        assert _files("out") == []


class TestQualityAndTrim:
    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            ("--as blur --quality 0", "--quality: got 0; must be at least 1 and at most 100."),
            ("--as cutout --quality 80", "--quality has no effect on png, which is lossless; lea"),
            ("--format webp --quality 80", "--quality would blur the edge of a mask; leave it out"),
            (
                "--as blur --trim",
                "--trim: got true in the given values, but it belongs to --as cut",
            ),
        ],
    )
    def test_what_has_no_use__is_refused(
        self, run: Run, photos: Path, opened: list[Any], words: str, sentence: str
    ) -> None:
        code, _, err = run("predict", "photos", "-o", "out", *words.split())
        assert code == 2
        assert err.startswith(f"humanseg: {sentence}")

    @pytest.mark.parametrize("suffix", ["jpg", "webp"])
    def test_quality__makes_smaller_files(
        self, run: Run, photos: Path, opened: list[Any], suffix: str
    ) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save("noise.png")
        for name, words in (("usual", ()), ("low", ("--quality", "20"))):
            target = f"{name}.{suffix}"
            assert run("predict", "noise.png", "-o", target, "--as", "overlay", *words)[0] == 0
        assert Path(f"low.{suffix}").stat().st_size < Path(f"usual.{suffix}").stat().st_size / 2

    def test_trim__leaves_the_people(self, run: Run, photos: Path, opened: list[Any]) -> None:
        run("predict", "photos/a/2.png", "-o", "whole.png", "--as", "cutout")
        run("predict", "photos/a/2.png", "-o", "part.png", "--as", "cutout", "--trim")
        run("predict", "photos/a/nobody.png", "-o", "nobody.png", "--as", "cutout", "--trim")
        whole, part = _pixels("whole.png"), _pixels("part.png")
        rows, columns = np.nonzero(whole[..., 3])
        np.testing.assert_array_equal(
            part, whole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        )
        assert part.shape[0] < 40
        assert _pixels("nobody.png").shape == (45, 60, 4)


class TestMetadata:
    @pytest.mark.parametrize(
        ("kept", "place"), [(None, False), ("", False), ("camera", False), ("all", True)]
    )
    def test_results_have_what_was_asked_for(
        self, run: Run, photos: Path, opened: list[Any], kept: str | None, place: bool
    ) -> None:
        exif = Image.Exif()
        exif[0x0110] = "Model 1"
        exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
        Image.new("RGB", (60, 45)).save("photo.jpg", exif=exif)
        words = () if kept is None else ("--keep-metadata", *kept.split())
        assert run("predict", *words, "-o", "out", "photo.jpg")[0] == 0
        with Image.open("out/photo.png") as image:
            assert image.getexif().get(0x0110) == (None if kept is None else "Model 1")
            assert bool(image.getexif().get_ifd(0x8825)) is place

    def test_alone__stands_for_the_camera_before_a_file(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        assert run("predict", "--keep-metadata", "photos/1.jpg", "-o", "out")[0] == 0
        assert _files("out") == ["1.png"]

    def test_tiff__is_refused(self, run: Run, photos: Path, opened: list[Any]) -> None:
        words = ("--format", "tiff", "--keep-metadata", "all")
        code, _, err = run("predict", "photos", "-o", "out", *words)
        assert (code, err.startswith("humanseg: --keep-metadata: tiff cannot take it")) == (2, True)


class TestMadeRecord:
    """Results of one folder are all made alike."""

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ("--as cutout", "--as mask, and these would be with --as cutout"),
            ("--threshold 0.4", "no --threshold, and these would be with --threshold 0.4"),
            ("--format webp", "--format png, and these would be with --format webp"),
            ("--smallest-region 0.1", "no --smallest-region, and these would be with --smallest-r"),
            ("--flip-averaging", "no --flip-averaging, and these would be with --flip-averaging;"),
            ("--refine", "no --refine, and these would be with --refine;"),
        ],
    )
    def test_other_settings__are_refused_in_one_folder(
        self, run: Run, photos: Path, opened: list[Any], words: str, reason: str
    ) -> None:
        run("predict", "photos", "-o", "out")
        before = {name: Path("out", name).read_bytes() for name in _files("out")}
        code, out, err = run("predict", "photos", "-o", "out", *words.split())
        assert (code, out) == (2, "")
        assert err.startswith(f"humanseg: out: its results were made with {reason}")
        assert "; give another folder with -o, or --overwrite to replace them." in err
        assert {name: Path("out", name).read_bytes() for name in _files("out")} == before
        assert run("predict", "photos", "-o", "out", "--overwrite", *words.split())[0] == 0
        assert run("predict", "photos", "-o", "out")[0] == 2

    def test_another_model__is_refused(
        self, run: Run, photos: Path, opened: list[Any], tmp_path: Path
    ) -> None:
        shutil.copytree(bundled(), "model")
        assert run("predict", "photos", "-o", "out", "--model", "model")[0] == 0
        assert run("predict", "photos", "-o", "out", "--model", "model")[0] == 0
        record = Path("model/humanseg.json")
        record.write_text(record.read_text() + " ")  # trained again, under the same name
        code, _, err = run("predict", "photos", "-o", "out", "--model", "model")
        assert (code, "made with --model model (" in err) == (2, True)

    def test_another_background_of_one_name__is_refused(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        words = ("predict", "photos", "-o", "out", "--as", "replace", "--background", "back.png")
        Image.new("RGB", (8, 8), (1, 2, 3)).save("back.png")
        assert run(*words)[0] == 0
        Image.new("RGB", (8, 8), (3, 2, 1)).save("back.png")
        code, _, err = run(*words)
        assert (code, "made with --background picture (" in err) == (2, True)

    @pytest.mark.parametrize(
        ("first", "again"),
        [
            ("back.png", "./back.png"),
            ("white", "White"),
            ("white", "#ffffff"),
            ("1,2,3", "#010203"),
        ],
    )
    def test_same_background_in_other_words__is_the_same(
        self, run: Run, photos: Path, opened: list[Any], first: str, again: str
    ) -> None:
        Image.new("RGB", (8, 8), (1, 2, 3)).save("back.png")
        words = ("predict", "photos", "-o", "out", "--as", "replace", "--background")
        assert run(*words, first)[0] == 0
        assert run(*words, again)[0] == 0
        assert run(*words, "black")[0] == 2

    def test_results_of_unknown_origin__are_refused(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        Path("out").mkdir()
        Path("out/1.png").write_bytes(b"drawn by hand")
        code, _, err = run("predict", "photos", "-o", "out")
        assert (code, "out/1.png: exists, and how it was made is not known; give " in err) == (
            2,
            True,
        )

    def test_overwriting_that_was_cut_short__goes_on_where_it_was(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos", "-o", "out")
        old = Path("out/1.png").stat().st_mtime - 100
        for name in _files("out"):
            os.utime(Path("out", name), (old, old))
        run("predict", "photos", "-o", "out", "--overwrite", "--as", "cutout")
        os.utime("out/1.png", (old, old))  # as if the work had ended before this one
        _, out, _ = run("predict", "photos", "-o", "out", "--as", "cutout", "--json")
        status = {line["output"]: line["status"] for line in _lines(out)}
        assert status == {
            "out/1.png": "done",
            "out/a/2.png": "skipped",
            "out/a/nobody.png": "skipped",
        }

    def test_emptied_folder__takes_other_settings(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos/1.jpg", "-o", "out")
        Path("out/1.png").unlink()
        assert run("predict", "photos/1.jpg", "-o", "out", "--as", "cutout")[0] == 0

    def test_another_input_of_the_same_name__is_refused(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        shutil.copytree("photos", "others")
        run("predict", "photos", "-o", "out")
        Path("out/a/2.png").unlink()
        code, out, err = run("predict", "others", "-o", "out")
        assert (code, out) == (2, "")
        assert err == (
            f"humanseg: out/1.png: exists, and was made of an input in {Path('photos').absolute()},"
            " not of others/1.jpg; give another folder with -o, or --overwrite to replace it.\n"
        )
        assert _files("out") == ["1.png", "a/nobody.png"]
        assert run("predict", "others", "-o", "out", "--overwrite")[0] == 0
        assert run("predict", "others", "-o", "out")[0] == 0
        assert run("predict", "photos", "-o", "out")[0] == 2

    def test_inputs_that_moved_or_are_beside_each_other__are_taken_up_again(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos/a/2.png", "-o", "out")
        run("predict", "photos/1.jpg", "-o", "out")
        assert run("predict", "photos/1.jpg", "photos/a/2.png", "-o", "out")[0] == 0
        photos.rename("moved")
        code, out, _ = run("predict", "moved/1.jpg", "-o", "out")
        assert (code, out.startswith("Left alone: 1 result")) == (0, True)

    def test_result_older_than_its_input__is_told(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos", "-o", "out")
        later = Path("out/1.png").stat().st_mtime + 10
        os.utime("photos/1.jpg", (later, later))
        _, out, _ = run("predict", "photos", "-o", "out")
        assert "Older than their inputs: 1 result of these, such as out/1.png.\n" in out

    def test_overwriting_a_part_with_other_settings__is_refused(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos", "-o", "out")
        before = {name: Path("out", name).read_bytes() for name in _files("out")}
        words = ("predict", "photos/1.jpg", "-o", "out", "--as", "probability", "--overwrite")
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert " would stay among these, as none of the inputs gives it: name all inputs, o" in err
        assert {name: Path("out", name).read_bytes() for name in _files("out")} == before
        assert run("predict", "photos", "-o", "out")[0] == 0

    def test_folder_of_results_beside__is_no_input(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        run("predict", "photos", "-o", "photos/masks")
        code, out, _ = run("predict", "photos", "-o", "photos/cut", "--as", "cutout")
        assert (code, _files("photos/cut")) == (0, ["1.png", "a/2.png", "a/nobody.png"])
        assert "Passed over: 1 folder of results, such as photos/masks; name it to read it." in out
        assert run("predict", "photos/masks", "-o", "again")[0] == 0
        assert _files("again") == ["1.png", "a/2.png", "a/nobody.png"]


class TestWhere:
    def test_one_file_without_o__has_its_result_beside_it(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        assert run("predict", "photos/1.jpg")[0] == 0
        assert run("predict", "photos/1.jpg", "--as", "blur")[0] == 0
        assert _files("photos") == ["1-blur.jpg", "1-mask.png", "1.jpg", "a/2.png", "a/nobody.png"]
        code, _, err = run("predict", "photos/1.jpg")
        assert code == 2
        assert err.startswith("humanseg: photos/1-mask.png: exists already; give another name")

    @pytest.mark.parametrize("flag", ["-o", "--output"])
    def test_output__is_where(self, run: Run, photos: Path, opened: list[Any], flag: str) -> None:
        assert run("predict", "photos/1.jpg", flag, "out2")[0] == 0
        assert _files("out2") == ["1.png"]

    def test_name_of_another_kind_of_file__is_refused(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        code, _, err = run("predict", "photos/1.jpg", "-o", "x.pdf")
        assert code == 2
        assert err.startswith("humanseg: x.pdf: a picture is written as .png, .jpg, .jpeg, .webp")
        assert run("predict", "photos/1.jpg", "-o", "x.pdf/")[0] == 0
        assert _files("x.pdf") == ["1.png"]

    def test_file_in_the_commands_place__is_told_the_command(self, run: Run, photos: Path) -> None:
        code, out, err = run("photos/1.jpg", "-o", "a b")
        assert (code, out) == (2, "")
        assert err == (
            "humanseg: photos/1.jpg: is no command; did you mean: humanseg predict photos/1.jpg "
            "-o 'a b'\n"
        )

    def test_address__is_answered_with_a_sentence(self, run: Run, photos: Path) -> None:
        code, _, err = run("predict", "https://example.org/1.jpg", "-o", "out")
        assert (code, err) == (
            2,
            "humanseg: https://example.org/1.jpg: is an address; download the image, and give its "
            "file.\n",
        )

    def test_model_that_is_not_there__is_bad_use(self, run: Run, photos: Path) -> None:
        code, _, err = run("predict", "photos", "-o", "out", "--model", "bundeld")
        assert (code, err.startswith("humanseg: bundeld: does not exist; give the folder")) == (
            2,
            True,
        )
        assert not Path("out").exists()

    @pytest.mark.parametrize(
        ("closing", "words", "sentence"),
        [
            ("<&-", "-", "standard input is closed; pipe an image into it, or give a file."),
            (">&-", "photos/1.jpg -o -", "standard output is closed; give -o FILE."),
        ],
    )
    @pytest.mark.command
    def test_closed_stream__is_a_sentence(
        self, photos: Path, closing: str, words: str, sentence: str
    ) -> None:
        command = f"{sys.executable} -m humanseg predict {words} {closing}"
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == f"humanseg: {sentence}\n"

    def test_same_remark_on_many_images__is_told_once(
        self, run: Run, photos: Path, opened: list[Any]
    ) -> None:
        for number in range(4):
            frames = [Image.new("L", (60, 45), level) for level in (0, 255)]
            frames[0].save(photos / f"moving-{number}.gif", save_all=True, append_images=frames[1:])
        _, _, err = run("predict", "photos", "-o", "out", "--workers", "1")
        remarks = [line for line in err.splitlines() if "animated" in line]
        assert len(remarks) == 1
        assert remarks[0].startswith("humanseg: note: 4 inputs, such as photos/moving-")


class TestVideos:
    @pytest.fixture
    def processed(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Path, dict[str, Any]]]:
        calls: list[tuple[Any, Path, dict[str, Any]]] = []

        def process_video(_: object, source: Any, target: Path, **options: Any) -> object:  # noqa: ANN401
            calls.append((source, target, options))
            options["progress"](1, 2)
            return SimpleNamespace(frames_with_people=1, coverage=0.5, notes=(), seconds=0.1)

        monkeypatch.setattr("humanseg.video.pipeline.process_video", process_video)
        return calls

    def test_beside_pictures(
        self, run: Run, photos: Path, opened: list[Any], processed: list[Any]
    ) -> None:
        (photos / "clip.MOV").touch()
        (photos / "old.avi").touch()
        code, out, _ = run("predict", "photos", "-o", "out", "--json")
        assert code == 0
        assert [call[1].as_posix() for call in processed] == ["out/clip.mov", "out/old.mp4"]
        assert all(call[2]["smoothing"] is not None for call in processed)
        assert len(_lines(out)) == 5

    def test_cutouts__are_webm(
        self, run: Run, photos: Path, opened: list[Any], processed: list[Any]
    ) -> None:
        (photos / "clip.mp4").touch()
        words = ("--as", "cutout", "--no-smoothing", "--format", "png")
        _, _, err = run("predict", "photos/clip.mp4", "-o", "out", *words)
        assert [call[1].as_posix() for call in processed] == ["out/clip.webm"]
        assert processed[0][2]["smoothing"] is None
        assert "--format has no effect on videos" in err

    def test_network__is_opened_once_for_all(
        self, run: Run, photos: Path, opened: list[Any], processed: list[Any]
    ) -> None:
        for name in ("a.mp4", "b.mov", "c.mkv"):
            (photos / name).touch()
        shutil.rmtree(photos / "a")
        (photos / "1.jpg").unlink()
        code, _, err = run("predict", "photos", "-o", "out", "--workers", "2")
        assert (code, len(processed), len(opened)) == (0, 3, 1)
        assert "note: --workers has no effect on videos; no input is a picture." in err

    def test_one_that_cannot_be_written__does_not_stop_the_others(
        self, run: Run, photos: Path, opened: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def process_video(_: object, source: Any, target: Path, **options: Any) -> object:  # noqa: ANN401
            if source.name == "a.mp4":
                raise HumansegError("out/a.mp4: could not be written (Generic error).")
            return SimpleNamespace(frames_with_people=1, coverage=0.5, notes=(), seconds=0.1)

        monkeypatch.setattr("humanseg.video.pipeline.process_video", process_video)
        for name in ("a.mp4", "b.mp4"):
            (photos / name).touch()
        code, out, err = run("predict", "photos", "-o", "out", "--json")
        states = {line["input"]: line["status"] for line in _lines(out)}
        assert (code, states["photos/a.mp4"], states["photos/b.mp4"]) == (1, "failed", "done")
        assert "humanseg: out/a.mp4: could not be written (Generic error).\n" in err
        assert "Traceback" not in err

    def test_name_that_cannot_hold_it__is_refused(
        self, run: Run, photos: Path, opened: list[Any], processed: list[Any]
    ) -> None:
        (photos / "clip.mp4").touch()
        words = ("predict", "photos/clip.mp4", "-o")
        assert "cannot hold a transparent video" in run(*words, "x.mp4", "--as", "cutout")[2]
        assert "x.png: a video is written as .mp4" in run(*words, "x.png")[2]
        assert processed == []
        assert run(*words, "x.mkv")[0] == 0
        assert processed[0][1] == Path("x.mkv")

    def test_camera(self, run: Run, photos: Path, opened: list[Any], processed: list[Any]) -> None:
        code, out, _ = run("predict", "--camera", "1", "-o", "x.mp4", "--as", "blur")
        assert code == 0
        assert out.startswith("Done: 1 input in ")
        assert processed[0][:2] == (1, Path("x.mp4"))
        processed[0][2]["faster"]()
        assert [call["model"] for call in opened] == [None, "fast"]
        run("predict", "--camera", "1", "-o", "x.mp4", "--model", "bundled")
        assert processed[1][2]["faster"] is None  # asked for by name


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "humanseg", "predict", *map(str, words)]


def _humanseg(*words: object, **options: Any) -> subprocess.CompletedProcess[bytes]:  # noqa: ANN401
    """The command as a user runs it, with the bundled model."""
    return subprocess.run(
        _command(*words), capture_output=True, timeout=240, check=False, **options
    )


_WATCHED = """
import os, sys
def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.client.")):
        os.write(2, f"NETWORK {event}\\n".encode())
        os._exit(9)
sys.addaudithook(refuse)
from humanseg.cli import main
code = main(["predict", *sys.argv[1:]])
if os.path.isdir("/proc/self/fd"):
    fds = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    assert not [one for one in fds if os.path.lexists(one) and "socket" in os.readlink(one)]
sys.exit(code)
"""


def _clip(path: Path) -> Path:
    """A video of three frames."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=10, width=64, height=48)
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.command
class TestProcess:
    def test_pipe__gives_what_a_file_gives(self, photos: Path) -> None:
        content = (photos / "1.jpg").read_bytes()
        piped = _humanseg("-", "--as", "cutout", input=content)
        assert piped.returncode == 0, piped.stderr
        filed = _humanseg("photos/1.jpg", "-o", "x.png", "--as", "cutout")
        assert filed.returncode == 0, filed.stderr
        assert piped.stdout == Path("x.png").read_bytes()
        assert _pixels("x.png").shape == (45, 60, 4)

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", b"humanseg: standard input holds nothing; pipe a picture into it.\n"),
            (b"no picture", b"humanseg: standard input: not a picture in a known format.\n"),
        ],
    )
    def test_bad_pipe__is_one_sentence(self, content: bytes, sentence: bytes) -> None:
        done = _humanseg("-", input=content)
        assert (done.returncode, done.stdout, done.stderr) == (1, b"", sentence)

    def test_endless_pipe__is_read_no_further_than_a_picture_may_be_large(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Endless(io.RawIOBase):
            given = 0

            def read(self, size: int = -1) -> bytes:
                assert size >= 0
                self.given += size
                return bytes(size)

        endless = Endless()
        monkeypatch.setattr("humanseg.images.MAX_BYTES", 5000)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=endless, isatty=lambda: False))
        code, out, err = run("predict", "-")
        assert (code, out, endless.given) == (1, "", 5001)
        assert err.startswith("humanseg: standard input: more than 0.0 GB, which is the most")

    @pytest.mark.parametrize("kind", ["picture", "video"])
    def test_opens_no_connection_and_leaves_no_file(self, photos: Path, kind: str) -> None:
        source = Path("photos/1.jpg") if kind == "picture" else _clip(Path("photos/clip.mp4"))
        homes = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR")
        for name in homes:
            Path(name).mkdir()
        # Some libraries keep quiet by themselves where CI is set.
        quieting = ("CI", "TF_BUILD", "JENKINS_URL", "ORT_DISABLE_TELEMETRY")
        kept = {key: value for key, value in os.environ.items() if key not in quieting}
        target = f"out{'.png' if kind == 'picture' else '.mp4'}"
        done = subprocess.run(
            [sys.executable, "-c", _WATCHED, str(source), "-o", target, "--quiet"],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            env=kept | {name: str(Path(name).absolute()) for name in homes},
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert [path for name in homes for path in Path(name).rglob("*")] == []
        assert Path(target).stat().st_size > 0

    def test_model_cut_short__is_one_sentence(self, photos: Path) -> None:
        shutil.copytree(bundled(), "model")
        for name in (ONNX_FILE, ONNX_INT8_FILE):
            if (Path("model") / name).exists():
                os.truncate(Path("model") / name, 100_000)
        done = _humanseg("photos", "-o", "out", "--model", "model")
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert b"humanseg: model/model" in done.stderr
        assert not Path("out").exists()

    @pytest.mark.skipif(os.name == "nt", reason="signals differ")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ctrl_c__keeps_what_is_finished_and_the_next_run_does_the_rest(
        self, photos: Path, number: signal.Signals
    ) -> None:
        for index in range(400):
            shutil.copy(photos / "1.jpg", photos / f"x{index}.jpg")
        process = subprocess.Popen(
            _command("photos", "-o", "out", "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 128 + number
        assert not [name for name in os.listdir("out") if name.endswith(".part")]  # noqa: PTH208
        assert "stopped with " in err
        assert "run the same command again for the rest." in err
        done = [line["output"] for line in _lines(first + out)]
        assert sorted(done) == [f"out/{name}" for name in _files("out")]
        for name in done:
            assert _pixels(name).shape == (45, 60)
        for path in photos.glob("x*.jpg"):
            if f"out/{path.stem}.png" not in done and path.stem != "x399":
                path.unlink()
        again = _humanseg("photos", "-o", "out", "--json")
        states = [line["status"] for line in _lines(again.stdout.decode())]
        assert again.returncode == 0
        assert states.count("skipped") == len(done)
        assert 0 < states.count("done") <= 4

    def test_reader_that_goes_away__ends_it_quietly(self, photos: Path) -> None:
        with subprocess.Popen(
            _command("photos", "-o", "out", "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.wait(240) == 1
            assert b"Traceback" not in process.stderr.read()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
    def test_full_standard_output__is_a_sentence(self, photos: Path) -> None:
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(
                _command("photos/1.jpg", "-o", "-"),
                stdout=full,
                stderr=subprocess.PIPE,
                timeout=240,
                check=False,
            )
        assert done.returncode == 1
        assert b"the disk is full" in done.stderr
        assert b"Traceback" not in done.stderr
