"""The images of a study: their scores over networks."""

from __future__ import annotations

from collections.abc import Mapping

from humanseg.report.study import Study
from humanseg.results import ImageScore


def image_scores(study: Study) -> dict[str, ImageScore]:
    """Counts of every scored image, by the first network that has it."""
    scores: dict[str, ImageScore] = {}
    for network in study.finished:
        scores = {**network.image_scores, **scores}
    return scores


def scores_by_network(study: Study, name: str) -> dict[str, dict[str, float]]:
    """`Network.by_image` of every finished network by its name."""
    return {network.name: network.by_image(name) for network in study.finished}


def scores_by_image(by_network: Mapping[str, Mapping[str, float]]) -> dict[str, list[float]]:
    """The scores of every image, of each network that has one."""
    gathered: dict[str, list[float]] = {}
    for scores in by_network.values():
        for id_, score in scores.items():
            gathered.setdefault(id_, []).append(score)
    return gathered
