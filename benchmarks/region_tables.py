"""The tables about regions of a mask, from a file of `benchmarks.regions`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.regions import Found, Result, Variant, WithPeople
from benchmarks.tables import interval, link, percent, points, table

from humanseg.results import read_record

SETS = {
    "held-out": "held-out pictures",
    "close-ups": "close-ups of them",
    "everyday": "everyday scenes (VOC)",
    "photographs": "landscapes, rooms, things",
    "animals": "animals, vehicles, plants (VOC)",
}
"""What the sets of the file are called in the pages, in the order of the tables."""
SURE = (0.1, 0.2, 0.4)  # shares that the pages show; the file has more
FOUND, SIZE = (0.9, 0.002), (0.5, 0.003)
CRUMBS = (("drop", 0.001), ("drop", 0.01), ("fill", 0.001), ("fill", 0.01))


def unsure_table(path: Path) -> str:
    """What leaving out regions that are hardly sure gains, and what stays where nobody is."""
    result = read_record(path, Result)
    rows = []
    for dataset in sorted(result.cleaned, key=lambda each: [*SETS].index(each.name)):
        name = f"{SETS[dataset.name]} ({dataset.images})"
        base = dataset.variants[0]
        chosen = [_variant(dataset, "unsure", share) for share in SURE]
        gains = [points(each.iou_gain) for each in chosen]
        rows.append([f"{name}: IoU, gain in points", interval(base.iou), *gains])
        gains = [points(each.boundary_iou_gain) for each in chosen]
        rows.append([f"{name}: Boundary IoU", interval(base.boundary_iou), *gains])
    for nobody in result.empty:
        left = {each.sure_share: each for each in nobody.left}
        name = f"{SETS[nobody.name]} ({nobody.images})"
        shown = [left[share] for share in (0.0, *SURE)]
        rows.append([f"{name}: with a region of 0.3 %", *(percent(each.regions) for each in shown)])
        rows.append([f"{name}: area marked", *(percent(each.area) for each in shown)])
    header = ["", "all left in", *(f"{100 * share:g} % must be sure" for share in SURE)]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def found_table(path: Path) -> str:
    """How many images count as showing somebody."""
    found = read_record(path, Result).found
    by_name = {each.name: each for each in found}
    people = [by_name[name] for name in SETS if name in by_name and by_name[name].people]
    nobody = [by_name[name] for name in SETS if name in by_name and not by_name[name].people]
    rows = []
    for sets, whole in ((people, "all with people"), (nobody, "all without")):
        head = "with people" if sets is people else "without"
        rows += [_found_row(f"{head}: {SETS[each.name]}", [each]) for each in sets]
        rows.append(_found_row(whole, sets))
    header = ["", "pictures", "sure of 0.2 %", "one half", "other half", "any region of 0.3 %"]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def _found_row(name: str, sets: list[Found]) -> list[str]:
    count = sum(each.images for each in sets)

    def share(level: float, least: float, half: int | None) -> str:
        part = slice(None) if half is None else slice(half, None, 2)
        largest = [value for each in sets for value in each.largest[str(level)][part]]
        return percent(sum(value >= least for value in largest) / len(largest))

    cells = [share(*FOUND, half) for half in (None, 0, 1)]
    return [name, str(count), *cells, share(*SIZE, None)]


def crumbs_table(path: Path) -> str:
    """What dropping small regions and filling small holes gains."""
    result = read_record(path, Result)
    sets = sorted(result.cleaned, key=lambda each: [*SETS].index(each.name))
    rows = []
    for change, share in CRUMBS:
        variants = [_variant(dataset, change, share) for dataset in sets]
        rows.append(
            [
                f"{change} below {100 * share:g} %",
                *(
                    points(gain)
                    for each in variants
                    for gain in (each.iou_gain, each.boundary_iou_gain)
                ),
            ]
        )
    header = ["gain in points"]
    header += [f"{SETS[each.name]}: {score}" for each in sets for score in ("IoU", "Boundary IoU")]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def _variant(dataset: WithPeople, change: str, share: float) -> Variant:
    (variant,) = (v for v in dataset.variants if v.change == change and v.share == share)
    return variant
