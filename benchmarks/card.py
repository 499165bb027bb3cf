r"""Write the card of the bundled model: its README.md, every number from a record.

    .venv/bin/python -m benchmarks.card src/humanseg/model_directory/bundled \
        --run runs/finish-seed1 --rule "Seed 1, named before any was trained." \
        --everyday EVERYDAY.json --system bundled --before v1 \
        --seeds BUNDLED.json --corrupted runs/finish-seed1/corrupted.json \
        --evaluation EVALUATED/evaluation.json ...

EVERYDAY.json is of `benchmarks.everyday`, BUNDLED.json of `benchmarks.bundled_accuracy`,
corrupted.json of `benchmarks.corrupted`, evaluation.json of `humanseg evaluate -o`. A section whose
record is not given says that it was not measured; those that `--keep` names stay as they are in the
present card, such as `Training` where the runs are gone.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.bundle import stages
from benchmarks.bundled_accuracy import Result as SeedsRecord
from benchmarks.everyday_record import (
    EverydayRecord,
    Measured,
    SetResult,
    accuracy_table,
    groups_table,
    nobody_table,
    percent_interval,
)
from benchmarks.tables import interval, percent, table, three

from humanseg.evaluation.analysis import analyse_robustness
from humanseg.model_directory import find_model, read_model_record
from humanseg.model_directory.card import model_card
from humanseg.results import (
    CorruptedScores,
    Evaluation,
    Interval,
    RunResult,
    read_record,
    write_text,
)
from humanseg.system.errors import UsageError

SYSTEMS = {
    "bundled": "the bundled model as `Segmenter()` runs it",
    "fast": "the same at 256x256",
    "clean": "the model of openly licensed images",
    "third version": "an earlier bundled model",
    "first version": "the first one",
    "mediapipe": "MediaPipe selfie",
    "isnet": "imgly's network, which marks whatever stands in front",
}
"""What the names in the tables mean."""

Value = Callable[[Measured], Interval | None]

CARD = "README.md"
NOT_MEASURED = "Not measured."

INTENDED = """\
Finding the people in photographs and video frames, all of them as one mask: cut-outs, blurred or
replaced backgrounds, composition, first masks for labelling, and a start for trainings of one's
own. It runs offline on a CPU; nothing is sent anywhere."""

OUT_OF_SCOPE = """\
* Recognising, identifying, counting or following people, or telling their age, sex, origin or mood:
  it says where people are, not who.
* Surveillance, and any decision about a person.
* Safety, such as keeping machines away from people; measuring bodies; medical images.
* Strands of hair and see-through cloth: outlines are soft over a few pixels, no matting.

Replacing the background of a real person's photograph can deceive; whoever publishes the result
answers for saying so."""

PEOPLE = """\
The photographs show people who were not asked by us, and nobody counted them. Whoever is in one of
them can ask for its removal with an issue of the project: it is then left out of the next model.
Nothing was measured by skin, age, sex or region, since no data set here says any of it;
`humanseg evaluate --by COLUMN` measures it on data that do. Groups by light, below, show failures
on dark clothes, hair and skin as far as they can be seen without such labels."""


def sections(arguments: argparse.Namespace) -> dict[str, str]:
    """What the card says beyond the model's own record, by heading."""
    everyday = read_record(arguments.everyday, EverydayRecord) if arguments.everyday else None
    shown = [arguments.system, *([arguments.before] if arguments.before else [])]
    if everyday is not None:
        absent = set(shown) - {system.name for system in everyday.systems}
        if absent:
            raise UsageError(f"{arguments.everyday}: measures no system {', '.join(absent)}.")
    sets = everyday.sets if everyday else ()
    return {
        "Intended use": INTENDED,
        "Out of scope": OUT_OF_SCOPE,
        "People in the data": PEOPLE,
        "Accuracy by data set": _named(everyday)
        + _each(
            [each for each in sets if each.people],
            lambda each: (
                f"{each.people} images with people, {each.groups} groups; mean per-image "
                f"scores [95 % interval over groups].{_seen(each, arguments.system)}\n\n"
                + accuracy_table(each)
            ),
            arguments.everyday,
        ),
        "Size, number, cut and light of the people": _each(
            [each for each in sets if each.people],
            lambda each: f"mean per-image IoU:\n\n{groups_table(each, shown)}",
            arguments.everyday,
        ),
        "Nobody in the picture": _each(
            [each for each in sets if each.nobody],
            lambda each: f"{each.nobody} images:\n\n{nobody_table(each)}",
            arguments.everyday,
        ),
        "Corrupted images": _corrupted(arguments.corrupted),
        "Calibration": _calibration(arguments.evaluation),
        "Training": _training(arguments.run, arguments.seeds, arguments.rule),
        "Versions": _versions(sets, arguments.system, arguments.before),
        "Files": _files(arguments.model),
    }


def _named(record: EverydayRecord | None) -> str:
    """Which systems the tables compare, in words."""
    names = [each.name for each in record.systems if each.name in SYSTEMS] if record else []
    told = "; ".join(f"`{name}` is {SYSTEMS[name]}" for name in names)
    return f"In the tables, {told}.\n\n" if told else ""


def _each(
    sets: Sequence[SetResult], describe: Callable[[SetResult], str], file: Path | None
) -> str:
    parts = [f"**{each.name}**, {describe(each)}" for each in sets]
    return "\n\n".join([*parts, _source(file)]) if file and parts else NOT_MEASURED


def _source(*files: Path) -> str:
    return f"From {', '.join(f'`{file.name}`' for file in files)}."


def _seen(measured: SetResult, system: str) -> str:
    (own,) = (each for each in measured.systems if each.system == system)
    if not own.seen:
        return ""
    return f" **{own.seen} of them, or copies of them, were trained on.**"


