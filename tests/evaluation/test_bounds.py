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

from humanseg.config.architectures import Arch, model_settings
from humanseg.config.schema import TrainConfig
from humanseg.data import Sample, discover
from humanseg.evaluation.bounds import ceilings, grid_ceiling, label_agreement, output_grid
from humanseg.models import build_network
from humanseg.results import DataRecord, RunResult

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


def record(*copies: tuple[str, str, str]) -> DataRecord:
    return DataRecord.model_validate(
        {"fingerprint": "0" * 64, "images": {}, "sources": {}, "groups": {}, "copies": copies}
    )


@pytest.mark.parametrize("arch", ["unet", "fpn", "deeplabv3plus"])
def test_output_grid__is_where_the_last_convolution_computes(arch: Arch) -> None:
    import torch

    config = model_settings(
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
    found = label_agreement(samples, record(("a", "b", "exact")))
    assert found is not None
    assert found.iou == pytest.approx(19 / 20)
    assert label_agreement(samples, record(("a", "b", "near"))) is None
    assert label_agreement({"a": samples["a"]}, record(("a", "b", "exact"))) is None


@pytest.mark.data
@pytest.mark.skipif(not FOLDER, reason="HUMANSEG_DATA is not set")
def test_real_data__ceilings_are_the_known_ones() -> None:
    samples = {sample.id: sample for sample in discover(Path(FOLDER or ""))}
    runs = [
        cast(RunResult, SimpleNamespace(config=TrainConfig(model=model_settings(arch=arch))))
        for arch in ("unet", "fpn")
    ]
    bounds = ceilings(runs, samples, record(("102", "270", "exact")))
    found = {(one.name, one.detail): one for one in bounds}
    assert found["output_grid", "80x80"].iou == pytest.approx(0.9864, abs=0.002)
    assert found["output_grid", "80x80"].boundary_iou == pytest.approx(0.871, abs=0.01)
    assert found["output_grid", "320x320"].iou == pytest.approx(0.9992, abs=0.001)
    assert found["label_agreement", "102 and 270"].iou == pytest.approx(0.9906, abs=0.0005)
