from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.peers.compare import (
    ImageOptions,
    OurOptions,
    compare_with_peers,
    difference,
    files_fingerprint,
)
from benchmarks.peers.record import PeersRecord, SystemResult
from PIL import Image

from benchmarks.peers import systems
from humanseg.benchmark.inputs import find
from humanseg.benchmark.timing import summarise_times
from humanseg.evaluation.metrics import score_image, summarise
from humanseg.results import ImageScore, SplitRecord, read_record, write_record
from humanseg.system.errors import DataError, UsageError

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
        model,
        ImageOptions(data=drawn),
        peers=[str(adapter(RED, name="red")), str(adapter(ALL, name="all"))],
    )
    assert [system.name for system in record.systems] == [
        "humanseg onnxruntime fp32 x2",
        "red",
        "all",
    ]
    ours, red, everything = record.systems
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
    assert [time.marked for time in everything.labelled] == [1.0] * 20


def test_compare__differences_are_ours_less_theirs_on_the_same_pictures(
    model: Path, drawn: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(model, ImageOptions(data=drawn), peers=[str(adapter(ALL))])
    ours, theirs = record.systems
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
    record = compare_with_peers(
        model, ImageOptions(person_free=(empty,)), peers=[str(adapter(RED))]
    )
    red = record.systems[1]
    assert [time.marked for time in red.person_free] == [0.0008, 0.0012, 0.0, 1.0]
    assert red.marked_area == pytest.approx((0.0008 + 0.0012 + 1.0) / 4)
    assert red.marked_pictures == 0.5  # 0.08 % does not count, 0.12 % does
    assert red.summary is None
    assert record.data_fingerprint is None
    assert record.person_free_fingerprint is not None


def test_compare__takes_turns_in_another_order_each_time(
    model: Path, empty: Path, adapter: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for kind in (systems.Ours, systems.Peer):
        monkeypatch.setattr(kind, "segment", _noting(order, kind.segment))
    compare_with_peers(
        model,
        ImageOptions(person_free=(empty,)),
        peers=[str(adapter(RED, name="red")), str(adapter(ALL, name="all"))],
        calls=1,
    )
    ours = "humanseg onnxruntime fp32 x2"
    assert order == [
        *(ours, "red", "all"),
        *("red", "all", ours),
        *("all", ours, "red"),
        *(ours, "red", "all"),
    ]


def _noting(order: list[str], segment: Callable[..., object]) -> Callable[..., object]:
    def noted(self: systems.System, *arguments: object) -> object:
        order.append(self.name)
        return segment(self, *arguments)

    return noted


def test_compare__counts_calls_and_threads(
    model: Path, empty: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(
        model,
        ImageOptions(person_free=(empty,)),
        peers=[str(adapter(RED))],
        calls=4,
        ours=OurOptions(threads=(1, 2)),
    )
    assert [system.settings.get("threads") for system in record.systems] == ["1", "2", None]
    assert {system.time.count for system in record.systems} == {16}


def test_compare__record_comes_back_from_its_file(
    model: Path, drawn: Path, empty: Path, adapter: Callable[..., Path], tmp_path: Path
) -> None:
    record = compare_with_peers(
        model, ImageOptions(data=drawn, person_free=(empty,)), peers=[str(adapter(RED))], calls=1
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
        model, ImageOptions(data=drawn, split=tmp_path / "split.json"), peers=[str(adapter(RED))]
    )
    assert [score.id for score in record.systems[1].scores] == ["003", "005"]


def test_compare__split_of_other_data_is_refused(model: Path, drawn: Path, tmp_path: Path) -> None:
    parts = SplitRecord(train=(), validation=(), test=("003", "x"), validation_is_test=False)
    write_record(tmp_path / "split.json", parts)
    with pytest.raises(DataError, match=r"1 of its test images are not in the data .such as 'x'"):
        compare_with_peers(
            model, ImageOptions(data=drawn, split=tmp_path / "split.json"), peers=["mediapipe"]
        )


def test_compare__limit_spreads_over_the_pictures(
    model: Path, drawn: Path, adapter: Callable[..., Path]
) -> None:
    record = compare_with_peers(model, ImageOptions(data=drawn, limit=4), peers=[str(adapter(RED))])
    assert [score.id for score in record.systems[0].scores] == ["000", "005", "010", "015"]


def test_compare__groups_from_a_table(
    model: Path, drawn: Path, adapter: Callable[..., Path], tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    rows = [f"{number:03},{number // 10}" for number in range(20)]
    table.write_text("\n".join(["id,group", *rows]) + "\n")
    record = compare_with_peers(
        model, ImageOptions(data=drawn, groups=table, limit=10), peers=[str(adapter(RED))]
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
    record = compare_with_peers(
        model, ImageOptions(data=folder, limit=3), peers=[str(adapter(RED))]
    )
    score = record.systems[1].scores[0]
    assert (score.height, score.width) == (36, 28)
    assert (score.iou or 0) > 0.9


def test_fingerprint__is_of_names_and_contents_and_not_of_folders(
    drawn: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(drawn / "images", folder)
    before = files_fingerprint(find([drawn / "images"]))
    assert files_fingerprint(find([folder])[::-1]) == before
    (folder / "000.png").rename(folder / "0.png")
    assert files_fingerprint(find([folder])) != before
    (folder / "0.png").rename(folder / "000.png")
    (folder / "001.png").write_bytes((folder / "002.png").read_bytes())
    assert files_fingerprint(find([folder])) != before


def test_compare__needs_pictures(model: Path) -> None:
    with pytest.raises(UsageError, match="give labelled ones with --data"):
        compare_with_peers(model, ImageOptions(), peers=["mediapipe"])


def test_compare__our_missing_backend_is_refused_before_any_peer_starts(
    model: Path, empty: Path
) -> None:
    with pytest.raises(UsageError, match="backend openvino: is not installed"):
        compare_with_peers(
            model,
            ImageOptions(person_free=(empty,)),
            peers=["mediapipe"],
            ours=OurOptions(backends=("openvino",)),
        )


def _result(name: str, tps: tuple[int, ...], seconds: float = 0.01) -> SystemResult:
    """A system that finds so many of the 100 pixels of each image's person."""
    scores = tuple(
        ImageScore(
            id=str(number), height=20, width=10, tp=tp, fp=0, fn=100 - tp, tn=100,
            boundary_intersection=tp // 2, boundary_union=100,
        )
        for number, tp in enumerate(tps)
    )  # fmt: skip
    return SystemResult(
        name=name,
        settings={},
        load_seconds=0.0,
        scores=scores,
        summary=summarise(scores) if scores else None,
        labelled=(),
        person_free=(),
        marked_area=None,
        marked_pictures=None,
        time=summarise_times([(seconds,)]),
    )


def test_difference__counts_images_on_which_the_other_is_better_too() -> None:
    ours, theirs = _result("ours", (90, 50, 60), 0.02), _result("theirs", (50, 80, 60), 0.01)
    groups = {"0": "a", "1": "b", "2": "c"}
    less = difference(ours, theirs, groups)
    assert (less.other, less.time_ratio) == ("theirs", 2.0)
    assert less.iou is not None
    assert less.iou.estimate == pytest.approx((0.40 - 0.30 + 0.00) / 3)
    assert less.iou.low is not None
    assert less.iou.low < 0
    assert less.boundary_iou is not None
    assert less.boundary_iou.estimate == pytest.approx((0.20 - 0.15 + 0.00) / 3)
    more = difference(theirs, ours, groups)
    assert more.iou is not None
    assert more.iou.estimate == pytest.approx(-less.iou.estimate)


def test_difference__leaves_out_what_one_has_no_score_on() -> None:
    ours, theirs = _result("ours", (90, 0)), _result("theirs", (50, 30))
    nobody = ours.scores[1].model_copy(update={"fn": 0, "tn": 200, "boundary_union": 0})
    ours = ours.model_copy(update={"scores": (ours.scores[0], nobody)})
    less = difference(ours, theirs, {"0": "a", "1": "b"})
    assert less.iou is not None
    assert less.iou.estimate == pytest.approx(0.4)


def test_difference__without_labelled_images_is_of_times_alone() -> None:
    unscored = _result("x", ())
    assert difference(unscored, unscored, {}).iou is None
