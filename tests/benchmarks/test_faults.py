"""The short form of `python -m benchmarks.faults`, and that its parts notice what is wrong."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.faults.damage import Reader, damage
from benchmarks.faults.kills import kill_work
from benchmarks.faults.mutations import MUTATIONS, mutants
from benchmarks.faults.readers import readers
from benchmarks.faults.servers import kill_servers
from benchmarks.faults.surroundings import fill_disks
from benchmarks.faults.warm import Ended, Stop, run
from benchmarks.faults.works import Material, draw_material, train_once, works
from benchmarks.tables import newest

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    made = draw_material(tmp_path_factory.mktemp("material"))
    train_once(made)
    return made


@pytest.mark.parametrize(
    ("name", "count"), [("prediction", 3), ("video", 1), ("cache", 2), ("training", 1)]
)
def test_killed_work__goes_on_as_if_nothing_had_been(
    name: str, count: int, material: Material, tmp_path: Path
) -> None:
    kills = list(kill_work(works(material)[name], tmp_path, count=count, seed=0, timed=False))
    assert len(kills) == count
    assert sum(kill.code != 0 for kill in kills) >= count / 2  # a late one finds nothing to end
    assert [kill for kill in kills if kill.problems] == []


def test_killed_servers__give_no_wrong_answer(material: Material, tmp_path: Path) -> None:
    kills = list(kill_servers(material, tmp_path, count=2, seed=0))
    assert len(kills) == 2
    assert [kill for kill in kills if kill.problems] == []


def test_full_disk__is_said_and_gone_on_from(material: Material, tmp_path: Path) -> None:
    troubles = list(fill_disks(works(material)["prediction"], tmp_path, [4096]))
    assert [trouble.wrong for trouble in troubles] == [False]


class TestTheSuiteItself:
    """A kill, damage or a command that goes wrong is told."""

    def test_kill__strikes_before_the_change_that_was_named(
        self, material: Material, tmp_path: Path
    ) -> None:
        (tmp_path / "work").mkdir()
        words = works(material)["prediction"].words(tmp_path / "work" / "out")
        ended = run(words, tmp_path / "work", stop=Stop(signal.SIGKILL, change=1))
        assert ended.code == -signal.SIGKILL
        assert not list((tmp_path / "work").rglob("*.png"))

    def test_work__that_forgets_its_result_is_told(
        self, material: Material, tmp_path: Path
    ) -> None:
        work = works(material)["prediction"]
        asked: Iterator[int] = iter(range(100))
        forgetful = replace(work, parts=lambda out: {str(next(asked)): "x"})
        (kill,) = kill_work(forgetful, tmp_path, count=1, seed=0)
        assert {problem.split(maxsplit=1)[1] for problem in kill.problems} == {
            "is half-written",
            "comes out otherwise",
            "is missing",
        }

    def test_reader__that_takes_damage_for_data_is_told(
        self, material: Material, tmp_path: Path
    ) -> None:
        sound = next(reader for reader in readers(material) if reader.kind == "mask")

        def content(root: Path, _: Ended) -> object:
            return (root / "pairs" / "masks" / "003.png").read_bytes()

        careless = Reader("mask", sound.build, lambda _: ["--version"], content)
        rows = list(damage(careless, tmp_path, count=2))
        assert [row.outcome for row in rows] == ["read as something else without a word"] * 2

    @pytest.mark.parametrize(
        ("code", "err", "problem"),
        [
            (0, "", None),
            (1, "humanseg: a: is broken.", None),
            (1, "", "ends with 1 without a sentence"),
            (1, "Traceback ...\nKeyError: 1", "traceback: KeyError: 1"),
            (-signal.SIGSEGV, "", "ends with -11: "),
            (-signal.SIGXCPU, "", "hangs"),
            (None, "", "hangs"),
            (-signal.SIGKILL, "", None),
        ],
    )
    def test_problem__is_what_no_command_may_do(
        self, code: int | None, err: str, problem: str | None
    ) -> None:
        assert Ended(code, "", err, changes=0, seconds=0.0).problem == problem


def test_mutants__are_the_same_every_time_and_of_every_kind() -> None:
    original = bytes(range(256)) * 4
    assert list(mutants(original, 20, "a")) == list(mutants(original, 20, "a"))
    assert list(mutants(original, 20, "a")) != list(mutants(original, 20, "b"))
    for mutate in MUTATIONS:
        data = bytearray(original)
        mutate(np.random.default_rng(0), data)
        assert data != original


def test_record__holds_what_the_page_says() -> None:
    """Typed by hand from the record, see docs/faults.md."""
    record = json.loads(newest("faults").read_bytes())
    assert (record["kills"]["count"], record["kills"]["wrong"]) == (210, [])
    later = record["further runs"][-1]["kills"]
    assert (later["count"], list(later["by work"]), later["wrong"]) == (40, ["cache"], [])
    tried: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for name, outcomes in record["damage"]["by file"].items():
        kind = name.partition(":")[0].partition(",")[0]
        tried[kind] += sum(outcomes.values())
        wrong[kind] += outcomes.get("wrong", 0)
    typed = """588 image, 84 mask, 645 labels, 90 table, 90 plan, 45 list, 45 ranking, 90 tar,
        28 video, 175 weights, 30 model directory, 14 checkpoint, 28 run folder, 56 comparison,
        7 evaluation, 47 cache"""
    pairs = (each.split(maxsplit=1) for each in typed.split(","))
    assert tried == {kind: int(count) for count, kind in pairs}
    assert record["damage"]["count"] == sum(tried.values()) == 2062
    assert +wrong == {"plan": 1}
