from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from humanseg.benchmark import contestants
from humanseg.benchmark.peers import compare_with_peers
from humanseg.benchmark.speed_record import PeersRecord
from humanseg.errors import DataError, UsageError
from humanseg.evaluation.metrics import score_image
from humanseg.results import SplitRecord, read_record, write_record

pytestmark = pytest.mark.usefixtures("segmenter")
RED = "image[:, :, 0] >= 128"
ALL = "image[:, :, 0] >= 0"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Four pictures without people: 0.08 %, 0.12 %, 0 and 100 % of red."""
    folder = tmp_path / "empty"
    (folder / "deeper").mkdir(parents=True)
    for name, count in (("a", 2), ("b", 3), ("c", 0), ("deeper/d", 2500)):
        pixels = np.zeros((2500, 3), dtype=np.uint8)
        pixels[:count, 0] = 255
        Image.fromarray(pixels.reshape(50, 50, 3)).save(folder / f"{name}.png")
    return folder


def test_compare__scores_what_each_finds(
    model: Path, drawn: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(
        model, peers=[str(adapter(RED, name="red")), str(adapter(ALL, name="all"))], data=drawn
    )
    assert [one.name for one in record.contestants] == [
        "humanseg onnxruntime fp32 x2",
        "red",
        "all",
    ]
    ours, red, everything = record.contestants
    assert len(ours.scores) == len(red.scores) == len(everything.scores) == 20
    assert everything.summary is not None
    assert red.summary is not None
    assert red.summary.iou_mean is not None
    assert red.summary.iou_mean > 0.95  # drawn people are bright in red
    image = np.asarray(Image.open(drawn / "images" / "007.png"))
    truth = np.asarray(Image.open(drawn / "masks" / "007.png")) >= 128
    by_hand = score_image("007", image[:, :, 0] >= 128, truth, contours=False)
    assert red.scores[7] == by_hand
    assert everything.scores[7].fn == 0
    assert [one.marked for one in everything.labelled] == [1.0] * 20


def test_compare__differences_are_ours_less_theirs_on_the_same_pictures(
    model: Path, drawn: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(model, peers=[str(adapter(ALL))], data=drawn)
    ours, theirs = record.contestants
    (difference,) = record.differences
    assert ours.summary is not None
    assert theirs.summary is not None
    assert difference.iou is not None
    assert difference.iou.estimate == pytest.approx(
        (ours.summary.iou_mean or 0) - (theirs.summary.iou_mean or 0)
    )
    assert difference.iou.low is not None
    assert difference.iou.low < difference.iou.estimate
    assert difference.time_ratio == pytest.approx(ours.time.median / theirs.time.median, abs=1e-3)


def test_compare__pictures_without_people(
    model: Path, empty: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(model, peers=[str(adapter(RED))], person_free=[empty])
    red = record.contestants[1]
    assert [one.marked for one in red.person_free] == [0.0008, 0.0012, 0.0, 1.0]
    assert red.marked_area == pytest.approx((0.0008 + 0.0012 + 1.0) / 4)
    assert red.marked_pictures == 0.5  # 0.08 % does not count, 0.12 % does
    assert red.summary is None
    assert record.data_fingerprint is None
    assert record.person_free_fingerprint is not None


def test_compare__takes_turns_in_another_order_each_time(
    model: Path, empty: Path, adapter: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for kind in (contestants.Ours, contestants.Peer):
        monkeypatch.setattr(kind, "find", _noting(order, kind.find))
    compare_with_peers(
        model,
        peers=[str(adapter(RED, name="red")), str(adapter(ALL, name="all"))],
        person_free=[empty],
        calls=1,
    )
    ours = "humanseg onnxruntime fp32 x2"
    assert order == [
        *(ours, "red", "all"),
        *("red", "all", ours),
        *("all", ours, "red"),
        *(ours, "red", "all"),
    ]


def _noting(order: list[str], find: Callable[..., object]) -> Callable[..., object]:
    def noted(self: contestants.Contender, *arguments: object) -> object:
        order.append(self.name)
        return find(self, *arguments)

    return noted


def test_compare__counts_calls_and_threads(
    model: Path, empty: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(
        model, peers=[str(adapter(RED))], person_free=[empty], threads=(1, 2), calls=4
    )
    assert [one.settings.get("threads") for one in record.contestants] == ["1", "2", None]
    assert {one.time.count for one in record.contestants} == {16}


def test_compare__record_comes_back_from_its_file(
    model: Path, drawn: Path, empty: Path, adapter: Callable[..., Path], tmp_path: Path
) -> None:
    record = compare_with_peers(
        model, peers=[str(adapter(RED))], data=drawn, person_free=[empty], calls=1
    )
    write_record(tmp_path / "peers.json", record)
    assert read_record(tmp_path / "peers.json", PeersRecord) == record


def test_compare__split_keeps_the_test_pictures_alone(
    model: Path, drawn: Path, adapter: Callable[..., Path], tmp_path: Path
) -> None:
    parts = SplitRecord(
        train=("000",), validation=(), test=("003", "005"), validation_is_test=False
    )
    write_record(tmp_path / "split.json", parts)
    record = compare_with_peers(
        model, peers=[str(adapter(RED))], data=drawn, split=tmp_path / "split.json"
    )
    assert [score.id for score in record.contestants[1].scores] == ["003", "005"]


def test_compare__split_of_other_data_is_refused(model: Path, drawn: Path, tmp_path: Path) -> None:
    parts = SplitRecord(train=(), validation=(), test=("003", "x"), validation_is_test=False)
    write_record(tmp_path / "split.json", parts)
    with pytest.raises(DataError, match=r"1 of its test pictures are not in the data .such as 'x'"):
        compare_with_peers(model, peers=["mediapipe"], data=drawn, split=tmp_path / "split.json")


def test_compare__limit_spreads_over_the_pictures(
    model: Path, drawn: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(model, peers=[str(adapter(RED))], data=drawn, limit=4)
    assert [score.id for score in record.contestants[0].scores] == ["000", "005", "010", "015"]


def test_compare__groups_from_a_table(
    model: Path, drawn: Path, adapter: Callable[..., Path], tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    rows = [f"{number:03},{number // 10}" for number in range(20)]
    table.write_text("\n".join(["id,group", *rows]) + "\n")
    record = compare_with_peers(
        model, peers=[str(adapter(RED))], data=drawn, groups=table, limit=10
    )
    assert record.groups == 2


def test_compare__masks_of_another_size_than_their_pictures(
    model: Path, drawn: Path, adapter: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "halved"
    shutil.copytree(drawn, folder)
    for path in sorted((folder / "masks").iterdir()):
        mask = Image.open(path)
        mask.resize((mask.width // 2, mask.height // 2)).save(path)
    record = compare_with_peers(model, peers=[str(adapter(RED))], data=folder, limit=3)
    score = record.contestants[1].scores[0]
    assert (score.height, score.width) == (36, 28)
    assert (score.iou or 0) > 0.9


def test_compare__needs_pictures(model: Path) -> None:
    with pytest.raises(UsageError, match="give labelled ones with --data"):
        compare_with_peers(model, peers=["mediapipe"])


def test_compare__our_missing_backend_is_refused_before_any_peer_starts(
    model: Path, empty: Path
) -> None:
    with pytest.raises(UsageError, match="backend openvino: is not installed"):
        compare_with_peers(model, peers=["mediapipe"], person_free=[empty], backends=("openvino",))


def test_compare__data_without_the_training_parts(
    model: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "humanseg.data.metadata", None)
    with pytest.raises(UsageError, match=r'pip install "humanseg\[train\]"'):
        compare_with_peers(model, peers=["mediapipe"], data=drawn)


def test_package__imports_neither_torch_nor_any_runtime_nor_scipy() -> None:
    code = (
        "import importlib, pkgutil, sys, humanseg.benchmark as package\n"
        "for found in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "heavy = {'torch', 'lightning', 'onnxruntime', 'openvino', 'scipy', 'mediapipe', 'cv2'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
