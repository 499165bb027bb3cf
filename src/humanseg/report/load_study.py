"""From folders to a study."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from humanseg.errors import DataError, UsageError
from humanseg.report import run_folders
from humanseg.report.study import LABELS, SLOTS, Network, Study
from humanseg.results import (
    Analysis,
    ComparisonResult,
    Evaluation,
    RunResult,
    read_record,
)


def load_study(folder: Path) -> Study:
    """Read what a command left: a comparison, a single training or an evaluation.

    Raises:
        DataError: none of their records is there, or it is damaged or of another version.
    """
    if (folder / "results.json").exists():
        return comparison_study(folder, read_record(folder / "results.json", ComparisonResult))
    if (folder / "evaluation.json").exists():
        return evaluation_study(folder, read_record(folder / "evaluation.json", Evaluation))
    if (folder / "result.json").exists():
        return run_study(folder, read_record(folder / "result.json", RunResult))
    raise DataError(
        f"{folder}: holds no results (results.json, result.json or evaluation.json); give a folder "
        "that humanseg compare, train or evaluate wrote."
    )


def comparison_study(folder: Path, result: ComparisonResult) -> Study:
    """A study of one comparison."""
    plan = result.config.runs(sorted(set(result.sources.values())))
    order = {name: place for place, name in enumerate(plan)}
    main = [run for run in result.runs if run.config.split.left_out is None]
    runs = sorted(main, key=lambda run: (order.get(run.name, len(order)), run.name))
    archs = dict.fromkeys([*result.config.archs, *(run.config.model.arch for run in runs)])
    lacking = [plan.get(name) for name in (*(run.name for run in result.failed), *result.missing)]
    unfinished = {run.model.arch for run in lacking if run and run.split.left_out is None}
    networks = []
    for arch in archs:
        own = tuple(run for run in runs if run.config.model.arch == arch)
        places = tuple(folder / "runs" / run.name for run in own)
        label, slot, complete = LABELS.get(arch, arch), _slot(arch), arch not in unfinished
        networks.append(Network(arch, label, arch, slot, own, places, complete))
    return Study(
        folders=(folder,),
        kind="comparison",
        networks=tuple(networks),
        analysis=result.analysis,
        result=result,
        sources=result.sources,
    )


def evaluation_study(folder: Path, evaluation: Evaluation) -> Study:
    """A study of one saved model on one data set."""
    arch, analysis = evaluation.arch, evaluation.analysis
    name = analysis.networks[0].name if analysis and analysis.networks else arch
    network = Network(name, LABELS.get(arch, arch), arch, _slot(arch), (evaluation,), (folder,))
    return Study(
        folders=(folder,),
        kind="evaluation",
        networks=(network,),
        analysis=analysis,
        sources=evaluation.sources,
    )


def run_study(folder: Path, run: RunResult) -> Study:
    """A study of one training."""
    arch = run.config.model.arch
    network = Network(arch, LABELS.get(arch, arch), arch, _slot(arch), (run,), (folder,))
    return Study(folders=(folder,), kind="run", networks=(network,))


def load_studies(paths: Sequence[Path], analysis: Analysis | None = None) -> Study:
    """Several finished folders side by side; one alone is as `load_study` gives it.

    Args:
        paths: folders, as for `load_study`.
        analysis: of all their networks together, which are named `FOLDER/arch`.

    Raises:
        UsageError: no folder, the same one twice, or scores on different data.
        DataError: see `load_study`.
    """
    if not paths:
        raise UsageError("No folder given; name at least one that holds results.")
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("A folder was given twice; name each only once.")
    studies = [load_study(path) for path in paths]
    if len(studies) == 1:
        one = studies[0]
        return one if analysis is None else dataclasses.replace(one, analysis=analysis)
    _check_same_data(studies)
    sources: dict[str, str] = {}
    for study in studies:
        sources = study.sources | sources
    return Study(
        folders=tuple(paths),
        kind="several",
        networks=tuple(_side_by_side(studies)),
        analysis=analysis,
        sources=sources,
        parts=tuple(studies),
    )


def _side_by_side(studies: Sequence[Study]) -> Iterator[Network]:
    names = run_folders.names([study.folders[0] for study in studies])
    place = 0
    for name, study in zip(names, studies, strict=True):
        for network in study.finished:
            yield dataclasses.replace(
                network,
                name=f"{name}/{network.arch}",
                label=f"{name}: {network.label}",
                slot=place % SLOTS + 1,
            )
            place += 1


def _check_same_data(studies: Sequence[Study]) -> None:
    known = [study for study in studies if study.fingerprint]
    for study in known[1:]:
        if study.fingerprint != known[0].fingerprint:
            raise UsageError(
                f"{known[0].folders[0]} and {study.folders[0]} hold scores on different data "
                "(their fingerprints differ); give folders of the same pictures and masks."
            )


def _slot(arch: str) -> int:
    return list(LABELS).index(arch) + 1 if arch in LABELS else len(LABELS) + 1
