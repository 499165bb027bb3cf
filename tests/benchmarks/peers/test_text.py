"""`python -m benchmarks.peers`: what it asks for, prints and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.peers.compare import ImageOptions, OurOptions
from benchmarks.peers.record import Difference, ImageTime, PeersRecord, SystemResult
from benchmarks.peers.text import doubts_in_words, peers_in_words
from tests.builders.records import environment

from benchmarks.peers import __main__ as command
from humanseg.benchmark.speed_record import Machine
from humanseg.benchmark.timing import summarise_times
from humanseg.evaluation.metrics import summarise
from humanseg.results import ImageScore, Interval, read_record


def _system(name: str, tp: int) -> SystemResult:
    score = ImageScore(
        id="1", height=10, width=10, tp=tp, fp=0, fn=50 - tp, tn=50,
        boundary_intersection=tp, boundary_union=100,
    )  # fmt: skip
    time = ImageTime(id="1", marked=0.25, seconds=(0.01, 0.02, 0.03))
    return SystemResult(
        name=name,
        settings={},
        load_seconds=1.5,
        scores=(score,),
        summary=summarise([score]),
        labelled=(time,),
        person_free=(time,),
        marked_area=0.25,
        marked_pictures=1.0,
        time=summarise_times([time.seconds]),
    )


def _record(*, trained_on: str = "a", load: float = 0.0) -> PeersRecord:
    return PeersRecord(
        model="bundled",
        model_files={},
        trained_on=trained_on,
        data_fingerprint="b",
        groups=1,
        person_free_fingerprint="c",
        calls=3,
        systems=(_system("ours", 40), _system("mediapipe", 25)),
        differences=(
            Difference(
                other="mediapipe",
                iou=Interval(estimate=0.3, low=0.1, high=0.4),
                boundary_iou=None,
                time_ratio=1.0,
            ),
        ),
        machine=Machine(
            usable_cores=2,
            memory=None,
            features=(),
            load_before=load,
            load_after=load,
            thread_variables={},
        ),
        environment=environment(),
    )


def test_text__tables_have_the_numbers() -> None:
    rows = [line.split() for line in peers_in_words(_record())]
    assert ["IoU,", "mean", "over", "images", "0.8000", "0.5000"] in rows
    assert ["Area", "marked", "there", "25.00%", "25.00%"] in rows
    assert ["Time", "per", "image,", "median,", "ms", "20.0", "20.0"] in rows
    difference = ["+0.3000", "[+0.1000,", "+0.4000]", "-", "-", "1.00"]
    assert ["ours", "against", "mediapipe", *difference] in rows


def test_text__says_when_ours_knows_the_images_and_when_other_work_ran() -> None:
    assert doubts_in_words(_record()) == []
    (known,) = doubts_in_words(_record(trained_on="b"))
    assert "trained on images of this very data set" in known
    (seen,) = doubts_in_words(_record().model_copy(update={"seen_images": ("1", "2")}))
    assert "trained on 2 of these images, or on copies of them; this is no fair comparison" in seen
    (busy,) = doubts_in_words(_record(load=1.0))
    assert "other work was running (load 1.0 on 2 cores" in busy


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments that reach the comparison, which gives a record."""
    given: dict[str, Any] = {}

    def compare(model: object, images: ImageOptions, **settings: object) -> PeersRecord:
        given.update(settings, model=model, images=images)
        return _record(trained_on="b")

    monkeypatch.setattr(command, "compare_with_peers", compare)
    return given


def test_command__passes_on_what_is_asked_for(
    asked: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mediapipe", "other.py", "--python", "p/python", "--data", "d", "--limit", "3"]
    words += ["--layout", "folders", "--person-free", "e", "f", "--threads", "1", "2"]
    assert command.main([*words, "--output", str(tmp_path / "peers.json")]) == 0
    asked.pop("progress")
    assert asked == {
        "model": None,
        "images": ImageOptions(
            data=Path("d"), layout="folders", person_free=(Path("e"), Path("f")), limit=3
        ),
        "peers": ["mediapipe", "other.py"],
        "ours": OurOptions(threads=(1, 2)),
        "python": Path("p/python"),
        "calls": 3,
    }
    shown = capsys.readouterr()
    assert "0.8000" in shown.out
    assert "trained on images of this very data set" in shown.err
    assert read_record(tmp_path / "peers.json", PeersRecord) == _record(trained_on="b")


def test_command__refuses_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["mediapipe"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "Peers need images; give labelled ones with --data, or --person-free.\n"


def test_adapters__of_the_peers_are_there(adapter: Callable[..., Path]) -> None:
    from benchmarks.peers.systems import PEERS

    assert all(path.is_file() for path, _ in PEERS.values())
