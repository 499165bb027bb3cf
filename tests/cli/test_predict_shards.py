"""`humanseg predict` with lists and tar files."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.builders.segmenters import BrightIsPerson

from humanseg.cli.network_flags import NetworkFlags

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(NetworkFlags, "open", lambda self, *, threads=None: BrightIsPerson())
    Path("photos/a").mkdir(parents=True)
    for name, level in (("1", 255), ("a/2", 200), ("a/3", 0)):
        image = Image.new("RGB", (60, 45))
        image.paste((level, level, level), (20, 10, 50, 40))
        image.save(f"photos/{name}.png")


def _tar(path: str, contents: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def _contents(path: str) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar]
        return {name: stream.read() for name, stream in members if stream is not None}


def _photos() -> dict[str, bytes]:
    return {name: Path("photos", name).read_bytes() for name in ("1.png", "a/2.png", "a/3.png")}


def _masks(run: Run) -> dict[str, bytes]:
    """The same results as files."""
    assert run("predict", "photos", "-o", "masks", "--quiet")[0] == 0
    return {name: Path("masks", name).read_bytes() for name in ("1.png", "a/2.png", "a/3.png")}


def test_list__is_predicted_like_its_files(run: Run) -> None:
    Path("list.txt").write_text("photos/1.png\nphotos/a/3.png\n")
    assert run("predict", "@list.txt", "-o", "out", "--quiet")[0] == 0
    masks = _masks(run)
    assert Path("out/photos/1.png").read_bytes() == masks["1.png"]
    assert Path("out/photos/a/3.png").read_bytes() == masks["a/3.png"]
    assert not Path("out/photos/a/2.png").exists()


class TestIntoTar:
    def test_holds_the_bytes_of_the_files(self, run: Run) -> None:
        assert run("predict", "photos", "-o", "masks.tar", "--quiet")[0] == 0
        assert _contents("masks.tar") == _masks(run)

    def test_is_left_alone_when_it_is_there(self, run: Run) -> None:
        run("predict", "photos", "-o", "masks.tar", "--quiet")
        first = Path("masks.tar").read_bytes()
        code, out, _ = run("predict", "photos", "-o", "masks.tar")
        assert (code, Path("masks.tar").read_bytes()) == (0, first)
        assert "Left alone: masks.tar, which exists; --overwrite makes it again." in out
        assert run("predict", "photos", "-o", "masks.tar", "--overwrite", "--quiet")[0] == 0
        assert Path("masks.tar").read_bytes() == first  # the same bytes again

    def test_of_other_or_unknown_settings_is_refused(self, run: Run) -> None:
        run("predict", "photos", "-o", "masks.tar", "--quiet")
        code, out, err = run("predict", "photos", "-o", "masks.tar", "--as", "cutout")
        assert (code, out) == (2, "")
        assert err == (
            "humanseg: masks.tar: its results were made with --as mask, and these would be with "
            "--as cutout; give another name with -o, or --overwrite to replace it.\n"
        )
        _tar("masks.tar", _photos())
        code, _, err = run("predict", "photos", "-o", "masks.tar")
        assert (code, "masks.tar: exists, and how it was made is not known; give" in err) == (
            2,
            True,
        )

    def test_shards_have_files_of_their_own(self, run: Run) -> None:
        for index in (1, 2):
            run("predict", "photos", "-o", "masks.tar", "--shard", f"{index}/2", "--quiet")
        parts = [_contents(f"masks-{index}-of-2.tar") for index in (1, 2)]
        assert parts[0].keys().isdisjoint(parts[1])
        assert parts[0] | parts[1] == _masks(run)

    def test_what_cannot_be_read_is_told_and_left_out(self, run: Run) -> None:
        Path("photos/broken.png").write_bytes(b"no picture")
        code, _, err = run("predict", "photos", "-o", "masks.tar", "--quiet")
        assert code == 1
        assert "photos/broken.png: " in err
        assert _contents("masks.tar").keys() == {"1.png", "a/2.png", "a/3.png"}

    def test_stopped__leaves_nothing(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("humanseg.cli.predict_report.Report.tell", stop)
        assert run("predict", "photos", "-o", "masks.tar")[0] == 130
        assert sorted(path.name for path in Path().iterdir()) == ["photos"]


class TestFromTar:
    def test_pictures_come_out_in_order_with_their_names(self, run: Run) -> None:
        _tar("shard.tar", {**_photos(), "notes.json": b"{}"})
        code, out, _ = run("predict", "shard.tar", "-o", "masks.tar", "--json")
        assert code == 0
        assert list(_contents("masks.tar").items()) == list(_masks(run).items())
        lines = [json.loads(line) for line in out.splitlines()]
        assert [(line["input"], line["output"]) for line in lines] == [
            ("shard.tar/1.png", "masks.tar/1.png"),
            ("shard.tar/a/2.png", "masks.tar/a/2.png"),
            ("shard.tar/a/3.png", "masks.tar/a/3.png"),
        ]

    def test_several_go_into_a_folder_and_are_taken_up_again(self, run: Run) -> None:
        _tar("one.tar", {"1.png": _photos()["1.png"]})
        _tar("two.tar", {"2.png": _photos()["a/2.png"]})
        assert run("predict", "one.tar", "two.tar", "-o", "out", "--quiet")[0] == 0
        Path("out/two.tar").unlink()
        before = Path("out/one.tar").stat().st_mtime_ns
        code, out, _ = run("predict", "*.tar", "-o", "out")
        assert code == 0
        assert "Left alone: 1 result" in out
        assert Path("out/one.tar").stat().st_mtime_ns == before
        assert _contents("out/two.tar")["2.png"] == _masks(run)["a/2.png"]
        other = run("predict", "*.tar", "-o", "out", "--as", "cutout")
        assert other[0] == 2
        assert "its results were made with --as mask" in other[2]

    def test_a_damaged_one_does_not_stop_the_others(self, run: Run) -> None:
        Path("bad.tar").write_bytes(b"no tar")
        _tar("good.tar", {"1.png": _photos()["1.png"]})
        code, _, err = run("predict", "bad.tar", "good.tar", "-o", "out", "--quiet")
        assert code == 1
        assert "bad.tar: is no tar file, or damaged" in err
        assert [path.name for path in Path("out").glob("*.tar")] == ["good.tar"]

    def test_of_other_settings_is_refused(self, run: Run) -> None:
        _tar("shard.tar", _photos())
        assert run("predict", "shard.tar", "-o", "masks.tar", "--quiet")[0] == 0
        assert run("predict", "shard.tar", "-o", "masks.tar", "--quiet")[0] == 0
        code, _, err = run("predict", "shard.tar", "-o", "masks.tar", "--threshold", "0.7")
        assert (code, "made with no --threshold, and these" in err) == (2, True)

    def test_folder_of_such_a_name_is_a_folder(self, run: Run) -> None:
        Path("photos").rename("photos.tar")
        assert run("predict", "photos.tar", "-o", "out", "--quiet")[0] == 0
        assert sorted(path.name for path in Path("out").rglob("*.png")) == [
            "1.png",
            "2.png",
            "3.png",
        ]

    def test_one_that_may_not_be_read_does_not_stop_the_others(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("closed.tar", "good.tar"):
            _tar(name, {"1.png": _photos()["1.png"]})
        opened = Path.open

        def guarded(path: Path, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            if path.name == "closed.tar":
                raise PermissionError(13, "Permission denied")
            return opened(path, *arguments, **named)

        monkeypatch.setattr(Path, "open", guarded)
        code, _, err = run("predict", "closed.tar", "good.tar", "-o", "out", "--quiet")
        assert (code, err) == (1, "humanseg: closed.tar: may not be read (permission denied).\n")
        assert Path("out/good.tar").exists()

    def test_hidden_members_are_passed_over(self, run: Run) -> None:
        content = _photos()["1.png"]
        _tar("shard.tar", {"._1.png": b"attributes", "./a/1.png": content, ".x/2.png": content})
        assert run("predict", "shard.tar", "-o", "masks.tar", "--quiet")[0] == 0
        assert list(_contents("masks.tar")) == ["a/1.png"]

    def test_too_large_a_member_is_told(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        content = _photos()["1.png"]
        _tar("shard.tar", {"large.png": content + bytes(20_000), "1.png": content})
        monkeypatch.setattr("humanseg.batch.tar_shards.MAX_BYTES", 20_000)
        code, _, err = run("predict", "shard.tar", "-o", "masks.tar", "--quiet")
        assert code == 1
        assert err == (
            "humanseg: shard.tar/large.png: 0.0 GB; pictures of at most 0.0 GB are read.\n"
        )
        assert list(_contents("masks.tar")) == ["1.png"]

    def test_names_that_lead_elsewhere_stay_inside(self, run: Run) -> None:
        _tar("shard.tar", {"/etc/1.png": _photos()["1.png"], "../2.png": _photos()["1.png"]})
        run("predict", "shard.tar", "-o", "masks.tar", "--quiet")
        assert list(_contents("masks.tar")) == ["etc/1.png", "2.png"]

    def test_two_of_one_name_are_told(self, run: Run) -> None:
        content = _photos()["1.png"]
        _tar("shard.tar", {"1.png": content, "1.jpg": content})
        code, _, err = run("predict", "shard.tar", "-o", "masks.tar", "--quiet")
        assert code == 1
        assert "shard.tar/1.jpg: another picture gives 1.png too." in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("photos -o masks.tgz", "masks.tgz: results are written uncompressed; name it .tar."),
        ("x.tar photos -o out", "photos: is no tar file; give tar files alone, or none."),
        ("nowhere.tar -o out", "nowhere.tar: does not exist; give tar files, or a pattern"),
        ("x.tar y.tar -o z.tar", "z.tar: names a file; several tar files need a folder"),
        ("x.tar", "-o is missing; give a tar file or a folder with -o OUT."),
        ("x.tar -o x.tar --overwrite", "x.tar: is an input; inputs are never written over."),
        ("photos -o m.tar --dry-run", "--dry-run has no effect on tar files; leave it out."),
        ("@nowhere.txt -o out", "@nowhere.txt: cannot be read as a list of files"),
    ],
)
def test_bad_use(run: Run, words: str, sentence: str) -> None:
    _tar("x.tar", {})
    _tar("y.tar", {})
    code, _, err = run("predict", *words.split())
    assert code == 2
    assert sentence in err
