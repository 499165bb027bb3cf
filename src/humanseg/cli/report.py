"""`humanseg report`: the page of finished work written again, or several side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import say, verdict
from humanseg.system.errors import UsageError


def report(
    *runs: Annotated[
        Path, Parameter(help="Folders of comparisons, trainings or evaluations on the same data.")
    ],
    output: Annotated[
        Path | None,
        flags.output("Folder for the page; needed for several folders, else the folder itself."),
    ] = None,
) -> None:
    """Write the report of finished work again, or put several side by side."""
    if not runs:
        raise UsageError("RUN is missing; see --help.")
    from humanseg.report import write_report
    from humanseg.report.load_study import load_studies

    if len(runs) == 1:
        files = write_report(runs[0], output=output)
    else:
        target = flags.required_output(output)
        if any(run.resolve() == target.resolve() for run in runs):
            raise UsageError(f"{target}: has a page of its own; -o needs another folder.")
        files = write_report(target, study=load_studies(runs))
    say(str(files.html), str(files.markdown), str(files.csv))
    say(*verdict(files.headline, files.warnings, files.cautions))
