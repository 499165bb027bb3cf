"""`humanseg report`: the pages of a finished or half-finished comparison, written again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from humanseg.cli.output import say
from humanseg.errors import UsageError


def report(run: Annotated[Path, Parameter(help="Folder of a comparison.")], /) -> None:
    """Write the report of a comparison again."""
    if not (run / "results.json").is_file():
        raise UsageError(
            f"{run}: holds no comparison (no results.json in it); give the folder that "
            "`humanseg compare` wrote."
        )
    from humanseg.report import write_report

    files = write_report(run)
    say(str(files.html), str(files.markdown), str(files.csv))
