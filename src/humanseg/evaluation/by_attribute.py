"""Scores by attributes of the images: what the truth and the pixels tell, or columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from humanseg.data.sources import GroupTable
from humanseg.effects.regions import PERSON_SHARE, find_regions
from humanseg.evaluation.analysis.measures import COMPARED, SIZES, bootstrap_of, thirds
from humanseg.evaluation.metrics import Mask
from humanseg.evaluation.metrics.surface import near_contour
from humanseg.images.resize import resize_image, resize_mask, size_within
from humanseg.results import AttributeAnalysis, AttributeGroup, ImageScore, Interval
from humanseg.system.errors import UsageError

SMALLEST_GROUP = 20
"""Independent images; the mean of fewer says too little to be quoted."""
SHUFFLES = 2000
"""How often images are dealt to the groups by lot, for the p-value of the largest gap."""
CUT_SHARE = 0.02
"""Of the image's border pixels: from here on people count as cut off."""
SURROUNDINGS = 20
"""The diagonal over it is how far the surroundings of a person reach: 5 %."""
_SIDE = 256  # pixels of the longer side on which light is measured
_ROUNDING = 1e-9
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601

GROUPS: dict[str, tuple[str, ...]] = {
    "person-size": SIZES,
    "people": ("1", "2", "3+"),
    "cut-off": ("whole", "cut off"),
    "luminance": ("dark", "medium", "bright"),
    "contrast": ("low", "medium", "high"),
}
"""Attributes that need no table, with their groups."""


@dataclass(frozen=True)
class ScenePeople:
    """The people of an image, as its truth and its pixels show them."""

    share: float
    """Of the image that is person, above 0 to 1."""
    regions: int
    """Connected regions of at least `PERSON_SHARE` of the image; 1 where all are smaller."""
    border_share: float
    """Of the image's border pixels that are person, 0 to 1."""
    luminance: float | None
    """Mean luma of the person, 0 to 1; None where too little is left of it on a small copy."""
    contrast: float | None
    """Difference of that from the mean luma of the surroundings, either way, 0 to 1."""


def describe_people(image: NDArray[np.uint8], truth: Mask) -> ScenePeople | None:
    """What an image's attributes follow from; None without a person.

    Args:
        image: uint8 (height, width, 3), RGB.
        truth: bool, its true mask, of any size of the same aspect ratio.
    """
    if not truth.any():
        return None
    border = np.concatenate([truth[0], truth[-1], truth[1:-1, 0], truth[1:-1, -1]])
    luminance, contrast = _light(image, truth)
    return ScenePeople(
        share=float(truth.mean()),
        regions=max(1, int((find_regions(truth).areas >= PERSON_SHARE * truth.size).sum())),
        border_share=float(border.mean()),
        luminance=luminance,
        contrast=contrast,
    )


def _light(image: NDArray[np.uint8], truth: Mask) -> tuple[float | None, float | None]:
    """Mean luma of the person and its distance from that of the surroundings."""
    size = size_within((image.shape[0], image.shape[1]), _SIDE)
    luma = resize_image(image, size) @ np.array(_LUMA) / 255
    person = resize_mask(truth, size)
    around = near_contour(person, SURROUNDINGS) & ~person
    if not person.any():
        return None, None
    own = float(luma[person].mean())
    return own, abs(own - float(luma[around].mean())) if around.any() else None


def labels_of(attribute: str, people: Mapping[str, ScenePeople | None]) -> dict[str, str]:
    """Group by image of an attribute of `GROUPS`; images of which it is not known are left out."""
    groups = GROUPS[attribute]
    present = {name: scene for name, scene in people.items() if scene is not None}
    if attribute == "people":
        return {name: groups[min(scene.regions, 3) - 1] for name, scene in present.items()}
    if attribute == "cut-off":
        return {name: groups[scene.border_share >= CUT_SHARE] for name, scene in present.items()}
    field = {"person-size": "share"}.get(attribute, attribute)
    values = {name: getattr(scene, field) for name, scene in present.items()}
    return thirds({name: value for name, value in values.items() if value is not None}, groups)


def columns_of(by: Sequence[str], table: GroupTable) -> dict[str, dict[str, str]]:
    """Those attributes that are columns of a table: group by image.

    Raises:
        UsageError: an attribute that is neither of `GROUPS` nor a column, is both, or is a column
            without a value.
    """
    columns: dict[str, dict[str, str]] = {}
    for attribute in by:
        if attribute in GROUPS:
            if attribute in table:
                raise UsageError(
                    f"by {attribute}: is an attribute of the images and a column of the table of "
                    "groups too; rename the column."
                )
        elif attribute not in table:
            columns_given = ", ".join(table) or "no table was given"
            raise UsageError(
                f"by {attribute}: unknown; give {', '.join(GROUPS)} or a column of the table of "
                f"groups ({columns_given})."
            )
        elif not table[attribute]:
            raise UsageError(f"by {attribute}: the column has no value; fill it or leave it out.")
        else:
            columns[attribute] = table[attribute]
    return columns


