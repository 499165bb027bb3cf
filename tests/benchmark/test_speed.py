from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from humanseg.benchmark.fresh import ProbeAnswer, ProbeRequest
from humanseg.benchmark.speed import SpeedOptions, measure_speed, quick_options
from humanseg.benchmark.speed_record import Configuration, SpeedRecord
from humanseg.results import read_record, write_record
from humanseg.system.cpu import usable_cores
from humanseg.system.errors import HumansegError, ImageError, ModelError, UsageError

SMALL = ((60, 80), (90, 120))


class Probe:
    """Answers with the request's number, and keeps the requests."""

    def __init__(self, **missing: str) -> None:
        self.missing = missing
        self.requests: list[ProbeRequest] = []

    def __call__(self, request: ProbeRequest) -> ProbeAnswer | str:
        self.requests.append(request)
        way = request.way
        if way.backend in self.missing:
            return self.missing[way.backend]
        if way.precision == "bf16" and way.backend == "onnxruntime":
            return "does not compute in bf16."
        number = float(len(self.requests))
        return ProbeAnswer(
            opened=Configuration(
                backend="onnxruntime" if way.backend == "auto" else way.backend,
                precision="fp32" if way.precision == "auto" else way.precision,
                device="cpu",
                threads=way.threads,
            ),
            image_size=(8, 8),
            flip_averaging=False,
            imported=0.1,
            loaded=0.2,
            first=0.3,
            total=0.7,
            network=(number,) * request.calls,
            pictures=((number,) * request.calls,) * len(request.pictures),
            rate=number,
            memory=int(number),
        )


def names(requests: list[ProbeRequest]) -> list[str]:
    ways = [(request.way, request.workers) for request in requests]
    return [f"{way.backend} {way.precision} {way.threads} {workers}" for way, workers in ways]


def test_measure_speed__every_round_sees_every_way_and_every_other_goes_backwards(
    model: Path,
) -> None:
    probe = Probe()
    measure_speed(
        model,
        SpeedOptions(
            backends=("onnxruntime", "openvino"),
            precisions=("fp32",),
            threads=(1, 3),
            sizes=SMALL,
            rounds=3,
            calls=2,
        ),
        probe=probe,
    )
    cores = usable_cores()
    one_round = [
        "onnxruntime fp32 1 0",
        "onnxruntime fp32 3 0",
        "openvino fp32 1 0",
        "openvino fp32 3 0",
        f"onnxruntime fp32 1 {cores}",
        f"openvino fp32 1 {cores}",
    ]
    assert names(probe.requests) == one_round + one_round[::-1] + one_round


def test_measure_speed__keeps_times_by_round(model: Path) -> None:
    record = measure_speed(
        model,
        SpeedOptions(
            backends=("onnxruntime",),
            precisions=("fp32",),
            threads=(1,),
            sizes=SMALL,
            rounds=2,
            calls=2,
        ),
        probe=Probe(),
    )
    (way,) = record.measured
    assert way.network.rounds == ((1.0, 1.0), (4.0, 4.0))  # 1 and 4: the second round is backwards
    assert way.network.drift == pytest.approx(3 / 2.5)
    assert set(way.pictures) == {"80x60.jpg", "120x90.jpg"}
    assert way.peak_memory == (1, 4)
    assert way.cold_start.total.rounds == ((0.7,), (0.7,))
    assert record.throughput[0].rates == (2.0, 3.0)
    assert record.throughput[0].median == 2.5
    assert record.image_size == (8, 8)
    assert record.model_files == {"model.onnx": hashlib.sha256(b"weights").hexdigest()}


def test_measure_speed__lists_what_is_not_there_once_and_does_not_ask_again(model: Path) -> None:
    probe = Probe(torch="is not installed.")
    record = measure_speed(
        model, SpeedOptions(threads=(1, 2), sizes=SMALL, rounds=2, calls=1), probe=probe
    )
    listed = [(way.backend, way.precision, way.reason) for way in record.unavailable]
    assert listed == [
        ("onnxruntime", "bf16", "does not compute in bf16."),
        ("torch", "fp32", "is not installed."),
        ("torch", "bf16", "is not installed."),
        ("torch", "int8", "is not installed."),
    ]
    assert {way.configuration.backend for way in record.measured} == {"onnxruntime", "openvino"}
    assert len(record.measured) == 5 * 2
    assert sum(request.way.backend == "torch" for request in probe.requests) == 3 * (2 + 1)


def test_measure_speed__does_not_take_one_way_for_another(model: Path) -> None:
    def silently_fp32(request: ProbeRequest) -> ProbeAnswer | str:
        way = request.way.model_copy(update={"precision": "fp32"})
        answer = Probe()(request.model_copy(update={"way": way}))
        assert isinstance(answer, ProbeAnswer)
        return answer

    record = measure_speed(
        model,
        SpeedOptions(
            backends=("openvino",),
            precisions=("fp32", "bf16"),
            threads=(1,),
            sizes=SMALL,
            rounds=1,
            calls=1,
        ),
        probe=silently_fp32,
    )
    (missing,) = record.unavailable
    assert (missing.precision, missing.reason.partition(";")[0]) == (
        "bf16",
        "bf16 was asked for and fp32 came",
    )


