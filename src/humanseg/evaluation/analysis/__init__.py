"""From the scores of finished runs to what may be said about their networks.

Every number here is computed once and kept in the records; the report only shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from humanseg.evaluation.analysis.baseline_scores import baselines
from humanseg.evaluation.analysis.differences import analyse_pairs
from humanseg.evaluation.analysis.external_scores import (
    analyse_external,
    analyse_robustness,
    analyse_sources,
)
from humanseg.evaluation.analysis.network_scores import analyse_network
from humanseg.evaluation.analysis.subjects import RunScores, Subject, of_evaluation, of_run
from humanseg.results import Analysis

__all__ = [
    "RunScores",
    "Subject",
    "analyse",
    "analyse_external",
    "analyse_robustness",
    "baselines",
    "of_evaluation",
    "of_run",
]


def analyse(
    subjects: Sequence[Subject],
    *,
    groups: Mapping[str, str],
    sources: Mapping[str, str],
    without: Mapping[str, Sequence[Subject]] | None = None,
) -> Analysis:
    """Intervals, strata, gaps and pairwise tests of networks that were tested on the same pictures.

    Args:
        subjects: networks with their runs of the main protocol.
        groups: group by picture; pictures without one are groups of their own.
        sources: source by picture; may be empty.
        without: by source, the networks of the same names that trained without it.

    Raises:
        ValueError: no scores at all.
    """
    pictures = sorted({name for subject in subjects for name in subject.by_picture})
    if not pictures:
        raise ValueError("No scores to analyse.")
    folds = {run.fold for subject in subjects for run in subject.runs}
    in_folds = any(fold for _, fold in folds)
    return Analysis(
        pictures=len(pictures),
        groups=len({groups.get(name, name) for name in pictures}),
        folds=max(fold for _, fold in folds) if in_folds else None,
        repeats=len({seed for seed, _ in folds}) if in_folds else 1,
        seeds=max(len(subject.seeds) for subject in subjects),
        networks=tuple(analyse_network(subject, groups, sources) for subject in subjects),
        pairs=analyse_pairs(subjects, groups),
        sources=analyse_sources(subjects, without or {}, groups, in_folds=in_folds),
    )
