"""Sentences on records that cannot be what a run or an evaluation wrote."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from humanseg.report.formatting import counted, listed
from humanseg.report.ranking import metric_of
from humanseg.report.study import Scored, Study, grouped
from humanseg.report.study_plan import every_run
from humanseg.results import RunResult

ROUNDING = 1e-6
"""Difference of two means of the same scores."""


def contradictions(study: Study) -> Iterator[str]:
    """What in the records contradicts itself, so that no verdict is drawn from them."""
    records: list[tuple[str, Scored]] = [
        (network.label, record) for network in study.networks for record in network.scored
    ]
    records += [(run.name, run) for run in every_run(study) if run.config.split.left_out]
    for is_so, said in _KINDS.items():
        names = list(dict.fromkeys(name for name, record in records if is_so(record)))
        if names:
            yield f"{said} ({listed(names)}): no verdict is drawn from such records."
    truths = grouped(
        (score.id, (score.tp + score.fn, score.pixels, score.height, score.width))
        for _, record in records
        for score in record.scores
    )
    several = sum(len(set(own)) > 1 for own in truths.values())
    if several:
        yield (
            f"{counted(several, 'picture')} {'has' if several == 1 else 'have'} other true masks "
            "in some records than in others: no verdict is drawn from such records."
        )


def _scored_twice(record: Scored) -> bool:
    return len({score.id for score in record.scores}) < len(record.scores)


def _other_pictures(record: Scored) -> bool:
    """Whether the pictures with a score are not those of the test part."""
    own = {score.id for score in record.scores}
    return isinstance(record, RunResult) and own != set(record.split.test)


def _shared_parts(record: Scored) -> bool:
    """Whether a picture is in two parts of the split that must share none."""
    if not isinstance(record, RunResult):
        return False
    split = record.split
    parts = [split.train, split.test]
    parts += [] if split.validation_is_test else [split.validation]
    return len(set().union(*parts)) < sum(len(set(part)) for part in parts)


_KINDS: dict[Callable[[Scored], bool], str] = {
    _scored_twice: "Pictures have more than one score in a record",
    _other_pictures: "The pictures with a score are not those of the test part",
    _shared_parts: "Parts of a split share pictures, and no picture may be trained on and tested",
}


def changed_by_hand(study: Study) -> Iterator[str]:
    """Figures that cannot have been computed from the scores beside them."""
    for network in study.finished:
        shown, scores = metric_of(study, network, "iou"), network.by_image("iou").values()
        pairs = [(shown.estimate if shown else None, list(scores))]
        for record in network.scored:
            own = [image.iou for image in record.scores if image.iou is not None]
            pairs.append((record.summary.iou_mean, own))
        if any(
            figure is not None and values and abs(figure - statistics.fmean(values)) > ROUNDING
            for figure, values in pairs
        ):
            yield (
                f"The per-image IoU of {network.label} is not the mean of its pictures: a record "
                "was changed after it was written. Score its model again with humanseg evaluate."
            )
