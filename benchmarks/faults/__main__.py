"""Kill, damage and starve humanseg, and write what came of it.

    python -m benchmarks.faults --machine NAME [--kills 210] [--damaged 2400] [--only [KIND ...]]

Writes benchmarks/results/DATE-faults-NAME.json, anew after each case; see docs/faults.md.
With --only, nothing but files are damaged, those of the kinds named (all if none is), and what the
file says of everything else stays: so the work can be divided, or gone on with.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.faults.damage import damage
from benchmarks.faults.kills import kill_work
from benchmarks.faults.readers import readers
from benchmarks.faults.servers import kill_servers
from benchmarks.faults.surroundings import change_clock_and_locale, fill_disks, remove_rights
from benchmarks.faults.works import Material, draw_material, train_once, works

from humanseg.results.provenance import describe_environment

SHARES = {"prediction": 6, "video": 4, "cache": 4, "training": 3, "comparison": 1, "serving": 3}
"""How many of 21 kills each work gets: dearer ones get fewer."""
DISKS = {
    "prediction": (4096, 40_000),
    "video": (8192, 20_000),
    "cache": (20_000, 60_000),
    "training": (20_000, 700_000),
    "comparison": (50_000,),
}


def main() -> None:
    """Do everything, and write the counts, and every case that went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--kills", type=int, default=210)
    parser.add_argument("--damaged", type=int, default=2400)
    parser.add_argument("--only", nargs="*", metavar="KIND")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    date = datetime.datetime.now(datetime.UTC).date()
    file = Path(__file__).parents[1] / "results" / f"{date}-faults-{options.machine}.json"
    made: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.faults", *sys.argv[1:]]),
        "environment": describe_environment(device="cpu", threads=None).model_dump(),
    }
    written = made if options.only is None else json.loads(file.read_bytes())
    if written is not made:
        written.setdefault("further runs", []).append(made)
    with tempfile.TemporaryDirectory() as scratch:
        material = draw_material(Path(scratch) / "material")
        train_once(material)
        for part in _parts(material, Path(scratch), options):
            if written is not made:
                made["files"] = list(part["damage"]["by file"])
                part = {"damage": _with_counts(written["damage"], part["damage"])}
            written |= part
            file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
            print(json.dumps(part)[:400], flush=True)
    print(file)


def _parts(material: Material, scratch: Path, options: argparse.Namespace) -> Iterator[Any]:
    """What the file gets, piece by piece: first what is cheap."""
    rows: dict[str, list[Any]] = {"kills": [], "damage": [], "troubles": []}

    def taken(kind: str, found: Iterable[Any]) -> Iterator[Any]:
        for row in found:
            rows[kind].append(row)
            yield {kind: COUNTS[kind](rows[kind])}

    if options.only is None:
        yield from _kills_and_troubles(material, scratch, options, taken)
    wanted = tuple(options.only or [""])
    chosen = [reader for reader in readers(material) if reader.kind.startswith(wanted)]
    for reader in chosen:
        count = -(-options.damaged // len(chosen))
        yield from taken("damage", damage(reader, scratch, count=count))


def _kills_and_troubles(
    material: Material,
    scratch: Path,
    options: argparse.Namespace,
    taken: Callable[[str, Iterable[Any]], Iterator[Any]],
) -> Iterator[Any]:
    """What needs no damaged file."""
    table = works(material)
    for name, share in SHARES.items():
        count = max(1, options.kills * share // sum(SHARES.values()))
        if name == "serving":
            kills = kill_servers(material, scratch, count=count, seed=options.seed)
        else:
            kills = kill_work(table[name], scratch, count=count, seed=options.seed)
        yield from taken("kills", kills)
    for name, sizes in DISKS.items():
        yield from taken("troubles", fill_disks(table[name], scratch, sizes))
    yield from taken("troubles", remove_rights(material, scratch))
    yield from taken("troubles", change_clock_and_locale(material, scratch))


def _kill_counts(rows: list[Any]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        signal = str(row.stop).split()[0]
        counts.setdefault(row.work, Counter()).update(
            [signal, "ended before" if row.code == 0 and signal == "SIGKILL" else "struck"]
        )
    wrong = [asdict(row) for row in rows if row.problems]
    return {"count": len(rows), "by work": counts, "wrong": wrong}


def _damage_counts(rows: list[Any]) -> dict[str, Any]:
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        outcome = "wrong" if row.wrong else row.outcome
        counts.setdefault(f"{row.kind}: {row.file}", Counter()).update([outcome])
    wrong = Counter(f"{row.kind}: {row.file}: {row.outcome}" for row in rows if row.wrong)
    return {"count": len(rows), "by file": counts, "wrong": wrong}


def _with_counts(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Counts of earlier runs, but for files that have been damaged again now."""
    anew = tuple(f"{file}: " for file in now["by file"])
    by_file = before["by file"] | now["by file"]
    wrong = {case: count for case, count in before["wrong"].items() if not case.startswith(anew)}
    count = sum(sum(outcomes.values()) for outcomes in by_file.values())
    return {"count": count, "by file": by_file, "wrong": wrong | now["wrong"]}


def _trouble_rows(rows: list[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


COUNTS = {"kills": _kill_counts, "damage": _damage_counts, "troubles": _trouble_rows}

if __name__ == "__main__":
    main()
