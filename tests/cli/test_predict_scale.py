"""`humanseg predict` over very many pictures: shards, killed processes, what is missing."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from humanseg.batch.discovery import RECORD_NAME, discover, output_jobs, pending
from humanseg.batch.made_record import MadeRecord
from humanseg.cli.network_flags import NetworkFlags
from humanseg.system.version import __version__

pytestmark = pytest.mark.command

Run = Callable[..., tuple[int, str, str]]
PICTURES = 90


def _command(*words: object) -> list[str]:
    return [sys.executable, "-m", "humanseg", "predict", *map(str, words)]


def _draw(folder: Path, count: int) -> None:
    """Small pictures, each another one, in sub-folders."""
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"{number % 4}" / f"{number:03}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        tile = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(tile).resize((64, 48)).save(path)


def _contents(folder: str) -> dict[str, bytes]:
    """All files, hidden ones too."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _outputs(lines: str, status: str) -> list[str]:
    """Results that lines of JSON tell of; the last line may be cut off."""
    records = [json.loads(line) for line in lines.splitlines(keepends=True) if line.endswith("\n")]
    return [Path(record["output"]).relative_to("out").as_posix()
            for record in records if record["status"] == status]  # fmt: skip


def _leave_result(name: str) -> None:
    """A result in `out`, and the record of a run with the usual settings."""
    path = Path("out") / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    settings = {"--as": "mask", "--format": "png", "--model": f"bundled (humanseg {__version__})"}
    MadeRecord(settings).write(Path("out"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Path("photos")


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_three_shards_at_once_and_one_killed__another_run_makes_the_rest_and_nothing_else(
    folder: Path,
) -> None:
    _draw(folder, PICTURES)
    shards = [("photos", "-o", "out", "--json", "--workers", "1", "--shard", f"{i}/3")
              for i in (1, 2, 3)]  # fmt: skip
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    _command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            )
            for words in shards
        ]
        victim = processes[0]
        assert victim.stdout is not None
        told = [victim.stdout.readline() for _ in range(3)]
        victim.kill()
        told += victim.stdout.readlines()
        others = [process.communicate(timeout=120) for process in processes[1:]]
    assert [process.returncode for process in processes] == [-signal.SIGKILL, 0, 0]
    made = [_outputs("".join(told), "done"), *(_outputs(out, "done") for out, _ in others)]
    before = _contents("out")
    whole = {name for name in before if not Path(name).name.startswith(".")}
    assert sum(map(len, made)) == len(set().union(*made))  # no result twice
    assert set().union(*made) <= whole
    assert len(whole) - sum(map(len, made)) <= 2  # written, and killed before telling
    assert 0 < len(whole) < PICTURES

    missing = subprocess.run(
        _command("photos", "-o", "out", "--dry-run"), capture_output=True, text=True, check=True
    )
    assert len(missing.stdout.splitlines()) == PICTURES - len(whole)
    assert _contents("out") == before

    rest = subprocess.run(
        _command("photos", "-o", "out", "--json"), capture_output=True, text=True, check=True
    )
    assert set(_outputs(rest.stdout, "skipped")) == whole
    finished = _outputs(rest.stdout, "done")
    assert len(finished) == len(set(finished)) == PICTURES - len(whole)
    assert set(finished).isdisjoint(whole)

    subprocess.run(_command("photos", "-o", "single", "--quiet"), check=True, timeout=120)
    together = _contents("out")
    leftovers = {name for name in together if Path(name).name.endswith(".part")}
    assert len(leftovers) <= 1  # of the one that was killed, which had one worker
    assert {name: together[name] for name in together.keys() - leftovers} == _contents("single")


