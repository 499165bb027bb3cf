from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from humanseg.config.schema import Arch, ModelConfig, TrainConfig
from humanseg.data import Sample, discover
from humanseg.errors import DataError
from humanseg.evaluation.leakage import (
    ceilings,
    find_leaks,
    grid_ceiling,
    label_agreement,
    output_grid,
    write_features,
)
from humanseg.models import build_network
from humanseg.results import DataRecord, RunResult, SplitRecord

Write = Callable[..., Path]
FOLDER = os.environ.get("HUMANSEG_DATA")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an array as a picture; noise where there is none."""

    def make(name: str, values: NDArray[np.bool_] | None = None) -> Path:
        noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
        image = noise if values is None else values.astype(np.uint8) * 255
        Image.fromarray(image).save(tmp_path / name)
        return tmp_path / name

    return make


def record(
    copies: tuple[tuple[str, str, str], ...] = (), groups: dict[str, str] | None = None
) -> DataRecord:
    return DataRecord.model_validate(
        {
            "fingerprint": "0" * 64,
            "pictures": {},
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
        ModelConfig(
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


@pytest.mark.parametrize("arch", ["unet", "fpn", "deeplabv3plus"])
def test_output_grid__is_where_the_last_convolution_computes(arch: Arch) -> None:
    import torch

    config = ModelConfig(
        arch=arch, encoder_name="tu-test_efficientnet", encoder_weights="none", image_size=(64, 96)
    )
    network = build_network(config).eval()
    shapes: list[tuple[int, ...]] = []
    head = network.network.get_submodule("segmentation_head")
    convolution = next(head.children())
    convolution.register_forward_hook(lambda _m, _i, out: shapes.append(tuple(out.shape[2:])))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 64, 96))
    assert shapes == [output_grid(config)]


def test_grid_ceiling__coarser_is_lower_and_the_mask_itself_is_1(write: Write) -> None:
    rows, columns = np.mgrid[:96, :128]
    disc = (rows - 48) ** 2 + (columns - 64) ** 2 < 30**2
    sample = Sample("disc", write("disc.png"), write("mdisc.png", disc))
    scores = [grid_ceiling([sample], grid, ("fpn",)) for grid in ((96, 128), (24, 32), (6, 8))]
    ious = [one.iou or 0.0 for one in scores]
    assert ious[0] == 1.0
    assert ious[0] > ious[1] > ious[2] > 0.5
    assert scores[1].detail == "24x32"


def test_label_agreement__of_the_same_picture_twice(write: Write) -> None:
    masks = [np.zeros((40, 40), dtype=np.bool_) for _ in range(2)]
    masks[0][:20], masks[1][:19] = True, True
    samples = {
        name: Sample(name, write(f"{name}.png"), write(f"m{name}.png", mask))
        for name, mask in zip("ab", masks, strict=True)
    }
    found = label_agreement(samples, record((("a", "b", "exact"),)))
    assert found is not None
    assert found.iou == pytest.approx(19 / 20)
    assert label_agreement(samples, record((("a", "b", "near"),))) is None
    assert label_agreement({"a": samples["a"]}, record((("a", "b", "exact"),))) is None


@pytest.mark.data
@pytest.mark.skipif(not FOLDER, reason="HUMANSEG_DATA is not set")
def test_real_data__ceilings_are_the_known_ones() -> None:
    samples = {sample.id: sample for sample in discover(Path(FOLDER or ""))}
    runs = [
        cast(RunResult, SimpleNamespace(config=TrainConfig(model=ModelConfig(arch=arch))))
        for arch in ("unet", "fpn")
    ]
    bounds = ceilings(runs, samples, record((("102", "270", "exact"),)))
    found = {(one.name, one.detail): one for one in bounds}
    assert found["output_grid", "80x80"].iou == pytest.approx(0.9864, abs=0.002)
    assert found["output_grid", "80x80"].boundary_iou == pytest.approx(0.871, abs=0.01)
    assert found["output_grid", "320x320"].iou == pytest.approx(0.9992, abs=0.001)
    assert found["label_agreement", "102 and 270"].iou == pytest.approx(0.9906, abs=0.0005)