def analyse_attribute(
    attribute: str,
    scores: Sequence[ImageScore],
    labels: Mapping[str, str],
    groups: Mapping[str, str],
) -> AttributeAnalysis:
    """Scores by group of an attribute, the worst group, and how far it is behind the best.

    Args:
        attribute: its name.
        scores: of all images; those without a person do not count.
        labels: value of the attribute by image.
        groups: group by image of those that show the same, which intervals resample together.
    """
    people = [score for score in scores if not score.person_free]
    parts: dict[str, list[ImageScore]] = {
        name: [] for name in GROUPS.get(attribute) or sorted(set(labels.values()))
    }
    for score in people:
        if score.id in labels:
            parts[labels[score.id]].append(score)
    results = tuple(
        AttributeGroup(
            name=name,
            images=len(part),
            metrics=_means(part, groups),
            independent=_independent(part, groups),
        )
        for name, part in parts.items()
        if part
    )
    ranked = sorted(
        (group for group in results if group.metrics),
        key=lambda group: group.metrics["iou"].estimate,
    )
    worst, best = (ranked[0].name, ranked[-1].name) if len(ranked) > 1 else (None, None)
    return AttributeAnalysis(
        attribute=attribute,
        groups=results,
        unlabelled=sum(score.id not in labels for score in people),
        worst=worst,
        best=best,
        gap=_gap(parts[best], parts[worst], groups) if best and worst else None,
        gap_p=_gap_p([parts[group.name] for group in ranked], groups) if best else None,
    )


def _independent(part: Sequence[ImageScore], groups: Mapping[str, str]) -> int:
    return len({groups.get(score.id, score.id) for score in part})


def _means(part: Sequence[ImageScore], groups: Mapping[str, str]) -> dict[str, Interval]:
    if _independent(part, groups) < SMALLEST_GROUP:
        return {}
    bootstrap = bootstrap_of([score.id for score in part], groups)
    means = {name: bootstrap.mean([getattr(score, name) for score in part]) for name in COMPARED}
    return {name: mean for name, mean in means.items() if mean is not None}


def _gap(
    best: Sequence[ImageScore], worst: Sequence[ImageScore], groups: Mapping[str, str]
) -> Interval | None:
    """Difference of mean IoU; a resample without images of both parts is left out."""
    both = [*best, *worst]
    first = np.arange(len(both)) < len(best)
    ious = np.array([score.iou for score in both], dtype=np.float64)
    columns = np.column_stack([first, first * ious, ~first, ~first * ious])
    return bootstrap_of([score.id for score in both], groups).of_sums(
        columns, lambda sums: sums[:, 1] / sums[:, 0] - sums[:, 3] / sums[:, 2]
    )


def _gap_p(parts: Sequence[Sequence[ImageScore]], groups: Mapping[str, str]) -> float:
    """How often chance makes a gap as clear as that of the first and the last part.

    A permutation test of the largest of all gaps, each over its standard error (Janssen 1997), so
    that parts of unequal size or spread count alike. Images of a group are dealt out one after the
    other, as they are found: a part has as many of one group as it had.
    """
    scores = [score for part in parts for score in part]
    names = [groups.get(score.id, score.id) for score in scores]
    group = np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1]
    order = np.argsort(group, kind="stable")
    group = group[order]
    ious = np.array([score.iou for score in scores], dtype=np.float64)[order]
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])[order]
    rng = np.random.default_rng(0)
    reached = 1  # the parts as they are
    found = _clearness(ious, labels, group)[0, -1]
    for _ in range(SHUFFLES):
        dealt = np.argsort(rng.permutation(group[-1] + 1)[group] + rng.random(len(group)))
        reached += bool(_clearness(ious[dealt], labels, group[dealt]).max() >= found - _ROUNDING)
    return reached / (SHUFFLES + 1)


def _clearness(
    values: NDArray[np.float64], labels: NDArray[np.intp], group: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Gaps of the labels' means, two by two, over their standard errors: (labels, labels)."""
    counts = np.bincount(labels)
    means = np.bincount(labels, weights=values) / counts
    cells = group * len(counts) + labels
    shares = (values - means[labels]) / counts[labels]
    sums = np.bincount(cells, weights=shares, minlength=(group.max() + 1) * len(counts))
    by_group = sums.reshape(-1, len(counts))
    covariance = by_group.T @ by_group
    own = np.diag(covariance)
    errors = np.sqrt(np.maximum(own[:, None] + own - 2 * covariance, 0.0))
    gaps = np.abs(means[:, None] - means)
    return np.where(gaps > _ROUNDING, gaps / np.maximum(errors, _ROUNDING), 0.0)
