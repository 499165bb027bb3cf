from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from humanseg.report import charts
from humanseg.report.summary import Study, load_study
from humanseg.report.svg import Axis, Box, Panel, ticks

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
    panel = Panel('a"<b>&', "d", size=(100, 100), box=Box(10, 10, 90, 60), x_axis=axis)
    panel.marker(5, 5, 1, note="</title><script>")
    text = panel.render()
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;x&gt;" in text


def drawings(study: Study) -> Iterator[str]:
    yield charts.strip_plot(study)
    yield charts.share_plot(study)
    yield from charts.cost_plots(study)
    for curves in charts.learning_curves(study):
        yield from (curves.loss, curves.overlap)


def places(root: ET.Element) -> Iterator[tuple[float, float]]:
    for element in root.iter():
        for x, y in (("x", "y"), ("cx", "cy"), ("x1", "y1"), ("x2", "y2")):
            if x in element.attrib and y in element.attrib:
                yield float(element.attrib[x]), float(element.attrib[y])
        for pair in element.attrib.get("points", "").split():
            first, second = pair.split(",")
            yield float(first), float(second)


@pytest.mark.parametrize("name", ["finished", "broken"])
def test_charts__are_titled_and_draw_inside_their_frame(
    name: str, request: pytest.FixtureRequest
) -> None:
    study = load_study(request.getfixturevalue(name))
    for text in drawings(study):
        root = ET.fromstring(text)
        assert root.findtext("title")
        assert root.findtext("desc")
        width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
        assert all(0 <= x <= width and 0 <= y <= height for x, y in places(root))


def test_strip_plot__one_mark_per_picture_and_network(finished: Path) -> None:
    study = load_study(finished)
    root = ET.fromstring(charts.strip_plot(study))
    marks = [one for one in root.iter() if "marker" in one.attrib.get("class", "")]
    assert len(marks) == 3 * study.pictures
    medians = [one.text for one in root.iter("text") if "median" in (one.text or "")]
    assert len(medians) == 3


def test_cost_plot__labels_never_touch(study_of: StudyMaker) -> None:
    study = study_of({"unet": [[0.9] * 4], "fpn": [[0.9] * 4], "deeplabv3plus": [[0.9] * 4]})
    for text in charts.cost_plots(study):
        root = ET.fromstring(text)
        labels = [one for one in root.iter("text") if one.attrib["class"] == "series"]
        heights = sorted(float(one.attrib["y"]) for one in labels)
        assert all(after - before >= 15 for before, after in itertools.pairwise(heights))


def test_loss_limit__a_wild_start_does_not_flatten_the_rest(study_of: StudyMaker) -> None:
    (run,) = study_of({"unet": [[0.9]]}).runs
    wild = run.epochs[0].model_copy(update={"validation_loss": 340.0, "train_loss": 1.2})
    assert charts.loss_limit([wild, *run.epochs[1:]]) == pytest.approx(2.4)
    calm = run.epochs[0].model_copy(update={"validation_loss": 1.3, "train_loss": 1.2})
    assert charts.loss_limit([calm]) == pytest.approx(1.3)
