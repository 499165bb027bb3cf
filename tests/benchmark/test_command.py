"""`humanseg benchmark`: what it asks for, prints and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders.records import environment

from humanseg.benchmark import speed
from humanseg.benchmark.speed_record import (
    ColdStart,
    Configuration,
    Contestant,
    Difference,
    Machine,
    Measured,
    PeersRecord,
    Picture,
    PictureTime,
    SpeedRecord,
    Throughput,
    Unavailable,
)
from humanseg.benchmark.timing import summarise_times
from humanseg.cli import main
from humanseg.cli.benchmark import parsed_sizes
from humanseg.errors import UsageError
from humanseg.evaluation.metrics import summarise
from humanseg.results import ImageScore, Interval, read_record
from humanseg.system.cpu import usable_cores

ENVIRONMENT = environment(processor="Some Processor", versions={"onnxruntime": "1.2"}, threads=None)


def machine(load: float = 0.0) -> Machine:
    return Machine(
        usable_cores=2,
        memory=None,
        features=(),
        load_before=load,
        load_after=load,
        thread_variables={},
    )


def speed_record(*, load: float = 0.0, second_round: float = 0.0042) -> SpeedRecord:
    once = summarise_times([[0.5]])
    way = Configuration(backend="onnxruntime", precision="int8", device="cpu", threads=2)
    return SpeedRecord(
        model="bundled",
        model_files={},
        image_size=(240, 320),
        flip_averaging=False,
        calls=3,
        warm_up=1,
        pictures=(Picture(name="a.jpg", height=10, width=20, bytes=99, generated=False),),
        measured=(
            Measured(
                configuration=way,
                network=summarise_times([[0.004, 0.004, 0.005], [second_round] * 3]),
                pictures={"a.jpg": summarise_times([[0.0123], [0.0125]])},
                cold_start=ColdStart(imported=once, loaded=once, first=once, total=once),
                peak_memory=(99_000_000, 101_000_000),
            ),
        ),
        throughput=(
            Throughput(
                configuration=way,
                workers=2,
                picture="a.jpg",
                rates=(40.0, 44.0),
                median=42.0,
                peak_memory=None,
            ),
        ),
        unavailable=(Unavailable(backend="torch", precision="bf16", reason="is not installed."),),
        machine=machine(load),
        environment=ENVIRONMENT,
    )


def contestant(name: str, tp: int) -> Contestant:
    score = ImageScore(
        id="1", height=10, width=10, tp=tp, fp=0, fn=50 - tp, tn=50,
        boundary_intersection=tp, boundary_union=100,
    )  # fmt: skip
    timed = PictureTime(id="1", marked=0.25, seconds=(0.01, 0.02, 0.03))
    return Contestant(
        name=name,
        settings={},
        load_seconds=1.5,
        scores=(score,),
        summary=summarise([score]),
        labelled=(timed,),
        person_free=(timed,),
        marked_area=0.25,
        marked_pictures=1.0,
        time=summarise_times([timed.seconds]),
    )


def peers_record(*, trained_on: str = "a") -> PeersRecord:
    return PeersRecord(
        model="bundled",
        model_files={},
        trained_on=trained_on,
        data_fingerprint="b",
        groups=1,
        person_free_fingerprint="c",
        calls=3,
        contestants=(contestant("ours", 40), contestant("mediapipe", 25)),
        differences=(
            Difference(
                other="mediapipe",
                iou=Interval(estimate=0.3, low=0.1, high=0.4),
                boundary_iou=None,
                time_ratio=1.0,
            ),
        ),
        machine=machine(),
        environment=ENVIRONMENT,
    )


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        code = main(["benchmark", *map(str, words)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments that reach the workflows, which give a record each."""
    given: dict[str, Any] = {}

    def measure(model: object, **settings: object) -> SpeedRecord:
        given.update(settings, model=model)
        return speed_record()

    def compare(model: object, **settings: object) -> PeersRecord:
        given.update(settings, model=model)
        return peers_record()

    monkeypatch.setattr(speed, "measure_speed", measure)
    stand_in = SimpleNamespace(compare_with_peers=compare)
    monkeypatch.setitem(sys.modules, "humanseg.benchmark.peers", stand_in)
    return given


Run = Callable[..., tuple[int, str, str]]


def test_benchmark__alone_leaves_the_choice_to_the_workflow(
    run: Run, asked: dict[str, Any]
) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert asked.pop("progress") is None
    assert asked == {"model": None, "device": "cpu", "effort": speed.Effort()}
    assert "Some Processor" in out


def test_benchmark__passes_on_what_is_asked_for(
    run: Run, asked: dict[str, Any], tmp_path: Path
) -> None:
    words = "--backends onnxruntime openvino --precisions int8 --threads 1 4 --rounds 2 --calls 7"
    assert run(tmp_path, *words.split(), "--sizes", "640x480", "20x10")[0] == 0
    assert asked["model"] == tmp_path
    assert asked["backends"] == ("onnxruntime", "openvino")
    assert asked["precisions"] == ("int8",)
    assert asked["threads"] == (1, 4)
    assert asked["sizes"] == ((480, 640), (10, 20))
    assert asked["effort"] == speed.Effort(rounds=2, calls=7)


