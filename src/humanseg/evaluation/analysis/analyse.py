"""Everything that is said of networks that were tested on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from humanseg.evaluation.analysis.differences import analyse_pairs, compare_false_alarms
from humanseg.evaluation.analysis.external_scores import analyse_sources
from humanseg.evaluation.analysis.measures import analyse_network
from humanseg.evaluation.analysis.subjects import Subject
from humanseg.results import Analysis


def analyse(
    subjects: Sequence[Subject],
    *,
    groups: Mapping[str, str],
    sources: Mapping[str, str],
    without: Mapping[str, Sequence[Subject]] | None = None,
) -> Analysis:
    """Intervals, strata, gaps and pairwise tests of networks that were tested on the same images.

    `groups` and `sources` are by image; images without a group are groups of their own. `without`
    has, by source, the networks of the same names that trained without it.

    Raises:
        ValueError: no scores at all.
    """
    images = sorted({name for subject in subjects for name in subject.by_image})
    if not images:
        raise ValueError("No scores to analyse.")
    folds = {run.fold for subject in subjects for run in subject.runs}
    in_folds = any(fold for _, fold in folds)
    return Analysis(
        images=len(images),
        groups=len({groups.get(name, name) for name in images}),
        folds=max(fold for _, fold in folds) if in_folds else None,
        repeats=len({seed for seed, _ in folds}) if in_folds else 1,
        seeds=max(len(subject.seeds) for subject in subjects),
        networks=tuple(analyse_network(subject, groups, sources) for subject in subjects),
        pairs=analyse_pairs(subjects, groups),
        false_alarms=compare_false_alarms(subjects, groups),
        sources=analyse_sources(subjects, without or {}, groups, in_folds=in_folds),
    )
