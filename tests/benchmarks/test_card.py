"""The bundled model's card: what stands in it comes from the records."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from benchmarks.bundled_accuracy import Result as SeedsRecord
from benchmarks.bundled_accuracy import Scores, summaries
from benchmarks.card import _named, main
from benchmarks.everyday_record import EverydayRecord, Measured, SetResult, SystemInfo
from tests.builders.formula_model import write_model
from tests.builders.records import environment, plain_score, run_result

from humanseg.benchmark.machine import describe_machine
from humanseg.config.schema import TrainConfig
from humanseg.data.composition import KINDS
from humanseg.evaluation.corruptions import CORRUPTIONS
from humanseg.results import (
    AttributeAnalysis,
    AttributeGroup,
    CorruptedScores,
    Interval,
    read_record,
    write_record,
)
from humanseg.system.errors import UsageError


def _interval(value: float) -> Interval:
    return Interval(estimate=value, low=value - 0.01, high=value + 0.01)


def _measured(system: str, iou: float, area: float, seen: int = 0) -> Measured:
    group = AttributeGroup(name="dark", images=33, metrics={"iou": _interval(iou - 0.1)})
    return Measured(
        system=system,
        seen=seen,
        iou=_interval(iou),
        boundary_iou=_interval(iou - 0.2),
        ahead=None,
        attributes=(
            AttributeAnalysis(
                attribute="luminance",
                groups=(group,),
                unlabelled=0,
                worst=None,
                best=None,
                gap=None,
            ),
        ),
        nobody_area=_interval(area),
        nobody_region=_interval(2 * area),
        nobody_marked=_interval(3 * area),
        ious=(),
        boundary_ious=(),
        marked=(),
        largest=(),
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", onnx=b"network")


@pytest.fixture
def everyday(tmp_path: Path) -> Path:
    systems = (_measured("v2", 0.9, 0.02, seen=3), _measured("v1", 0.8, 0.1))
    street = SetResult(
        name="street", fingerprint="f", people=99, nobody=5, groups=98, ids=(), systems=systems
    )
    record = EverydayRecord(
        systems=tuple(SystemInfo(name=each.system, settings={}, files={}) for each in systems),
        sets=(street,),
        machine=describe_machine(None),
        environment=environment(),
    )
    write_record(tmp_path / "everyday.json", record)
    return tmp_path / "everyday.json"


def test_card__numbers_are_those_of_the_records(
    model: Path, everyday: Path, tmp_path: Path
) -> None:
    run = run_result("run", TrainConfig(), [plain_score("a", 0.5)], baselines={})
    (tmp_path / "run").mkdir()
    write_record(tmp_path / "run" / "result.json", run)
    half = dict.fromkeys(CORRUPTIONS, ((0.4,), (0.3,), (0.2,), (0.1,), (0.0,)))
    corrupted = CorruptedScores(
        data_fingerprint="f", environment=environment(), images=("a",), clean=(0.8,), ious=half
    )
    write_record(tmp_path / "corrupted.json", corrupted)
    scores = [
        Scores(
            run=f"r{seed}", seed=seed, backend="onnxruntime", precision="int8",
            flip_averaging=False, refined=False, pictures=58, iou=iou, boundary_iou=iou - 0.25,
            person_free=95, person_free_area=0.01, person_free_marked=0.1,
            scenes=dict.fromkeys(KINDS, 0.5),
        )
        for seed, iou in ((1, 0.75), (2, 0.85))
    ]  # fmt: skip
    seeds = SeedsRecord(
        environment=environment(),
        person_free_photographs=95,
        summaries=tuple(summaries(scores)),
        scores=tuple(scores),
    )
    write_record(tmp_path / "seeds.json", seeds)
    words = ["--everyday", str(everyday), "--system", "v2", "--before", "v1"]
    words += ["--run", str(tmp_path / "run"), "--rule", "Seed 42, named beforehand."]
    words += ["--corrupted", str(tmp_path / "corrupted.json")]
    main([str(model), *words, "--seeds", str(tmp_path / "seeds.json")])
    card = (model / "README.md").read_text("utf-8")
    for line in (
        "**street**, 99 images with people, 98 groups",
        "| street: area marked where nobody is | 10.0 % [9.0, 11.0] | 2.0 % [1.0, 3.0] |",
        "**3 of them, or copies of them, were trained on.**",
        "| v2 | 0.900 [0.890, 0.910] | 0.700 [0.690, 0.710] | – |",
        "| luminance: dark | 33 | 0.800 [0.790, 0.810] | 0.700 [0.690, 0.710] |",
        "| v1 | 10.0 % [9.0, 11.0] | 20.0 % [19.0, 21.0] | 30.0 % [29.0, 31.0] |",
        "| street: IoU | 0.800 [0.790, 0.810] | 0.900 [0.890, 0.910] |",
        "| fog | 0.250 | 0.400 | 0.300 | 0.200 | 0.100 | 0.000 |",
        "| onnxruntime int8 | 2 | 0.800 ± 0.071 | 0.550 ± 0.071 | 1.0 % |",
        "Seed 42, named beforehand.",
        "0.1 hours in all (0.1)",
        f"| `model.onnx` | 7 | `{hashlib.sha256(b'network').hexdigest()}` |",
    ):
        assert line in card
    calibration = card.partition("## Calibration\n")[2]
    assert calibration.strip().startswith("Not measured.")
    assert card.index("## Files") < card.index("## Licence")
    assert str(tmp_path) not in card


def test_card__refuses_a_system_that_was_not_measured(model: Path, everyday: Path) -> None:
    with pytest.raises(UsageError, match="measures no system v3"):
        main([str(model), "--everyday", str(everyday), "--system", "v3"])


def test_card__keeps_a_section_whose_runs_are_gone(model: Path, everyday: Path) -> None:
    words = [str(model), "--everyday", str(everyday), "--system", "v2", "--rule"]
    main([*words, "Seed 42, long ago."])
    main([*words[:-1], "--keep", "Training"])
    card = (model / "README.md").read_text("utf-8")
    assert card.count("## Training\n\nSeed 42, long ago.\n\n## Versions\n") == 1
    with pytest.raises(UsageError, match=r"^--keep: .*README\.md has no section Weather\.$"):
        main([*words[:-1], "--keep", "Weather"])


def test_named__says_what_the_names_of_the_tables_mean(everyday: Path) -> None:
    record = read_record(everyday, EverydayRecord)
    assert _named(record) == _named(None) == ""
    (first, second) = record.systems
    named = record.model_copy(
        update={"systems": (first, second.model_copy(update={"name": "mediapipe"}))}
    )
    assert _named(named) == "In the tables, `mediapipe` is MediaPipe selfie.\n\n"
