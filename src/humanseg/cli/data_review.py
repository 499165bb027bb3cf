"""`humanseg data review`: a page to say which masks are right, the doubtful ones first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import say, shown
from humanseg.system.errors import DataError, UsageError

if TYPE_CHECKING:
    from humanseg.config.schema import DataConfig
    from humanseg.report.review import Reviewed
    from humanseg.system.progress import Progress

_BY_UNCERTAINTY = "The pictures of which the network is least sure come first."
_BY_OVERLAP = "The pictures on which network and label agree least come first."


def review(
    source: Annotated[
        Path,
        Parameter(
            help="What to look at: lines of `humanseg predict --rank --json` in a file, a folder "
            "of pictures, labelled pictures, or the folder of a training or evaluation."
        ),
    ],
    /,
    *,
    output: Annotated[Path | None, flags.output("HTML file to write.")] = None,
    model: Annotated[
        str | None,
        Parameter(help="Model directory that looks at pictures; the bundled one if not given."),
    ] = None,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    most: Annotated[int, Parameter(help="Show so many pictures, the first in order.")] = 200,
    overwrite: Annotated[bool, flags.option(help="Replace a page that exists.")] = False,
) -> None:
    """Write a page to mark masks good or bad: the ones that are most likely wrong come first."""
    if output is None:
        raise UsageError("-o is missing; give the page to write with -o review.html.")
    if most < 1:
        raise UsageError(f"--most: got {most}; must be at least 1.")
    flags.free_output_file(output)
    if output.exists() and not overwrite:
        raise UsageError(f"{output}: exists already; give another name, or --overwrite.")
    if not source.exists():
        raise UsageError(f"{source}: does not exist; give a folder, or lines of JSON in a file.")
    from humanseg.cli.review_order import told
    from humanseg.report.load_study import RECORD_FILES
    from humanseg.report.review import reviewed_run, write_review

    stored = source.suffix.lower() in (".jsonl", ".ndjson")
    if stored or any((source / name).is_file() for name in RECORD_FILES):
        typed = flags.typed({"--model": model, "--layout": layout, "--classes": classes})
        if typed:
            names = " and ".join(typed)
            raise UsageError(
                f"{names} {'has' if len(typed) == 1 else 'have'} no effect on {source}, which has "
                "masks; leave it out."
            )
        ranked = told(source) if stored else list(reviewed_run(source))
        order = _BY_UNCERTAINTY if stored else _BY_OVERLAP
    else:
        chosen = _labels(source, layout, classes)
        with shown("Looking", unit="pictures") as progress:
            ranked, order = _looked_at(source, model, chosen, progress)
    if not ranked:
        raise DataError(f"{source}: names no picture with a mask; nothing can be shown.")
    pictures = [picture for _, picture in ranked[:most]]
    count = write_review(output, pictures, title=str(source), order=order, total=len(ranked))
    say(f"{output}: {count} of {len(ranked)} pictures.")


def _labels(source: Path, layout: str | None, classes: tuple[str, ...] | None) -> DataConfig | None:
    """How labels are read; None of pictures that have none."""
    from humanseg.data.layouts import has_layout

    chosen = flags.settings_of_data(None, layout, classes).data
    if chosen.layout != "auto" or has_layout(source):
        return chosen
    if classes:
        raise UsageError(f"--classes has no effect on {source}, which has no labels; leave it out.")
    return None


def _looked_at(
    source: Path, model: str | None, labels: DataConfig | None, progress: Progress
) -> tuple[list[tuple[float, Reviewed]], str]:
    """Pictures that a network looks at now: held against their labels, if they have any."""
    from humanseg.batch.discovery import discover as discover_files
    from humanseg.cli.review_order import Looker
    from humanseg.data.layouts import discover
    from humanseg.inference.segmenter import Segmenter

    looker = Looker(Segmenter(model, threads=1))
    if labels is not None:
        samples = discover(source, labels.layout, labels.classes)
        return looker.order(looker.against_label, samples, progress), _BY_OVERLAP
    files = discover_files([str(source)], output=Path(), video_suffixes=frozenset()).items
    paths = [item.path for item in files]
    return looker.order(looker.by_uncertainty, paths, progress), _BY_UNCERTAINTY
