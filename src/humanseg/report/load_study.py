"""From folders to a study."""

from __future__ import annotations

import dataclasses
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

from humanseg.config.architectures import ARCHITECTURES, label
from humanseg.evaluation.analysis import Subject, analyse, baseline_bounds, scores_of
from humanseg.report import study_files
from humanseg.report.study import SLOTS, Network, Scored, Study
from humanseg.results import Analysis, ComparisonResult, Evaluation, RunResult, read_record
from humanseg.system.errors import UsageError

RECORD_FILES = ("results.json", "evaluation.json", "result.json")
"""What a comparison, an evaluation and a training leave; the first that is there is reported."""

_NOTHING = Analysis(images=0, groups=0, folds=None, repeats=1, seeds=0, networks=(), pairs=())


def load_study(folder: Path) -> Study:
    """Read what a command left: a comparison, a single training or an evaluation.

    Raises:
        UsageError: none of their records is there.
        DataError: the record is damaged or of another version.
    """
    comparison, evaluation, run = (folder / name for name in RECORD_FILES)
    if comparison.exists():
        return comparison_study(folder, read_record(comparison, ComparisonResult))
    if evaluation.exists():
        return evaluation_study(folder, read_record(evaluation, Evaluation))
    if run.exists():
        return run_study(folder, read_record(run, RunResult))
    raise UsageError(
        f"{folder}: holds no results ({', '.join(RECORD_FILES)}); give a folder that "
        "`humanseg compare`, `train` or `evaluate` wrote."
    )


def comparison_study(folder: Path, result: ComparisonResult) -> Study:
    """A study of one comparison."""
    plan = result.config.runs(sorted(set(result.sources.values())))
    order = {name: number for number, name in enumerate(plan)}
    main = [run for run in result.runs if run.config.split.left_out is None]
    runs = sorted(main, key=lambda run: (order.get(run.name, len(order)), run.name))
    archs = dict.fromkeys([*result.config.archs, *(run.config.model.arch for run in runs)])
    lacking = [plan.get(name) for name in (*(run.name for run in result.failed), *result.missing)]
    unfinished = {run.model.arch for run in lacking if run and run.split.left_out is None}
    slots = _slots(archs)
    networks = []
    for arch in archs:
        own = tuple(run for run in runs if run.config.model.arch == arch)
        folders = tuple(folder / "runs" / run.name for run in own)
        complete = arch not in unfinished
        networks.append(Network(arch, label(arch), arch, slots[arch], own, folders, complete))
    sources, groups = result.sources, result.groups
    analysis = _analysis(result.analysis, networks, groups, sources)
    return Study((folder,), "comparison", tuple(networks), analysis, sources, groups, result)


def evaluation_study(folder: Path, evaluation: Evaluation) -> Study:
    """A study of one saved model on one data set."""
    sources, groups = evaluation.sources, evaluation.groups
    networks = (_alone(evaluation.arch, evaluation, folder),)
    analysis = _analysis(evaluation.analysis, networks, groups, sources)
    return Study((folder,), "evaluation", networks, analysis, sources, groups)


def run_study(folder: Path, run: RunResult) -> Study:
    """A study of one training."""
    data = study_files.read_data(folder)
    sources, groups = (data.sources, data.groups) if data else ({}, {})
    networks = (_alone(run.config.model.arch, run, folder),)
    analysis = _analysis(None, networks, groups, sources)
    return Study((folder,), "run", networks, analysis, sources, groups)


def _alone(arch: str, scored: Scored, folder: Path) -> Network:
    return Network(arch, label(arch), arch, _slots([arch])[arch], (scored,), (folder,))


def load_studies(paths: Sequence[Path]) -> Study:
    """Several finished folders side by side; one alone is as `load_study` gives it.

    Their networks are named `FOLDER/arch` and analysed together.

    Raises:
        UsageError: no folder, the same one twice, scores on different data, or no network that
            finished all of its runs.
        DataError: see `load_study`.
    """
    if not paths:
        raise UsageError("No folder given; name at least one that holds results.")
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("A folder was given twice; name each only once.")
    studies = [load_study(path) for path in paths]
    if len(studies) == 1:
        return studies[0]
    _check_same_data(studies)
    sources = dict(ChainMap(*(study.sources for study in studies)))
    groups = dict(ChainMap(*(study.groups for study in studies)))
    networks = tuple(_side_by_side(studies))
    if not any(network.complete for network in networks):
        raise UsageError(
            "None of these folders holds a network that finished all of its runs; finish them with "
            "`humanseg compare` first."
        )
    analysis = _analysis(None, networks, groups, sources)
    parts = tuple(studies)
    return Study(tuple(paths), "several", networks, analysis, sources, groups, parts=parts)


def _slots(archs: Iterable[str]) -> dict[str, int]:
    """Colours of networks on one page: each its usual one, or the next that is free."""
    # Networks of one's own come after all of the table.
    places = {arch: [*ARCHITECTURES, arch].index(arch) for arch in archs}
    slots: dict[str, int] = {}
    for arch in sorted(places, key=places.__getitem__):
        order = [(places[arch] + step) % SLOTS + 1 for step in range(SLOTS)]
        slots[arch] = next((slot for slot in order if slot not in slots.values()), order[0])
    return slots


def _subject(network: Network) -> Subject:
    return Subject(network.name, network.arch, tuple(map(scores_of, network.scored)))


def _analysis(
    recorded: Analysis | None,
    networks: Sequence[Network],
    groups: Mapping[str, str],
    sources: Mapping[str, str],
) -> Analysis:
    """The recorded analysis, with every network that has finished runs but is not in it.

    None is recorded with a training, of several folders, or by a comparison that was interrupted:
    then complete networks are analysed together. Those with unfinished runs are analysed one by
    one, because they must not be compared.
    """
    finished = [network for network in networks if network.scored]
    complete = [network for network in finished if network.complete]
    if recorded is None and complete:
        runs = [run for network in complete for run in network.runs]
        recorded = analyse(
            [_subject(network) for network in complete], groups=groups, sources=sources
        ).model_copy(
            update={
                "bounds": baseline_bounds(runs),
                "leaks": tuple(dict.fromkeys(leak for run in runs for leak in run.leaks)),
            }
        )
    present = recorded.networks if recorded else ()
    names = {network.name for network in present}
    alone = [
        analyse([_subject(network)], groups=groups, sources=sources)
        for network in finished
        if network.name not in names
    ]
    analysis = recorded or max(alone, key=lambda each: each.images, default=_NOTHING)
    added = (network for each in alone for network in each.networks)
    return analysis.model_copy(update={"networks": (*present, *added)})


def _side_by_side(studies: Sequence[Study]) -> Iterator[Network]:
    names = study_files.names([study.folders[0] for study in studies])
    slots = cycle(range(1, SLOTS + 1))
    for name, study in zip(names, studies, strict=True):
        for network in study.finished:
            yield dataclasses.replace(
                network,
                name=f"{name}/{network.arch}",
                label=f"{name}: {network.label}",
                slot=next(slots),
            )


def _check_same_data(studies: Sequence[Study]) -> None:
    first, *others = [study for study in studies if study.scored] or [studies[0]]
    for study in others:
        if study.scored[0].data_fingerprint != first.scored[0].data_fingerprint:
            raise UsageError(
                f"{first.folders[0]} and {study.folders[0]} hold scores on different data "
                "(their fingerprints differ); give folders of the same images and masks."
            )