class TestLeftovers:
    def test_old_ones_go_and_young_ones_stay(self, folder: Path, run: Run) -> None:
        _draw(folder, 4)
        old = Path("out/0/.humanseg-0123456789abcdef.part")
        young = Path("out/0/.humanseg-fedcba9876543210.part")
        for path, age in ((old, 90_000), (young, 60)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"half")
            os.utime(path, (time.time() - age, time.time() - age))
        assert run("predict", "photos", "-o", "out", "--dry-run", "--quiet")[0] == 0
        assert old.exists()
        assert run("predict", "photos", "-o", "out", "--quiet")[0] == 0
        assert not old.exists()
        assert young.exists()
        again = run("predict", "photos", "-o", "out")
        assert again[:2] == (
            0,
            "Left alone: 4 results that existed; --overwrite makes them again.\n",
        )


class TestDryRun:
    @pytest.fixture(autouse=True)
    def _without_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("the network was opened")

        monkeypatch.setattr(NetworkFlags, "open", refuse)

    def test_names_what_is_missing_and_makes_nothing(self, folder: Path, run: Run) -> None:
        _draw(folder, 4)
        _leave_result("1/001.png")
        code, out, err = run("predict", "photos", "-o", "out", "--dry-run")
        assert code == 0
        assert out.splitlines() == ["photos/0/000.jpg", "photos/2/002.jpg", "photos/3/003.jpg"]
        assert "Left alone: 1 result that existed" in err
        assert err.endswith("Still to be done: 3 inputs.\n")
        assert sorted(_contents("out")) == [RECORD_NAME, "1/001.png"]

    def test_json__and_shards(self, folder: Path, run: Run) -> None:
        _draw(folder, 12)
        _leave_result("1/001.png")
        states: dict[str, str] = {}
        for shard in ("1/2", "2/2"):
            _, out, _ = run(
                "predict", "photos", "-o", "out", "--dry-run", "--json", "--shard", shard
            )
            lines = [json.loads(line) for line in out.splitlines()]
            assert not states.keys() & {line["output"] for line in lines}
            states |= {line["output"]: line["status"] for line in lines}
        assert len(states) == 12
        assert [name for name, state in states.items() if state == "skipped"] == ["out/1/001.png"]
        assert sorted(set(states.values())) == ["missing", "skipped"]

    def test_everything_done(self, folder: Path, run: Run) -> None:
        _draw(folder, 1)
        _leave_result("0/000.png")
        code, out, err = run("predict", "photos", "-o", "out", "--dry-run")
        assert (code, out) == (0, "")
        assert err.endswith("Still to be done: 0 inputs.\n")

    def test_named_file(self, folder: Path, run: Run) -> None:
        _draw(folder, 1)
        code, out, _ = run("predict", "photos/0/000.jpg", "-o", "new/x.png", "--dry-run")
        assert (code, out) == (0, "photos/0/000.jpg\n")
        assert not Path("new").exists()


