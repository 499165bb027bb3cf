"""`humanseg data`: check, download, synthesize and split pictures with masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from humanseg.cli import flags
from humanseg.cli.terminal import note, numbered, say, shown

if TYPE_CHECKING:
    from humanseg.config.schema import TrainConfig
    from humanseg.config.split_config import SplitConfig
    from humanseg.data.audit import AuditReport
    from humanseg.data.composition.compose import People
    from humanseg.data.inspection import Finding
    from humanseg.data.samples import Sample
    from humanseg.results import SplitRecord

app = App(name="data")
app.command(
    "humanseg.cli.data_review:review",
    name="review",
    help="Write a page to say which masks are right, the doubtful ones first.",
)

_NAMED = 3
"""Files named with one remark."""


@app.command
def check(
    path: flags.Root,
    /,
    *,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    cache: Annotated[
        Path | None,
        Parameter(
            help="Folder that keeps what was found, so that the next check reads only pictures "
            "that are new or have changed."
        ),
    ] = None,
    json: Annotated[bool, flags.option(help="Print the findings as JSON.")] = False,
) -> int:
    """Look for pictures and masks that would spoil a training."""
    chosen = flags.settings_of_data(path, layout, classes).data
    from humanseg.data.audit import audit
    from humanseg.data.cache import Cache

    opened = None if cache is None else Cache(cache, note=note)
    with shown("Reading", unit="images") as progress:
        report = audit(path, chosen.layout, classes=chosen.classes, cache=opened, progress=progress)
    say(*([report.model_dump_json(indent=1)] if json else _lines(report)))
    return 0 if report.ok else 1


def _lines(report: AuditReport) -> list[str]:
    """How much was looked at, one line per kind of finding, then how many of each code."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for finding in report.findings:
        of_the_set = finding.message if finding.images else ""
        alike.setdefault((finding.severity, finding.code, of_the_set), []).append(finding)
    errors = numbered(len(report.errors), "error")
    warnings = numbered(len(report.warnings), "warning")
    looked = f"Looked at {numbered(report.pairs, 'image')} and their masks"
    lines = [f"{looked} ({report.layout}): {errors}, {warnings}."]
    if report.taken:
        lines.append(f"What the labels mean: {report.taken}.")
    if report.not_judged:
        lines.append(f"Not judged: {report.not_judged}.")
    lines += [_line(findings) for findings in alike.values()]
    if len(report.findings) > 1:
        lines += ["", *(f"  {code}: {count}" for code, count in report.totals.items())]
    return lines


def _line(findings: Sequence[Finding]) -> str:
    """One line for findings of one kind: their message, or the first one's where they differ."""
    first = findings[0]
    if len({finding.message for finding in findings}) == 1:
        files = _files([finding.file for finding in findings])
        return f"{first.severity}: {files}: {first.message}"
    others = _files([finding.file for finding in findings[1:]])
    return (
        f"{first.severity}: {first.file}: {first.message} The like ({first.code}) of "
        f"{numbered(len(findings) - 1, 'other')}, which --json lists: {others}."
    )


