from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from humanseg.config.architectures import model_settings
from humanseg.config.schema import TrainConfig
from humanseg.data import Sample, discover
from humanseg.evaluation.analysis import FinishedPlan
from humanseg.evaluation.leakage import find_leaks, find_suspects, write_features
from humanseg.images.stored_maps import write_mask, write_probability
from humanseg.models import build_network
from humanseg.results import DataRecord, RunResult, SplitRecord
from humanseg.system.errors import DataError


def record(
    copies: tuple[tuple[str, str, str], ...] = (), groups: dict[str, str] | None = None
) -> DataRecord:
    return DataRecord.model_validate(
        {
            "fingerprint": "0" * 64,
            "images": {},
            "sources": {},
            "groups": groups or {},
            "copies": copies,
        }
    )


def run_of(train: str, test: str) -> RunResult:
    """A run that is asked for its parts only."""
    split = SplitRecord(
        train=tuple(train), validation=(), test=tuple(test), validation_is_test=False
    )
    return cast(RunResult, SimpleNamespace(split=split, config=TrainConfig()))


def test_leaks__say_whether_a_split_divides_them(tmp_path: Path) -> None:
    runs = [run_of("abc", "de"), run_of("cde", "ab")]
    copies = (("a", "b", "near"), ("a", "d", "exact"), ("x", "y", "exact"))
    found = find_leaks(runs, record(copies), tmp_path / "none.npz")
    assert [(one.first, one.second, one.kind, one.divided) for one in found] == [
        ("a", "d", "exact", True),
        ("x", "y", "exact", False),
        ("a", "b", "near", False),
    ]


def test_leaks__scenes_from_features(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 8)).astype(np.float32)
    features[1] = features[0] * 1.01
    features[3] = features[2]
    ids = [f"p{one}" for one in range(12)]
    file = tmp_path / "features.npz"
    np.savez(file, ids=ids, features=features)
    known = record(groups=dict(zip(ids, ids, strict=True)) | {"p2": "g", "p3": "g"})
    found = [one for one in find_leaks([run_of("a", "b")], known, file) if one.similarity]
    assert [(one.first, one.second, one.kind) for one in found][:1] == [("p0", "p1", "scene")]
    assert ("p2", "p3") not in {(one.first, one.second) for one in found}


def test_leaks__damaged_features_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "features.npz"
    file.write_bytes(b"PK no archive")
    with pytest.raises(DataError, match=r"features\.npz: is damaged .* delete it"):
        find_leaks([run_of("a", "b")], record(), file)


def test_features__are_the_same_for_the_same_picture(tmp_path: Path, drawn: Path) -> None:
    network = build_network(
        model_settings(
            encoder_name="tu-test_efficientnet", encoder_weights="none", image_size=(32, 32)
        )
    )
    samples = discover(drawn)[:3]
    twice = [*samples, Sample("copy", samples[0].image, samples[0].mask)]
    was_training = network.training
    write_features(network, (32, 32), twice, tmp_path / "features.npz", read=Sample.read_image)
    assert network.training == was_training
    with np.load(tmp_path / "features.npz") as stored:
        assert list(stored["ids"]) == [sample.id for sample in twice]
        features = stored["features"]
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features[0], features[3])
    assert not np.allclose(features[0], features[1])
    assert [path.name for path in tmp_path.iterdir()] == ["features.npz"]


def test_leaks__groups_that_a_split_divides(tmp_path: Path) -> None:
    groups = {"a": "1", "d": "1", "b": "2", "e": "2", "c": "3", "f": "4"}
    leaks = find_leaks([run_of("abc", "def")], record(groups=groups), tmp_path / "none.npz")
    assert [(leak.first, leak.second, leak.kind, leak.divided) for leak in leaks] == [
        ("a", "d", "group", True),
        ("b", "e", "group", True),
    ]
    whole = find_leaks([run_of("adbe", "cf")], record(groups=groups), tmp_path / "none.npz")
    assert whole == ()


def test_leaks__a_copy_is_not_also_a_group(tmp_path: Path) -> None:
    data = record(copies=(("a", "d", "near"),), groups={"a": "1", "d": "1"})
    leaks = find_leaks([run_of("abc", "def")], data, tmp_path / "none.npz")
    assert [(leak.kind, leak.divided) for leak in leaks] == [("near", True)]


@pytest.mark.parametrize("mistake", ["none", "moved on", "mirrored", "upside-down", "inverted"])
def test_suspects__are_the_masks_that_were_planted(tmp_path: Path, mistake: str) -> None:
    side, ids = 48, [f"{number:02}" for number in range(20)]
    rows, columns = np.mgrid[:side, :side]
    people = {
        name: np.hypot((rows - 14 - number % 3) / 2, columns - 12 - number) < 8
        for number, name in enumerate(ids)
    }
    wrong = {
        "none": people,
        "moved on": dict(zip(ids, [*people.values()][7:] + [*people.values()][:7], strict=True)),
        "mirrored": {name: mask[:, ::-1] for name, mask in people.items()},
        "upside-down": {name: mask[::-1] for name, mask in people.items()},
        "inverted": {name: ~mask for name, mask in people.items()},
    }[mistake]
    truths = people | {name: wrong[name] for name in ids[::5]}
    samples = {}
    for name, mask in truths.items():
        write_mask(tmp_path / f"{name}.png", mask)
        samples[name] = Sample(id=name, image=tmp_path / "none", mask=tmp_path / f"{name}.png")
    subjects, runs = [], {}
    for arch, margin in (("unet", 1), ("fpn", -1), ("weak", 0)):  # each is off by a pixel
        for name, mask in people.items():
            said = np.where(np.roll(mask, margin, 1) if margin else mask & False, 0.97, 0.02)
            file = tmp_path / "runs" / arch / "predictions" / f"{name}.png"
            write_probability(file, said.astype(np.float32))
        ious = {
            name: float(
                (np.roll(people[name], margin, 1) & truth).sum() / (truth | people[name]).sum()
            )
            for name, truth in truths.items()
        }
        subject = SimpleNamespace(arch=arch, weak=arch == "weak", metric={"iou": ious}.__getitem__)
        subjects.append(subject)
        split = SimpleNamespace(test=tuple(ids))
        runs[arch] = [SimpleNamespace(name=arch, split=split)]
    finished = SimpleNamespace(folder=tmp_path, subjects=subjects, by_arch=runs)
    listed = find_suspects(samples, cast(FinishedPlan, finished))
    doubted = {label.id for label in listed if label.reason == "disagreement"}
    assert doubted == {label.id for label in listed}
    assert doubted == (set() if mistake == "none" else set(ids[::5]))
