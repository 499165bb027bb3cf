"""How the scores of a study came about: its plan, splits, seeds and machines."""

from __future__ import annotations

from typing import NamedTuple

from humanseg.config.split_config import FoldSplit
from humanseg.report import study_files
from humanseg.report.formatting import listed
from humanseg.report.study import Network, Study, grouped
from humanseg.results import RunResult


def title(study: Study) -> str:
    """What the page is about."""
    if study.kind == "several":
        return f"{listed(study_files.names(study.folders))} side by side"
    labels = [network.label for network in study.networks]
    if study.kind == "comparison" and len(labels) > 1:
        return f"{listed(labels)} compared"
    return f"{''.join(labels)} {'evaluated' if study.kind == 'evaluation' else 'trained'}"


class Lacking(NamedTuple):
    """A run of the plan without a result."""

    name: str
    state: str
    detail: str


def lacking_runs(study: Study) -> list[Lacking]:
    """Runs of the plan, or of those side by side, that raised or were not reached."""
    plans = [each.result for each in (study, *study.parts) if each.result]
    return [
        *(Lacking(run.name, "failed", run.error) for plan in plans for run in plan.failed),
        *(Lacking(name, "missing", "not reached") for plan in plans for name in plan.missing),
    ]


def every_run(study: Study) -> tuple[RunResult, ...]:
    """All finished runs, those outside the main protocol (without a source) too."""
    return study.result.runs if study.result else study.runs


def split_seed(study: Study) -> int:
    """Seed of the plan's splits, for what the report draws at random."""
    return study.config.split.seed if study.config else 42


def has_several_seeds(study: Study) -> bool:
    """Whether any network finished with more than one seed."""
    return any(len(network.seeds) > 1 for network in study.finished)


def repeats(study: Study) -> int:
    """How often the folds were drawn; 1 without cross-validation."""
    splits = (run.config.split for run in study.runs)
    return len({split.seed for split in splits if isinstance(split, FoldSplit)}) or 1


def folds(study: Study) -> int:
    """Number of folds, if every finished network was tested on each of them; otherwise 0."""
    counts = [_all_folds(network) for network in study.finished]
    return counts[0] if counts and all(counts) else 0


def _all_folds(network: Network) -> int:
    """Number of folds, if the runs of a network cover each in every repeat; otherwise 0."""
    splits = [run.config.split for run in network.runs]
    of_folds = [split for split in splits if isinstance(split, FoldSplit)]
    tested = grouped((split.seed, split.fold) for split in of_folds)
    counts = {split.folds for split in of_folds}
    if len(of_folds) < len(splits) or len(counts) != 1:
        return 0
    (count,) = counts
    whole = all(set(own) == set(range(1, count + 1)) for own in tested.values())
    return count if whole else 0
