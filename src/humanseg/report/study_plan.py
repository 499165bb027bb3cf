"""How the scores of a study came about: its plan, splits, seeds and machines."""

from __future__ import annotations

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.split_config import FoldSplit
from humanseg.report import study_files
from humanseg.report.formatting import listed
from humanseg.report.study import Network, Study
from humanseg.results import FailedRun, RunResult


def title(study: Study) -> str:
    """What the page is about."""
    if study.kind == "several":
        return f"{listed(study_files.names(study.folders))} side by side"
    labels = [network.label for network in study.networks]
    if study.kind == "comparison" and len(labels) > 1:
        return f"{listed(labels)} compared"
    return f"{''.join(labels)} {'evaluated' if study.kind == 'evaluation' else 'trained'}"


def plan_of(study: Study) -> CompareConfig | None:
    """The plan, where there is one for all."""
    return study.result.config if study.result else None


def failed_runs(study: Study) -> tuple[FailedRun, ...]:
    """Runs of the plan that raised."""
    own = study.result.failed if study.result else ()
    return (*own, *(run for part in study.parts for run in failed_runs(part)))


def missing_runs(study: Study) -> tuple[str, ...]:
    """Runs of the plan that were not reached."""
    own = study.result.missing if study.result else ()
    return (*own, *(name for part in study.parts for name in missing_runs(part)))


def every_run(study: Study) -> tuple[RunResult, ...]:
    """All finished runs, those outside the main protocol (without a source) too."""
    return study.result.runs if study.result else study.runs


def fingerprint(study: Study) -> str:
    """Fingerprint of the data; empty without scores."""
    return study.scored[0].data_fingerprint if study.scored else ""


def split_seed(study: Study) -> int:
    """Seed of the plan's splits, for what the report draws at random."""
    plan = plan_of(study)
    if plan:
        return plan.split.seed
    return study.first_run.config.split.seed if study.first_run else 42


def has_several_seeds(study: Study) -> bool:
    """Whether any network finished with more than one seed."""
    each = ({run.config.training.seed for run in network.runs} for network in study.finished)
    return any(len(own) > 1 for own in each)


def folds(study: Study) -> int | None:
    """Number of folds; None without cross-validation."""
    splits = (run.config.split for run in study.runs)
    return next((split.folds for split in splits if isinstance(split, FoldSplit)), None)


def repeats(study: Study) -> int:
    """How often the folds were drawn."""
    return (
        len({run.config.split.seed for run in study.runs if run.config.split.protocol == "folds"})
        or 1
    )


def is_cross_validated(study: Study) -> bool:
    """Whether every finished network was tested on every fold."""
    return bool(study.runs) and all(_has_all_folds(network) for network in study.finished)


def _has_all_folds(network: Network) -> bool:
    """Whether the runs of a network cover every fold of every repeat."""
    tested: dict[int, set[int]] = {}
    splits = [run.config.split for run in network.runs]
    of_folds = [split for split in splits if isinstance(split, FoldSplit)]
    for split in of_folds:
        tested.setdefault(split.seed, set()).add(split.fold)
    counts = {split.folds for split in of_folds}
    alone = len(of_folds) == len(splits) and len(counts) == 1
    return alone and all(own == set(range(1, max(counts) + 1)) for own in tested.values())