def _corrupted(file: Path | None) -> str:
    if file is None:
        return NOT_MEASURED
    scores = read_record(file, CorruptedScores)
    analysed = analyse_robustness("model", [scores], {})
    rows = [
        [each.corruption, interval(each.retention), *map(three, each.severities)]
        for each in analysed
    ]
    header = ["", "IoU retained", *(f"IoU at {level}" for level in range(1, 6))]
    return (
        f"{analysed[0].images} held-out images, per-image IoU {three(analysed[0].clean)} as they "
        "are; five severities of each corruption (docs/robustness.md), in float32 from whole "
        "files.\n\n"
        f"{table(header, rows)}\n\n{_source(file)}"
    )


def _calibration(files: Sequence[Path]) -> str:
    rows = []
    for file in files:
        scored = read_record(file, Evaluation)
        name = f"{file.parent.name}, {scored.summary.images} images"
        errors = (scored.calibration.error, scored.band_calibration.error)
        rows.append([name, f"{scored.setup.backend} {scored.setup.precision}", *map(three, errors)])
    if not rows:
        return NOT_MEASURED
    header = ["", "run by", "ECE, all pixels", "ECE, within 2 % of the outline"]
    return f"{table(header, rows)}\n\nExpected calibration error, 15 bins; 0 is best."


def _training(run: Path | None, seeds: Path | None, rule: str | None) -> str:
    parts = [rule] if rule else []
    if run is not None:
        results = stages(read_record(run / "result.json", RunResult))
        hours = [result.cost.wall_seconds / 3600 for result in results]
        last = results[-1].environment
        begin = results[0].config.model.start_from
        start = (
            f"Started from the weights of `{begin}`, whose hours are not counted. " if begin else ""
        )
        parts.append(
            f"{start}Stages: {len(results)}; seed {results[-1].config.training.seed}; "
            f"{sum(result.kept_epoch for result in results)} epochs kept of "
            f"{sum(len(result.epochs) for result in results)}; {sum(hours):.1f} hours in all "
            f"({', '.join(f'{each:.1f}' for each in hours)}) on {last.processor}, "
            f"{last.device}, {last.cores} cores."
        )
    if seeds is not None:
        rows = [
            [
                f"{way.backend} {way.precision}"
                + ", refined" * way.refined
                + ", with its mirror image" * way.flip_averaging,
                str(way.seeds),
                f"{way.iou_mean:.3f} ± {way.iou_sd:.3f}",
                f"{way.boundary_iou_mean:.3f} ± {way.boundary_iou_sd:.3f}",
                percent(way.person_free_area_mean),
            ]
            for way in read_record(seeds, SeedsRecord).summaries
        ]
        header = ["The recipe, mean ± SD over seeds", "seeds", "IoU", "Boundary IoU", "area marked"]
        parts += [table(header, rows), _source(seeds)]
    return "\n\n".join(parts) or NOT_MEASURED


def _versions(sets: Sequence[SetResult], system: str, before: str | None) -> str:
    if not sets or before is None:
        return NOT_MEASURED
    measures: tuple[tuple[str, Value, Callable[[Interval | None], str]], ...] = (
        ("IoU", lambda each: each.iou, interval),
        ("Boundary IoU", lambda each: each.boundary_iou, interval),
        ("area marked where nobody is", lambda each: each.nobody_area, percent_interval),
        ("somebody found where nobody is", lambda each: each.nobody_region, percent_interval),
    )
    rows = []
    for each in sets:
        by_name = {measured.system: measured for measured in each.systems}
        for label, value, show in measures:
            both = [value(by_name[name]) for name in (before, system)]
            if any(both):
                rows.append([f"{each.name}: {label}", *map(show, both)])
    return table(["", before, system], rows)


def _files(directory: Path) -> str:
    rows = []
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.name != CARD:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append([f"`{path.name}`", f"{path.stat().st_size:,}", f"`{digest}`"])
    return table(["", "bytes", "SHA-256"], rows)


def card(arguments: argparse.Namespace) -> str:
    """The whole card: the model's own, with the sections before its licence."""
    own = model_card(read_model_record(arguments.model))
    head, licence = own.split("## Licence", maxsplit=1)
    told = sections(arguments) | _kept(arguments.model, arguments.keep)
    added = "".join(f"## {title}\n\n{text}\n\n" for title, text in told.items())
    return f"{head}{added}## Licence{licence}"


def _kept(directory: Path, titles: Sequence[str]) -> dict[str, str]:
    """Sections of the present card.

    Raises:
        UsageError: it has no such section.
    """
    present = (directory / CARD).read_text("utf-8") if titles else ""
    kept = {}
    for title in titles:
        _, found, rest = present.partition(f"\n## {title}\n\n")
        if not found:
            raise UsageError(f"--keep: {directory / CARD} has no section {title}.")
        kept[title] = rest.partition("\n\n## ")[0]
    return kept


def main(words: Sequence[str] | None = None) -> None:
    """Write the card."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.card")
    add = parser.add_argument
    add("model", type=find_model, help="model directory, or bundled")
    add("--run", type=Path, help="run folder that the model was bundled from")
    add("--rule", help="how the seed was chosen, a sentence")
    add("--everyday", type=Path)
    add("--system", default="bundled", help="the model's name in that file")
    add("--before", help="the version before it, by its name in that file")
    add("--seeds", type=Path)
    add("--corrupted", type=Path)
    add("--keep", nargs="*", default=[], metavar="TITLE", help="sections that stay as they are")
    add("--evaluation", type=Path, nargs="*", default=[])
    arguments = parser.parse_args(words)
    write_text(arguments.model / CARD, card(arguments))


if __name__ == "__main__":
    main()
