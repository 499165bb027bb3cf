"""Everything that is said of networks: of those of a comparison, from its records alone."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from humanseg.config.comparison_config import CompareConfig, slug
from humanseg.config.schema import TrainConfig
from humanseg.evaluation.analysis.differences import analyse_pairs, compare_false_alarms
from humanseg.evaluation.analysis.external_scores import (
    analyse_external,
    analyse_robustness,
    analyse_sources,
)
from humanseg.evaluation.analysis.measures import analyse_network
from humanseg.evaluation.analysis.subjects import Subject, scores_of
from humanseg.results import (
    Analysis,
    Bound,
    CorruptedScores,
    DataRecord,
    Evaluation,
    ExternalAnalysis,
    Record,
    RobustnessAnalysis,
    RunResult,
    ScoreSummary,
    read_record,
)
from humanseg.system.errors import DataError

R = TypeVar("R", bound=Record)

_BASELINES: tuple[Literal["mean_mask", "all_background"], ...] = ("mean_mask", "all_background")


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


@dataclass(frozen=True)
class FinishedPlan:
    """What a comparison has to conclude from."""

    folder: Path
    config: CompareConfig
    plan: Mapping[str, TrainConfig]
    """All runs of the plan by name."""
    runs: Mapping[str, RunResult]
    """Finished ones by name."""
    data: DataRecord

    def complete(self, arch: str, left_out: str | None = None) -> list[RunResult]:
        """Runs of one architecture, of the main protocol or without one source.

        Empty if one is missing: the network was not tested on the same images as the others.
        """
        planned = [
            name
            for name, run in self.plan.items()
            if (run.model.arch, run.split.left_out) == (arch, left_out)
        ]
        if not all(name in self.runs for name in planned):
            return []
        return [self.runs[name] for name in planned]

    @cached_property
    def by_arch(self) -> dict[str, list[RunResult]]:
        """Runs of the main protocol of every architecture that has finished all of them."""
        return {arch: runs for arch in self.config.archs if (runs := self.complete(arch))}

    @cached_property
    def main_runs(self) -> list[RunResult]:
        """The same runs as one list."""
        return [run for runs in self.by_arch.values() for run in runs]

    @cached_property
    def subjects(self) -> list[Subject]:
        """The same runs as the analysis takes them."""
        return [
            Subject(arch, arch, tuple(map(scores_of, runs))) for arch, runs in self.by_arch.items()
        ]


def analyse_comparison(finished: FinishedPlan) -> Analysis | None:
    """Analyse a comparison; None before any network has finished all of its runs.

    What needs the images themselves is added by `evaluation.leakage.add_data_checks`.

    Raises:
        DataError: stored scores that cannot be read, or other data that changed between runs.
    """
    if not finished.by_arch:
        return None
    without = {
        source: [
            Subject(arch, arch, tuple(map(scores_of, runs)))
            for arch in finished.by_arch
            if (runs := finished.complete(arch, left_out=source))
        ]
        for source in sorted(set(finished.data.sources.values()))
    }
    groups, sources = finished.data.groups, finished.data.sources
    analysis = analyse(finished.subjects, groups=groups, sources=sources, without=without)
    return analysis.model_copy(
        update={
            "external": tuple(_external(finished)),
            "robustness": tuple(_robustness(finished)),
            "bounds": baseline_bounds(finished.main_runs),
        }
    )


def _external(finished: FinishedPlan) -> list[ExternalAnalysis]:
    analyses = []
    for root in finished.config.test_on:
        name = slug(root.name)
        for arch, runs in finished.by_arch.items():
            evaluations = _records(finished, runs, f"external/{name}.json", Evaluation)
            if not evaluations:
                continue
            fingerprints = {evaluation.data_fingerprint for evaluation in evaluations}
            if len(fingerprints) > 1:
                raise DataError(
                    f"{root}: changed between runs of this comparison; delete the folders "
                    f"external/ in {finished.folder / 'runs'} and run it again."
                )
            subject = Subject(arch, arch, tuple(map(scores_of, evaluations)))
            groups = dict(ChainMap(*(evaluation.groups for evaluation in evaluations)))
            analyses.append(
                analyse_external(subject, groups, name=name, fingerprint=fingerprints.pop())
            )
    return analyses


def _robustness(finished: FinishedPlan) -> list[RobustnessAnalysis]:
    analyses: list[RobustnessAnalysis] = []
    for arch, runs in finished.by_arch.items():
        records = _records(finished, runs, "corrupted.json", CorruptedScores)
        if finished.config.corrupted_images and records:
            analyses += analyse_robustness(arch, records, finished.data.groups)
    return analyses


def _records(
    finished: FinishedPlan, runs: Sequence[RunResult], name: str, kind: type[R]
) -> list[R]:
    """A record of each run; none at all where one is missing."""
    files = [finished.folder / "runs" / run.name / name for run in runs]
    return [read_record(file, kind) for file in files] if all(map(Path.exists, files)) else []


def baseline_bounds(runs: Sequence[RunResult]) -> tuple[Bound, ...]:
    """What needs no network, over all test parts: the mean training mask, and all background.

    Every split has baselines of its own, the same for all networks; each counts as much as it has
    pictures with a score.
    """
    by_split = {run.split: run.baselines for run in runs}
    bounds = []
    for name in _BASELINES:
        parts = [baselines[name] for baselines in by_split.values() if name in baselines]
        if parts:
            bounds.append(
                Bound(
                    name=name,
                    side="baseline",
                    networks=(),
                    images=sum(part.images for part in parts),
                    iou=_mean(parts, "iou_mean"),
                    boundary_iou=_mean(parts, "boundary_iou_mean"),
                )
            )
    return tuple(bounds)


def _mean(parts: Sequence[ScoreSummary], name: str) -> float | None:
    """Mean over all pictures that have the score."""
    defined = [
        (part.images - part.undefined, value)
        for part in parts
        if (value := getattr(part, name)) is not None
    ]
    weight = sum(count for count, _ in defined)
    return sum(count * value for count, value in defined) / weight if weight else None
