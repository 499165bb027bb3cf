"""Kill, damage and starve humanseg, and write what came of it.

    python -m benchmarks.faults --machine NAME [--kills 210] [--damaged 2000]

Writes benchmarks/results/DATE-faults-NAME.json, anew after each kind; see docs/faults.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.faults.damage import damage, readers
from benchmarks.faults.kills import kill_work
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
    parser.add_argument("--damaged", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    date = datetime.datetime.now(datetime.UTC).date()
    file = Path(__file__).parents[1] / "results" / f"{date}-faults-{options.machine}.json"
    written: dict[str, Any] = {
        "command": f"python -m benchmarks.faults --kills {options.kills} "
        f"--damaged {options.damaged} --seed {options.seed}",
        "environment": describe_environment(device="cpu", threads=None).model_dump(),
    }
    with tempfile.TemporaryDirectory() as scratch:
        material = draw_material(Path(scratch) / "material")
        train_once(material)
        for part in _parts(material, Path(scratch), options):
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
    all_readers = readers(material)
    for reader in all_readers:
        yield from taken(
            "damage", damage(reader, scratch, count=-(-options.damaged // len(all_readers)))
        )


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


def _trouble_rows(rows: list[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


COUNTS = {"kills": _kill_counts, "damage": _damage_counts, "troubles": _trouble_rows}

if __name__ == "__main__":
    main()
