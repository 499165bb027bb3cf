from __future__ import annotations

import dataclasses
import itertools
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from humanseg.report.charts import score_charts
from humanseg.report.charts.cost_charts import cost_plots
from humanseg.report.charts.curves import learning_curves, loss_limit, robustness_curves
from humanseg.report.charts.svg import Axis, Panel, key, ticks
from humanseg.report.load_study import load_studies, load_study
from humanseg.report.ranking import metric_of
from humanseg.report.study import SLOTS, Study

StudyMaker = Callable[..., Study]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.6, 1, [0.6, 0.7, 0.8, 0.9, 1]),
        (0, 2.87, [0, 1, 2]),
        (0, 178, [0, 50, 100, 150]),
        (-3, 3, [-2, 0, 2]),
        (5, 5, [5]),
    ],
)
def test_ticks__are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_panel__escapes_text() -> None:
    axis = Axis(0, 1, "<x>")
    panel = Panel('a"<b>&', "d", size=(100, 100), margins=(10, 10, 10), x_axis=axis)
    panel.marker(5, 5, 1, note="</title><script>")
    text = panel.render()
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;x&gt;" in text


def test_key__every_slot_has_a_shape_of_its_own() -> None:
    shapes = {slot: ET.fromstring(key(slot))[0] for slot in range(1, SLOTS + 1)}
    drawn = {(shape.tag, shape.attrib.get("points")) for shape in shapes.values()}
    assert len(drawn) == SLOTS
    for slot, shape in shapes.items():
        assert shape.attrib["class"] == f"marker net-{slot}"
        coordinates = [
            float(part) for part in shape.attrib.get("points", "").replace(",", " ").split()
        ]
        assert all(0 <= coordinate <= 12 for coordinate in coordinates)


def drawings(study: Study) -> Iterator[str]:
    yield score_charts.strip_plot(study)
    yield score_charts.share_plot(study)
    yield score_charts.interval_plot(study, "iou")
    yield score_charts.interval_plot(study, "boundary_iou")
    yield score_charts.reliability_plot(study, "calibration")
    yield score_charts.reliability_plot(study, "band_calibration")
    yield from cost_plots(study)
    yield from robustness_curves(study)
    for _, loss, overlap in learning_curves(study):
        yield from (loss, overlap)


def drawn(study: Study) -> list[ET.Element]:
    return [ET.fromstring(text) for text in drawings(study) if text]


def places(root: ET.Element) -> Iterator[tuple[float, float]]:
    for element in root.iter():
        for x, y in (("x", "y"), ("cx", "cy"), ("x1", "y1"), ("x2", "y2")):
            if x in element.attrib and y in element.attrib:
                yield float(element.attrib[x]), float(element.attrib[y])
        for pair in element.attrib.get("points", "").split():
            first, second = pair.split(",")
            yield float(first), float(second)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("compared", 2 + 2 + 2 + 4 + 6),
        ("cross_data", 2 + 2 + 2 + 4 + 2 + 6),
        ("unfinished_data", 2 + 2 + 4 + 6),
        ("evaluation_data", 2 + 2),
    ],
)
def test_charts__are_titled_and_draw_inside_their_frame(
    name: str, count: int, request: pytest.FixtureRequest
) -> None:
    study = load_study(request.getfixturevalue(name))
    roots = drawn(study)
    assert len(roots) == count
    for root in roots:
        assert root.findtext("title")
        assert root.findtext("desc")
        width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places(root))


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.attrib.get("class", "").split()]


def test_strip_plot__one_mark_per_picture_and_the_mean_with_its_interval(compared: Path) -> None:
    study = load_study(compared)
    root = ET.fromstring(score_charts.strip_plot(study))
    assert len(of_class(root, "marker")) == 3 * len(study.image_scores) + 3
    assert len(of_class(root, "median")) == 3
    whiskers = of_class(root, "whisker")
    for network, whisker in zip(study.finished, whiskers, strict=True):
        mean = metric_of(study, network, "iou")
        assert mean is not None
        low, high = float(whisker.attrib["x1"]), float(whisker.attrib["x2"])
        (mark,) = [
            element
            for element in of_class(root, "marker")
            if f"mean {mean.estimate:.3f}" in (element[0].text or "")
        ]
        assert low < middle(mark) < high


def middle(mark: ET.Element) -> float:
    if "cx" in mark.attrib:
        return float(mark.attrib["cx"])
    xs = [float(pair.split(",")[0]) for pair in mark.attrib["points"].split()]
    return (min(xs) + max(xs)) / 2


def test_charts__nothing_to_draw_is_nothing(study_of: StudyMaker) -> None:
    study = study_of({"unet": [], "fpn": []})
    assert not any(drawings(study))


def test_interval_plot__zero_line_and_hollow_marks_for_no_evidence(study_of: StudyMaker) -> None:
    scores = {"unet": 0.9, "fpn": 0.8, "deeplabv3plus": 0.799}
    study = study_of({arch: [[value] * 4] * 2 for arch, value in scores.items()})
    root = ET.fromstring(score_charts.interval_plot(study, "iou"))
    zero, *others = of_class(root, "zero")
    assert {element.attrib["x1"] for element in others} == {zero.attrib["x1"]}
    assert len(of_class(root, "marker")) == 3
    (level,) = of_class(root, "open")
    assert "FPN minus DeepLabV3+" in (level[0].text or "")
    clear = [element for element in of_class(root, "marker") if element is not level]
    assert all(middle(element) > float(zero.attrib["x1"]) for element in clear)


