"""`humanseg report`: the page of finished work written again, or several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import say
from humanseg.errors import UsageError

if TYPE_CHECKING:
    from humanseg.report import ReportFiles

_RECORDS = ("results.json", "result.json", "evaluation.json")


def report(
    *runs: Annotated[
        Path, Parameter(help="Folders of comparisons, trainings or evaluations on the same data.")
    ],
    output: Annotated[
        Path | None,
        Parameter(
            name=["-o", "--output"],
            help="Folder for the page; needed for several folders, else the folder itself.",
        ),
    ] = None,
) -> None:
    """Write the report of finished work again, or put several side by side."""
    if not runs:
        raise UsageError("RUN is missing; see --help.")
    for run in runs:
        if not any((run / name).is_file() for name in _RECORDS):
            raise UsageError(
                f"{run}: holds no results ({', '.join(_RECORDS)}); give a folder that "
                "`humanseg compare`, `train` or `evaluate` wrote."
            )
    if len(runs) > 1:
        place = flags.required_output(output)
        if any(run.resolve() == place.resolve() for run in runs):
            raise UsageError(f"{place}: has a page of its own; -o needs another folder.")
    from humanseg.report import write_report

    if len(runs) == 1:
        files = write_report(runs[0], output=output)
    else:
        files = _side_by_side(runs, output or Path())
    say(str(files.html), str(files.markdown), str(files.csv))


def _side_by_side(runs: tuple[Path, ...], output: Path) -> ReportFiles:
    from humanseg.evaluation.analysis import analyse_side_by_side
    from humanseg.report import write_report
    from humanseg.report.load_study import load_studies

    study = load_studies(runs)
    if not study.compared:
        raise UsageError(
            "None of these folders holds a network that finished all of its runs; finish them with "
            "`humanseg compare` first."
        )
    analysis = analyse_side_by_side(
        [(network.name, network.arch, network.scored) for network in study.compared],
        groups=study.groups,
        sources=study.sources,
    )
    return write_report(output, study=load_studies(runs, analysis), output=output)