def _files(files: Sequence[str]) -> str:
    """The first files of a remark that is made of several, and how many more there are."""
    rest = len(files) - _NAMED
    return ", ".join(files[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


@app.command
def download(
    destination: Annotated[Path | None, Parameter(help="Folder; a cache if not given.")] = None, /
) -> None:
    """Download the published pictures and print where they are."""
    from humanseg.data.download import download as fetch

    with shown("Downloading", unit="files") as progress:
        folder = fetch(destination, progress=progress)
    say(str(folder))


@app.command
def synthesize(
    out: Annotated[Path, Parameter(help="Folder for the drawn pictures.")],
    /,
    *,
    count: Annotated[int, Parameter(help="Number of pictures.")],
    size: Annotated[tuple[int, int], Parameter(help="Height and width in pixels.")] = (240, 320),
    seed: Annotated[int, Parameter(help="Which pictures are drawn.")] = 0,
    clutter: Annotated[
        float, Parameter(help="From 0, one large person, to 1, several and hidden people.")
    ] = 1.0,
) -> None:
    """Draw pictures with known masks, for trials without data."""
    from humanseg.data.synthesis import synthesize as draw

    with shown("Drawing", unit="images") as progress:
        done = draw(out, count=count, size=size, seed=seed, clutter=clutter, progress=progress)
    say(str(done))


@app.command
def compose(
    out: Annotated[Path, Parameter(help="New folder for the scenes.")],
    /,
    *,
    data: Annotated[
        Path,
        Parameter(
            help="Folder, CSV or file of labels; people of its training part are cut out, and its "
            "empty parts serve as backgrounds."
        ),
    ],
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    extra: Annotated[
        tuple[Path, ...],
        Parameter(
            consume_multiple=True, help="Further data sets, of which all people may be used."
        ),
    ] = (),
    backgrounds: Annotated[
        tuple[Path, ...],
        Parameter(consume_multiple=True, help="Folders of photographs that show nobody."),
    ] = (),
    objects: Annotated[
        tuple[Path, ...],
        Parameter(consume_multiple=True, help="Folders of things cut out, with transparency."),
    ] = (),
    count: Annotated[int, Parameter(help="Number of scenes.")],
    seed: Annotated[int, Parameter(help="Which scenes are composed.")] = 0,
    settings: flags.SplitFlags | None = None,
) -> None:
    """Lay people of photographs elsewhere: small, several, hidden in part, or nobody at all."""
    config = flags.settings_of_data(data, layout, classes, split=settings)
    from humanseg.data.composition import compose as compose_scenes

    people = _people(data, extra, config)
    with shown("Composing", unit="images") as progress:
        done = compose_scenes(
            out,
            people,
            count=count,
            seed=seed,
            backgrounds=backgrounds,
            objects=objects,
            progress=progress,
        )
    say(str(done))


@app.command
def split(
    path: flags.Root,
    /,
    *,
    layout: flags.LayoutName = None,
    classes: flags.Classes = None,
    output: Annotated[Path | None, flags.output("JSON file; stdout if not given.")] = None,
    settings: flags.SplitFlags | None = None,
) -> None:
    """Draw the parts for training, validation and test, and write their names."""
    config = flags.settings_of_data(path, layout, classes, split=settings)
    flags.free_output_file(output)
    from humanseg.data.layouts import discover
    from humanseg.results import write_record

    record = _divided(discover(path, config.data.layout, config.data.classes), config.split)
    if output is None:
        say(record.model_dump_json(indent=1))
        return
    write_record(output, record)
    sizes = len(record.train), len(record.validation), len(record.test)
    note("{}: {} train, {} validation, {} test.".format(output, *sizes))


def _people(data: Path, extra: Sequence[Path], config: TrainConfig) -> People:
    """People of the training part of a data set, and all of those of further ones."""
    from humanseg.data.layouts import discover

    samples = discover(data, config.data.layout, config.data.classes)
    people: dict[str, tuple[Sequence[Sample], Sequence[str]]] = {
        data.name: (samples, _divided(samples, config.split).train)
    }
    for root in extra:
        flags.existing_data(root)
        further = discover(root, "auto", config.data.classes)
        people[str(root)] = (further, [sample.id for sample in further])
    return people


def _divided(samples: Sequence[Sample], config: SplitConfig) -> SplitRecord:
    """The split; says what it divides that shows the same, which the published one may."""
    from humanseg.data.metadata import read_facts
    from humanseg.data.same_scene import known_leaks
    from humanseg.data.splits import make_split

    with shown("Reading", unit="images") as progress:
        facts = read_facts(samples, config.groups, progress=progress)
    record = make_split(samples, config, facts=facts)
    divided = [leak for leak in known_leaks([record], facts.copies, facts.groups) if leak.divided]
    if divided:
        note(
            f"humanseg: note: {numbered(len(divided), 'pair')} of pictures that show the same or "
            f"are of one group, such as {divided[0].first} and {divided[0].second}, are divided "
            "between training and test."
        )
    return record