class TestErrors:
    def test_bad_pictures__are_told_before_the_end(self, folder: Path) -> None:
        """Whatever ends a process of hours, its log says which pictures it could not read."""
        _draw(folder, 200)
        (folder / "0" / "000.jpg").write_bytes(b"damaged")
        with subprocess.Popen(
            _command("photos", "-o", "out", "--workers", "1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("humanseg: photos/0/000.jpg: ")
            assert process.poll() is None
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="no pseudo-terminals")
def test_json_beside_a_bar__goes_to_standard_output(folder: Path) -> None:
    import pty

    _draw(folder, 3)
    leader, follower = pty.openpty()
    shown = io.BytesIO()
    with subprocess.Popen(
        _command("photos", "-o", "out", "--json"),
        stdout=subprocess.PIPE,
        stderr=follower,
        env=os.environ | {"TERM": "xterm"},
    ) as process:
        out, _ = process.communicate(timeout=60)
    os.close(follower)
    while chunk := _read(leader):
        shown.write(chunk)
    os.close(leader)
    assert len([json.loads(line) for line in out.splitlines()]) == 3
    assert b"Predicting" in shown.getvalue()
    assert b"coverage" not in shown.getvalue()


def _read(terminal: int) -> bytes:
    """What a terminal still holds; nothing once the other side is closed."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_listing__grows_in_a_straight_line(tmp_path: Path) -> None:
    """Ten times as many files must not take much more than ten times as long."""

    def seconds(count: int) -> float:
        root = tmp_path / f"{count}"
        for number in range(count):
            path = root / f"{number // 500}" / f"{number:06}.jpg"
            if number % 500 == 0:
                path.parent.mkdir(parents=True)
            path.touch()
        best = float("inf")
        for _ in range(3):
            began = time.perf_counter()
            discovery = discover([str(root)], output=tmp_path / "out")
            jobs = output_jobs(
                discovery.items,
                output=tmp_path / "out",
                suffix_of=lambda _: ".png",
                keep_suffix=False,
            )
            assert len(pending(jobs, output=tmp_path / "out", shard=(1, 2)).jobs) < count
            best = min(best, time.perf_counter() - began)
        shutil.rmtree(root)
        return best

    assert seconds(10_000) < 30 * seconds(1_000) + 0.5


@pytest.fixture(scope="module")
def batches() -> ModuleType:
    """`examples/predict_batches.py`."""
    path = Path(__file__).parents[2] / "examples" / "predict_batches.py"
    spec = importlib.util.spec_from_file_location("predict_batches", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Frame(dict[str, object]):
    """What a pandas data frame is used for: made of columns, and gives them."""


class TestBatches:
    @pytest.fixture
    def pictures(self, folder: Path, run: Run) -> list[tuple[str, bytes]]:
        _draw(folder, 6)
        (folder / "2" / "002.jpg").write_bytes(b"damaged")
        run("predict", "photos", "-o", "out", "--quiet")
        return [(str(path), path.read_bytes()) for path in sorted(folder.rglob("*.jpg"))]

    def test_ray__gives_the_masks_of_the_command(
        self, batches: ModuleType, pictures: list[tuple[str, bytes]]
    ) -> None:
        paths, contents = zip(*pictures, strict=True)
        columns = batches.PredictBatch()({"path": np.array(paths), "bytes": list(contents)})
        assert list(columns) == ["path", "mask", "coverage", "error"]
        assert list(columns["path"]) == list(paths)
        rows = zip(paths, columns["mask"], columns["coverage"], columns["error"], strict=True)
        for path, mask, coverage, error in rows:
            result = (Path("out") / Path(path).relative_to("photos")).with_suffix(".png")
            if path == "photos/2/002.jpg":
                assert (mask, np.isnan(coverage)) == (None, True)
                assert error == "picture: not a picture in a known format."
                continue
            assert mask == result.read_bytes()
            with Image.open(result) as image:
                assert coverage == pytest.approx(np.mean(np.asarray(image) > 0))
            assert error is None

    def test_spark__gives_a_frame_for_each(
        self, batches: ModuleType, pictures: list[tuple[str, bytes]]
    ) -> None:
        frames = [
            Frame(path=[path for path, _ in part], content=[content for _, content in part])
            for part in (pictures[:4], pictures[4:], [])
        ]
        made = list(batches.predict_frames(iter(frames)))
        assert [type(frame) for frame in made] == [Frame] * 3
        assert [list(frame["path"]) for frame in made] == [frame["path"] for frame in frames]
        names = [column.split()[0] for column in batches.SPARK_SCHEMA.split(", ")]
        assert all(list(frame) == names for frame in made)
        masks = [mask for frame in made for mask in frame["mask"]]
        assert sorted(mask for mask in masks if mask) == sorted(
            content for name, content in _contents("out").items() if name.endswith(".png")
        )

    def test_spark__loads_one_network_for_many_partitions(
        self, batches: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded: list[object] = []
        monkeypatch.setattr(batches, "Segmenter", lambda *words, **_: loaded.append(words))
        batches._kept.cache_clear()
        for _ in range(3):
            list(batches.predict_frames([Frame(path=[], content=[])], model="other"))
        assert len(loaded) == 1