def test_measure_speed__drops_what_fails_in_a_later_round(model: Path) -> None:
    good = Probe()

    def dies(request: ProbeRequest) -> ProbeAnswer | str:
        late = len(good.requests) > 4 and request.way.backend == "openvino"
        return "its process ended with signal 9" if late else good(request)

    record = measure_speed(
        model,
        SpeedOptions(
            backends=("onnxruntime", "openvino"),
            precisions=("fp32",),
            threads=(1,),
            sizes=SMALL,
            rounds=3,
            calls=1,
        ),
        probe=dies,
    )
    assert [way.configuration.backend for way in record.measured] == ["onnxruntime"]
    assert [way.reason for way in record.unavailable] == ["its process ended with signal 9"]


def test_measure_speed__says_why_if_nothing_can_be_measured(model: Path) -> None:
    with pytest.raises(HumansegError, match="torch fp32: is not installed"):
        measure_speed(
            model,
            SpeedOptions(backends=("torch",), sizes=SMALL),
            probe=Probe(torch="is not installed."),
        )


def test_measure_speed__refuses_a_model_that_changes_meanwhile(model: Path) -> None:
    probe = Probe()

    def changing(request: ProbeRequest) -> ProbeAnswer | str:
        (model / "model.int8.onnx").write_bytes(b"new")
        return probe(request)

    with pytest.raises(HumansegError, match="changed while it was measured"):
        measure_speed(model, replace(quick_options(), sizes=SMALL), probe=changing)


def test_measure_speed__counts_processes(model: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    measure_speed(
        model,
        SpeedOptions(
            backends=("onnxruntime",),
            precisions=("fp32",),
            threads=(1,),
            sizes=SMALL,
            rounds=2,
            calls=1,
        ),
        progress=lambda done, total, **_: seen.append((done, total)),
        probe=Probe(),
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_measure_speed__record_comes_back_from_its_file(model: Path, tmp_path: Path) -> None:
    record = measure_speed(model, replace(quick_options(), sizes=SMALL), probe=Probe())
    write_record(tmp_path / "speed.json", record)
    assert read_record(tmp_path / "speed.json", SpeedRecord) == record
    assert record.measured[0].configuration.backend == "onnxruntime"


def test_measure_speed__times_given_pictures(model: Path, tmp_path: Path, drawn: Path) -> None:
    probe = Probe()
    record = measure_speed(
        model,
        replace(
            quick_options(),
            sizes=SMALL,
            pictures=(drawn / "images" / "000.png", drawn / "images" / "001.png"),
        ),
        probe=probe,
    )
    assert [image.name for image in record.pictures] == ["000.png", "001.png"]
    assert not record.pictures[0].generated
    assert (record.pictures[0].height, record.pictures[0].width) == (72, 56)
    assert probe.requests[0].pictures[0] == str(drawn / "images" / "000.png")


def test_measure_speed__refuses_a_picture_that_is_not_there(model: Path) -> None:
    def never(request: ProbeRequest) -> str:
        raise AssertionError(request)

    with pytest.raises(UsageError, match=r"missing\.jpg: does not exist"):
        measure_speed(model, SpeedOptions(pictures=(Path("missing.jpg"),)), probe=never)


def test_measure_speed__refuses_a_file_that_is_no_picture(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        measure_speed(model, SpeedOptions(pictures=(tmp_path / "bad.jpg",)), probe=Probe())


def test_measure_speed__refuses_more_pictures_than_can_be_timed(model: Path, drawn: Path) -> None:
    with pytest.raises(UsageError, match="40 pictures; at most 20"):
        measure_speed(model, SpeedOptions(pictures=(drawn,)), probe=Probe())


def test_measure_speed__refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a model directory"):
        measure_speed(tmp_path, probe=Probe())


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"rounds": 0}, "at least one round and one call"),
        ({"calls": 0}, "at least one round and one call"),
        ({"warm_up": -1}, "at least one round and one call"),
        ({"threads": (2, 0)}, "0 threads: give at least 1"),
    ],
)
def test_options__refuse_what_gives_no_times(numbers: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SpeedOptions(**numbers)


def test_options__threads_are_one_and_all_cores_unless_given() -> None:
    assert SpeedOptions().thread_counts == tuple(sorted({1, usable_cores()}))
    assert SpeedOptions(threads=(4, 2, 4)).thread_counts == (2, 4)


def test_throughput__is_of_the_picture_nearest_to_one_megapixel(model: Path) -> None:
    probe = Probe()
    record = measure_speed(
        model,
        replace(quick_options(), sizes=((30, 40), (1000, 1000), (1500, 1500))),
        probe=probe,
    )
    assert record.throughput[0].picture == "1000x1000.jpg"
    assert {request.usual for request in probe.requests} == {1}