def test_learning_curves__many_runs_are_one_mean_and_a_range(cross_data: Path) -> None:
    study = load_study(cross_data)
    (_, loss, _), *_ = learning_curves(study)
    root = ET.fromstring(loss)
    assert len(of_class(root, "curve")) == 2
    assert len(of_class(root, "band")) == 2
    assert len(of_class(root, "kept")) == 1
    assert "6 runs" in (root.findtext("desc") or "").replace("\N{NO-BREAK SPACE}", " ")


def test_learning_curves__one_run_has_no_range(compared: Path) -> None:
    (_, _, overlap), *_ = learning_curves(load_study(compared))
    root = ET.fromstring(overlap)
    assert of_class(root, "band") == []
    assert len(of_class(root, "curve")) == 2
    assert len(of_class(root, "marker")) == 1


def test_learning_curves__mean_lies_within_the_range(cross_data: Path) -> None:
    (_, _, overlap), *_ = learning_curves(load_study(cross_data))
    root = ET.fromstring(overlap)
    for line, band in zip(of_class(root, "curve"), of_class(root, "band"), strict=True):
        heights: dict[str, list[float]] = {}
        for pair in band.attrib["points"].split():
            heights.setdefault(pair.split(",")[0], []).append(float(pair.split(",")[1]))
        for pair in line.attrib["points"].split():
            x, y = pair.split(",")
            assert min(heights[x]) - 0.11 <= float(y) <= max(heights[x]) + 0.11


def test_reliability_plots__perfect_probabilities_lie_on_the_diagonal(
    study_of: StudyMaker,
) -> None:
    study = study_of({"unet": [[0.9]]})
    (network,) = study.finished
    (run,) = network.runs
    pixels = tuple(1000 for _ in range(15))
    likely = tuple(1000 * (number + 0.5) / 15 for number in range(15))
    bins = {
        "pixels": pixels,
        "probability": likely,
        "person": tuple(round(count) for count in likely),
    }
    changed = type(run).model_validate(run.model_dump() | {"calibration": bins})
    network = dataclasses.replace(network, scored=(changed,))
    alone = dataclasses.replace(study, networks=(network,))
    root = ET.fromstring(score_charts.reliability_plot(alone, "calibration"))
    (diagonal,) = of_class(root, "diagonal")
    x1, y1, x2, y2 = (float(diagonal.attrib[name]) for name in ("x1", "y1", "x2", "y2"))
    for mark in of_class(root, "marker"):
        x, y = float(mark.attrib["cx"]), float(mark.attrib["cy"])
        assert y == pytest.approx(y1 + (x - x1) / (x2 - x1) * (y2 - y1), abs=0.3)
    assert len(of_class(root, "marker")) == 15


def test_robustness_curves__one_panel_per_corruption_from_clean_to_worst(cross_data: Path) -> None:
    study = load_study(cross_data)
    panels = [ET.fromstring(text) for text in robustness_curves(study)]
    assert [panel.findtext("title") for panel in panels] == [
        "Per-image IoU by severity: gaussian noise",
        "Per-image IoU by severity: motion blur",
    ]
    for panel in panels:
        assert len(of_class(panel, "curve")) == 3
        assert len(of_class(panel, "marker")) == 3 * 6
        notes = [element[0].text or "" for element in of_class(panel, "marker")]
        assert any("severity 0: 0.880" in note for note in notes)


def test_cost_plots__labels_never_touch(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 4], "fpn": [[0.9] * 4], "deeplabv3plus": [[0.9] * 4]})
    plots = cost_plots(study)
    assert len(plots) == 4
    for text in plots:
        root = ET.fromstring(text)
        labels = [element for element in root.iter("text") if element.attrib["class"] == "series"]
        heights = sorted(float(element.attrib["y"]) for element in labels)
        assert all(after - before >= 15 for before, after in itertools.pairwise(heights))


def test_cost_plots__many_equal_networks_keep_their_labels_inside(
    compared: Path, tmp_path: Path
) -> None:
    folders = [Path(shutil.copytree(compared, tmp_path / name)) for name in ("a", "b", "c")]
    for text in cost_plots(load_studies(folders)):
        root = ET.fromstring(text)
        labels = [element for element in root.iter("text") if element.attrib["class"] == "series"]
        heights = sorted(float(element.attrib["y"]) for element in labels)
        assert len(heights) == 9
        assert all(after - before >= 15 for before, after in itertools.pairwise(heights))
        assert heights[-1] <= 236


def test_loss_limit__a_wild_start_does_not_flatten_the_rest(study_of: StudyMaker) -> None:
    (run,) = study_of({"unet": [[0.9]]}).runs
    wild = run.epochs[0].model_copy(update={"validation_loss": 340.0, "train_loss": 1.2})
    assert loss_limit([wild, *run.epochs[1:]]) == pytest.approx(2.4)
    calm = run.epochs[0].model_copy(update={"validation_loss": 1.3, "train_loss": 1.2})
    assert loss_limit([calm]) == pytest.approx(1.3)