def test_benchmark__quick_is_what_a_user_gets_unless_told_otherwise(
    run: Run, asked: dict[str, Any]
) -> None:
    assert run("--quick", "--precisions", "fp32", "--calls", "2")[0] == 0
    assert asked["backends"] == ("auto",)
    assert asked["precisions"] == ("fp32",)
    assert asked["threads"] == (usable_cores(),)
    assert asked["effort"] == speed.Effort(rounds=1, calls=2, warm_up=1)


def test_benchmark__tables_have_the_numbers(run: Run, asked: dict[str, Any]) -> None:
    rows = [line.split() for line in run()[1].splitlines()]
    way = ["onnxruntime", "int8", "2"]
    assert [*way, "4.20", "4.80", "4.05-4.20", "4.8%", "1.00"] in rows
    assert [*way, "a.jpg", "12.4", "12.5", "12.3-12.4", "1.6%"] in rows
    assert [*way, "2", "42.0", "40.0", "44.0", "-"] in rows
    assert [*way, "500", "500", "500", "500", "-", "101"] in rows
    assert ["torch", "bf16:", "is", "not", "installed."] in rows


def test_benchmark__says_when_times_are_not_for_quoting(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    noisy = speed_record(load=1.5, second_round=0.006)
    monkeypatch.setattr(speed, "measure_speed", lambda *_, **__: noisy)
    lines = run()[2].splitlines()
    assert "other work was running (load 1.5 on 2 cores" in lines[0]
    assert "1 of 2 medians moved by more than 10%" in lines[1]


def test_benchmark__json_and_file_are_the_record(
    run: Run, asked: dict[str, Any], tmp_path: Path
) -> None:
    code, out, _ = run("--json", "-o", tmp_path / "speed.json")
    assert code == 0
    assert SpeedRecord.model_validate_json(out) == speed_record()
    assert read_record(tmp_path / "speed.json", SpeedRecord) == speed_record()


def test_benchmark__peers_pass_on_what_is_asked_for(
    run: Run, asked: dict[str, Any], tmp_path: Path
) -> None:
    words = ["--peers", "mediapipe", "other.py", "--peer-python", "p/python", "--data", tmp_path]
    code, out, err = run(*words, "--limit", "3", "--layout", "folders", "--person-free", "e", "f")
    assert (code, err) == (0, "")
    asked.pop("progress")
    assert asked == {
        "model": None,
        "device": "cpu",
        "peers": ("mediapipe", "other.py"),
        "peer_python": Path("p/python"),
        "data": tmp_path,
        "limit": 3,
        "layout": "folders",
        "person_free": (Path("e"), Path("f")),
    }
    rows = [line.split() for line in out.splitlines()]
    assert ["IoU,", "mean", "over", "pictures", "0.8000", "0.5000"] in rows
    assert ["Area", "marked", "there", "25.00%", "25.00%"] in rows
    assert ["Time", "per", "picture,", "median,", "ms", "20.0", "20.0"] in rows
    expected = [
        "ours",
        "against",
        "mediapipe",
        "+0.3000",
        "[+0.1000,",
        "+0.4000]",
        "-",
        "-",
        "1.00",
    ]
    assert expected in rows


def test_benchmark__peers_says_when_ours_knows_the_pictures(
    run: Run, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = SimpleNamespace(compare_with_peers=lambda *_, **__: peers_record(trained_on="b"))
    monkeypatch.setitem(sys.modules, "humanseg.benchmark.peers", stand_in)
    assert "trained on pictures of this very data set" in run("--peers", "mediapipe")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--data .", "--data is for --peers"),
        ("--peer-python p", "--peer-python is for --peers"),
        ("--layout csv", "--layout is for --peers"),
        ("--peers mediapipe --quick", "--quick is not for --peers"),
        ("--peers mediapipe --sizes 2x2", "--sizes is not for --peers"),
        ("--peers mediapipe --data nowhere", "nowhere: does not exist"),
        ("--sizes 2x2 --pictures a.png", "leave it or --pictures out"),
        ("--sizes 200", "give WIDTHxHEIGHT"),
        ("--sizes 20000x20000", "at most 100 million"),
        ("--rounds 0", "give at least one round"),
        ("--backends tensorrt", "tensorrt"),
        ("nowhere", "nowhere: does not exist"),
        ("-o .", "is a folder; -o needs a file"),
    ],
)
def test_benchmark__refuses_in_one_sentence(run: Run, words: str, message: str) -> None:
    code, out, err = run(*words.split())
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert code in (1, 2)


def test_parsed_sizes__are_height_and_width() -> None:
    assert parsed_sizes(["4000x3000", " 8X9 "]) == ((3000, 4000), (9, 8))
    assert parsed_sizes(None) is None
    with pytest.raises(UsageError):
        parsed_sizes(["0x5"])


def test_benchmark__quick_measures_the_bundled_model(tmp_path: Path) -> None:
    words = ["benchmark", "--quick", "--calls", "2", "--backends", "onnxruntime", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "humanseg", *words, "-o", str(tmp_path / "speed.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = SpeedRecord.model_validate(json.loads(done.stdout))
    assert read_record(tmp_path / "speed.json", SpeedRecord) == record
    (one,) = record.measured
    assert one.configuration.backend == "onnxruntime"
    assert one.network.count == one.pictures["1152x864.jpg"].count == 2
    assert one.network.minimum > 0
    assert one.cold_start.total.median > one.cold_start.first.median
    assert record.throughput[0].median > 0
    assert "model.onnx" in record.model_files
