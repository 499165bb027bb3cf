from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePath

import pytest

from humanseg import images
from humanseg.batch.discovery import (
    Discovery,
    Item,
    Job,
    discover,
    output_jobs,
    pending,
    refuse_collisions,
)
from humanseg.system.errors import UsageError

VIDEOS = frozenset({".mp4"})


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to name things relative to, as people do."""
    monkeypatch.chdir(tmp_path)
    for name in ("1.jpg", "B.PNG", "a/1.jpg", "a/deep/2.webp", "clip.MP4", "notes.txt"):
        _touch(tmp_path / "photos" / name)
    return Path("photos")


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")


def _find(*words: str, output: str = "out") -> Discovery:
    return discover(words, output=Path(output), video_suffixes=VIDEOS)


def _names(discovery: Discovery) -> list[str]:
    return [item.name.as_posix() for item in discovery.items]


def _jobs(discovery: Discovery, *, output: str = "out", keep_suffix: bool = False) -> list[Job]:
    return output_jobs(
        discovery.items, output=Path(output), suffix_of=lambda _: ".png", keep_suffix=keep_suffix
    )


class TestFind:
    def test_folder__gives_pictures_and_videos_of_all_sub_folders_in_order(
        self, photos: Path
    ) -> None:
        discovery = _find("photos")
        assert _names(discovery) == ["1.jpg", "B.PNG", "a/1.jpg", "a/deep/2.webp", "clip.MP4"]
        assert [item.video for item in discovery.items] == [False] * 4 + [True]
        assert (discovery.others, discovery.problems, discovery.single) == (1, [], False)
        assert discovery.items[2].path == photos / "a" / "1.jpg"

    def test_folder__hidden_files_and_folders_are_passed_over(self, photos: Path) -> None:
        _touch(photos / ".thumb.jpg")
        _touch(photos / ".cache" / "3.jpg")
        parts = [part for item in _find("photos").items for part in item.name.parts]
        assert len(parts) == 8
        assert not [part for part in parts if part.startswith(".")]

    def test_file__is_taken_whatever_its_suffix(self, photos: Path) -> None:
        discovery = _find("photos/notes.txt")
        assert _names(discovery) == ["notes.txt"]
        assert discovery.single

    def test_file__hidden_is_taken_when_named(self, photos: Path) -> None:
        _touch(photos / ".thumb.jpg")
        assert _names(_find("photos/.thumb.jpg")) == [".thumb.jpg"]

    def test_same_file_twice__is_done_once_under_its_first_name(self, photos: Path) -> None:
        discovery = _find("photos/a", "photos", "./photos/a/1.jpg")
        assert _names(discovery) == ["1.jpg", "deep/2.webp", "1.jpg", "B.PNG", "clip.MP4"]
        assert not discovery.single

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("photos/*.jpg", ["1.jpg"]),
            ("photos/*", ["1.jpg", "B.PNG", "clip.MP4"]),
            ("photos/*/*.jpg", ["a/1.jpg"]),
            ("photos/**/*.jpg", ["1.jpg", "a/1.jpg"]),
            ("photos/**", ["1.jpg", "B.PNG", "a/1.jpg", "a/deep/2.webp", "clip.MP4"]),
            ("photos/[a-b]/**/?.webp", ["a/deep/2.webp"]),
            ("*/B.*", ["photos/B.PNG"]),
        ],
    )
    def test_pattern__is_taken_below_its_fixed_part(
        self, photos: Path, pattern: str, names: list[str]
    ) -> None:
        assert _names(_find(pattern)) == names

    def test_name_with_brackets__is_a_file_before_it_is_a_pattern(self, photos: Path) -> None:
        _touch(photos / "1[2].jpg")
        assert _names(_find("photos/1[2].jpg")) == ["1[2].jpg"]

    @pytest.mark.parametrize(
        ("word", "sentence"),
        [
            ("nowhere", "nowhere: does not exist; give files, folders, patterns or -."),
            ("photos/x*.jpg", r"photos/x\*.jpg: matches no picture; put the pattern in quotes"),
            ("nowhere/*.jpg", r"nowhere/\*.jpg: matches no picture"),
            ("empty", "empty: holds no picture or video; give a folder that does."),
            ("photos/1.jpg/2.jpg", "photos/1.jpg/2.jpg: does not exist"),
            ("a" * 300, "aaa: cannot be read"),
        ],
    )
    def test_nothing_there__is_refused(self, photos: Path, word: str, sentence: str) -> None:
        Path("empty").mkdir()
        with pytest.raises(UsageError, match=sentence):
            _find(word)

    def test_pipe__is_refused_instead_of_waited_for(self, photos: Path) -> None:
        os.mkfifo(photos / "pipe.jpg")
        with pytest.raises(UsageError, match=r"pipe.jpg: is neither a file nor a folder; pipe"):
            _find("photos/pipe.jpg")
        assert "pipe.jpg" not in _names(_find("photos"))


class TestSuffixes:
    def test_pictures__are_those_that_can_be_read(self, photos: Path) -> None:
        shutil.rmtree(photos)
        for suffix in images.SUFFIXES:
            _touch(photos / f"x{suffix}")
        _touch(photos / "x.tga")
        discovery = _find("photos")
        assert {item.path.suffix for item in discovery.items} == images.SUFFIXES
        assert discovery.others == 1

    @pytest.mark.parametrize("suffix", [".ts", ".mts"])
    @pytest.mark.parametrize(
        ("head", "video"),
        [
            (b"", False),
            (b"import { Segmenter } from './segmenter'\n" * 40, False),
            (b"G" + bytes(187), False),
            ((b"G" + bytes(187)) * 4, True),
            ((bytes(4) + b"G" + bytes(187)) * 4, True),
            (bytes(50) + (b"G" + bytes(203)) * 4, True),
        ],
        ids=["empty", "code", "one packet", "plain", "times", "in the middle of a packet"],
    )
    def test_transport_streams__are_told_from_code_by_their_content(
        self, photos: Path, suffix: str, head: bytes, video: bool
    ) -> None:
        (photos / f"x{suffix}").write_bytes(head)
        discovery = discover(["photos"], output=Path("out"), video_suffixes=frozenset({suffix}))
        assert (f"x{suffix}" in _names(discovery)) == video
        named = discover(
            [f"photos/x{suffix}"], output=Path("out"), video_suffixes=frozenset({suffix})
        )
        assert [item.video for item in named.items] == [True]


class TestFindLinks:
    def test_loops__end(self, photos: Path) -> None:
        before = _names(_find("photos"))
        (photos / "self").symlink_to(photos.absolute())
        (photos / "a" / "up").symlink_to(photos.absolute())
        (photos / "a" / "other").symlink_to((photos / "a" / "deep").absolute())
        assert _names(_find("photos")) == before
        assert _names(_find("photos/**/*.webp")) == ["a/deep/2.webp"]

    def test_linked_folder__other_shards_is_read(self, photos: Path, tmp_path: Path) -> None:
        _touch(tmp_path / "other_shards" / "9.jpg")
        (photos / "0").symlink_to(tmp_path / "other_shards")
        assert _names(_find("photos"))[0] == "0/9.jpg"

    def test_folder_linked_beside_itself__keeps_its_own_name(self, photos: Path) -> None:
        (photos / "0").symlink_to((photos / "a").absolute())
        assert "a/1.jpg" in _names(_find("photos"))
        assert "0/1.jpg" not in _names(_find("photos"))

    def test_link_to_itself__neither_hides_other_files_nor_counts_as_a_folder(
        self, photos: Path
    ) -> None:
        (photos / "0").symlink_to("0")
        (photos / "0.jpg").symlink_to("0.jpg")
        discovery = _find("photos")
        assert discovery.problems == []
        assert _names(discovery) == [
            "0.jpg", "1.jpg", "B.PNG", "a/1.jpg", "a/deep/2.webp", "clip.MP4"
        ]  # fmt: skip

    def test_broken_link__is_a_picture_that_will_fail(self, photos: Path) -> None:
        (photos / "gone.jpg").symlink_to("nowhere.jpg")
        assert "gone.jpg" in _names(_find("photos"))


class TestOutputBesideInput:
    def test_output_inside_the_input__is_not_read(self, photos: Path) -> None:
        _touch(photos / "masks" / "1.png")
        assert "masks/1.png" in _names(_find("photos"))
        assert "masks/1.png" not in _names(_find("photos", output="photos/masks"))
        assert "masks/1.png" not in _names(_find("photos/**", output="photos/masks"))

    @pytest.mark.parametrize("word", ["photos", "photos/*.jpg"])
    def test_output_is_the_input__is_refused(self, photos: Path, word: str) -> None:
        with pytest.raises(UsageError, match="photos: is both input and output; results would"):
            _find(word, output="photos/../photos")


class TestUnreadableFolder:
    def test_is_reported_and_the_rest_is_done(
        self, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scan = os.scandir

        def guarded(path: Path) -> object:
            if Path(path).name == "deep":
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", guarded)
        discovery = _find("photos")
        assert _names(discovery) == ["1.jpg", "B.PNG", "a/1.jpg", "clip.MP4"]
        assert discovery.problems == ["photos/a/deep: cannot be read (permission denied)."]


class TestMirrored:
    def test_names_and_sub_folders_are_kept(self, photos: Path) -> None:
        assert [job.target.as_posix() for job in _jobs(_find("photos"))] == [
            "out/1.png",
            "out/B.png",
            "out/a/1.png",
            "out/a/deep/2.png",
            "out/clip.png",
        ]

    def test_keep_suffix__keeps_the_whole_name(self, photos: Path) -> None:
        jobs = _jobs(_find("photos/a"), keep_suffix=True)
        assert [job.target.name for job in jobs] == ["1.jpg.png", "2.webp.png"]

    def test_dots_in_names__stay(self) -> None:
        discovery = Discovery([Item(Path("x/a.b.jpg"), PurePath("a.b.jpg"))])
        assert _jobs(discovery)[0].target == Path("out/a.b.png")


class TestRefuseCollisions:
    def test_one_output_name__names_both_inputs_and_the_way_out(self, photos: Path) -> None:
        _touch(photos / "a" / "1.png")
        with pytest.raises(UsageError) as caught:
            refuse_collisions(_jobs(_find("photos")))
        assert str(caught.value) == (
            "photos/a/1.jpg and photos/a/1.png would both become out/a/1.png; add --keep-suffix "
            "if they differ in suffix only, or predict them into different folders."
        )
        refuse_collisions(_jobs(_find("photos"), keep_suffix=True))

    def test_two_folders__with_the_same_names(self, photos: Path) -> None:
        _touch(Path("more/1.jpg"))
        _touch(Path("more/a/1.jpg"))
        with pytest.raises(
            UsageError, match=r"photos/1.jpg and more/1.jpg would .* \(1 more such pairs\)"
        ):
            refuse_collisions(_jobs(_find("photos", "more")))

    @pytest.mark.parametrize("output", ["photos", "photos/../photos", "linked"])
    def test_output_onto_an_input__is_refused(self, photos: Path, output: str) -> None:
        Path("linked").symlink_to(photos.absolute())
        _touch(photos / "x.png")
        jobs = [
            Job(photos / "1.jpg", Path(output) / "1.png"),
            Job(photos / "x.png", Path(output) / "x.png"),
        ]
        with pytest.raises(UsageError, match=r"x\.png: is an input; inputs are never written over"):
            refuse_collisions(jobs)

    def test_output_onto_another_file_that_is_read__is_refused(self, photos: Path) -> None:
        _touch(Path("out/1.png"))
        jobs = [Job(photos / "1.jpg", Path("out/1.png"))]
        refuse_collisions(jobs, inputs=[Path("ground.png")])
        with pytest.raises(UsageError, match=r"out/1\.png: is an input"):
            refuse_collisions(jobs, inputs=[Path("out/../out/1.png")])


class TestPlan:
    def test_existing_outputs__are_left_out_unless_overwritten(self, photos: Path) -> None:
        jobs = _jobs(_find("photos/a"))
        _touch(Path("out/1.png"))
        chosen = pending(jobs, output=Path("out"))
        assert [job.target.name for job in chosen.jobs] == ["2.png"]
        assert [job.target.name for job in chosen.existing] == ["1.png"]
        assert len(pending(jobs, output=Path("out"), overwrite=True).jobs) == 2

    def test_empty_output__is_done_again(self, photos: Path) -> None:
        Path("out").mkdir()
        Path("out/1.png").touch()
        assert len(pending(_jobs(_find("photos/a")), output=Path("out")).jobs) == 2

    def test_shards__share_nothing_and_miss_nothing(self) -> None:
        jobs = [Job(Path(f"{n}.jpg"), Path(f"out/{n % 7}/{n}.png")) for n in range(1000)]
        shards = [pending(jobs, output=Path("out"), shard=(i, 4)) for i in range(1, 5)]
        taken = [job for shard in shards for job in shard.jobs]
        assert len(taken) == 1000
        assert set(taken) == set(jobs)
        assert all(len(shard.jobs) > 200 for shard in shards)
        assert [shard.other_shards for shard in shards] == [1000 - len(s.jobs) for s in shards]

    def test_shard__does_not_depend_on_place_or_company(self) -> None:
        here = [Job(Path(f"{n}.jpg"), Path(f"/here/{n}.png")) for n in range(100)]
        there = [Job(Path(f"{n}.jpg"), Path(f"/far/there/{n}.png")) for n in range(50, 200)]
        mine = {job.target.name for job in pending(here, output=Path("/here"), shard=(2, 3)).jobs}
        theirs = {
            j.target.name for j in pending(there, output=Path("/far/there"), shard=(2, 3)).jobs
        }
        common = {f"{n}.png" for n in range(50, 100)}
        assert mine & common == theirs & common

    def test_shard__does_not_depend_on_what_is_done(self, photos: Path) -> None:
        jobs = [Job(Path(f"{n}.jpg"), Path(f"out/{n}.png")) for n in range(60)]
        before = [pending(jobs, output=Path("out"), shard=(i, 3)) for i in (1, 2, 3)]
        for job in jobs[::2]:
            _touch(job.target)
        after = [pending(jobs, output=Path("out"), shard=(i, 3)) for i in (1, 2, 3)]
        for one, other in zip(before, after, strict=True):
            assert set(one.jobs) == {*other.jobs, *other.existing}
            assert set(other.existing) == set(one.jobs) & set(jobs[::2])

    @pytest.mark.parametrize("count", [2, 7, 32])
    def test_shards__are_about_equally_large(self, count: int) -> None:
        jobs = [Job(Path("x"), Path(f"out/{n // 1000:03}/IMG_{n:06}.png")) for n in range(5_000)]
        sizes = [
            len(pending(jobs, output=Path("out"), shard=(i + 1, count)).jobs) for i in range(count)
        ]
        mean = 5_000 / count
        assert sum(sizes) == 5_000
        assert max(abs(size - mean) for size in sizes) < 5 * mean**0.5


class TestManyFiles:
    """Work that grows with the number of files in a straight line, and with nothing else."""

    def test_first_run__asks_for_no_result_and_a_later_one_for_each_at_most_twice(
        self, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(300):
            _touch(photos / f"{number % 3}" / f"{number}.jpg")
        asked: list[str] = []
        stat = Path.stat

        def counted(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
            asked.append(str(self))
            return stat(self, follow_symlinks=follow_symlinks)

        def planned() -> int:
            asked.clear()
            jobs = _jobs(_find("photos"))
            refuse_collisions(jobs)
            return len(pending(jobs, output=Path("out")).existing)

        monkeypatch.setattr(Path, "stat", counted)
        assert planned() == 0
        assert len(asked) < 20  # folders
        for job in _jobs(_find("photos")):
            _touch(job.target)
        assert planned() == 305
        results = [name for name in asked if name.startswith("out/")]
        assert len(results) <= 2 * 305
        assert len(asked) <= 4 * 305 + 20

    def test_folder_that_may_not_be_listed__is_asked_for_each_result(
        self, photos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs = _jobs(_find("photos/a"))
        _touch(Path("out/1.png"))

        def closed(path: Path) -> object:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(os, "scandir", closed)
        assert [job.target.name for job in pending(jobs, output=Path("out")).existing] == ["1.png"]
