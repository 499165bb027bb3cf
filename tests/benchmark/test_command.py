"""`humanseg benchmark`: what it asks for, prints and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders.records import environment

from humanseg.benchmark import speed
from humanseg.benchmark.speed_record import (
    ColdStart,
    Configuration,
    ImageFile,
    Machine,
    Measured,
    SpeedRecord,
    Throughput,
    Unavailable,
)
from humanseg.benchmark.timing import summarise_times
from humanseg.cli import main
from humanseg.cli.benchmark import parsed_sizes
from humanseg.results import read_record
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import UsageError

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
        pictures=(ImageFile(name="a.jpg", height=10, width=20, bytes=99, generated=False),),
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


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def call(*words: object) -> tuple[int, str, str]:
        code = main(["benchmark", *map(str, words)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments that reach the workflow, which gives a record."""
    given: dict[str, Any] = {}

    def measure(model: object, options: speed.SpeedOptions, **settings: object) -> SpeedRecord:
        given.update(settings, model=model, options=options)
        return speed_record()

    monkeypatch.setattr(speed, "measure_speed", measure)
    return given


Run = Callable[..., tuple[int, str, str]]


def test_benchmark__alone_leaves_the_choice_to_the_workflow(
    run: Run, asked: dict[str, Any]
) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    asked.pop("progress")
    assert asked == {"model": None, "options": speed.SpeedOptions()}
    assert "Some Processor" in out


def test_benchmark__passes_on_what_is_asked_for(
    run: Run, asked: dict[str, Any], tmp_path: Path
) -> None:
    words = "--backends onnxruntime openvino --precisions int8 --threads 1 4 --rounds 2 --calls 7"
    assert run(tmp_path, *words.split(), "--sizes", "640x480", "20x10")[0] == 0
    assert asked["model"] == tmp_path
    assert asked["options"] == speed.SpeedOptions(
        backends=("onnxruntime", "openvino"),
        precisions=("int8",),
        threads=(1, 4),
        sizes=((480, 640), (10, 20)),
        rounds=2,
        calls=7,
    )


def test_benchmark__quick_is_what_a_user_gets_unless_told_otherwise(
    run: Run, asked: dict[str, Any]
) -> None:
    assert run("--quick", "--precisions", "fp32", "--calls", "2")[0] == 0
    assert asked["options"] == speed.SpeedOptions(
        backends=("auto",),
        precisions=("fp32",),
        threads=(usable_cores(),),
        sizes=((864, 1152),),
        rounds=1,
        calls=2,
        warm_up=1,
    )


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--sizes 2x2 --pictures a.png", "leave it or --pictures out"),
        ("--sizes 200", "give WIDTHxHEIGHT"),
        ("--sizes 20000x20000", "at most 100 million"),
        ("--rounds 0", "give at least one round"),
        ("--threads 0", "give at least 1"),
        ("--peers mediapipe", "--peers"),
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


@pytest.mark.command
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
    (way,) = record.measured
    assert way.configuration.backend == "onnxruntime"
    assert way.network.count == way.pictures["1152x864.jpg"].count == 2
    assert way.network.minimum > 0
    assert way.cold_start.total.median > way.cold_start.first.median
    assert record.throughput[0].median > 0
    assert "model.onnx" in record.model_files


def test_package__imports_neither_torch_nor_any_runtime_nor_scipy() -> None:
    code = (
        "import importlib, pkgutil, sys, humanseg.benchmark as package\n"
        "for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "heavy = {'torch', 'lightning', 'onnxruntime', 'openvino', 'scipy', 'mediapipe', 'cv2'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
