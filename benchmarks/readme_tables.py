"""Write the README's tables from the result files, so that no number there is typed.

    .venv/bin/python benchmarks/readme_tables.py           # rewrite README.md
    .venv/bin/python benchmarks/readme_tables.py --check   # fail if it differs

The newest file of each kind in benchmarks/results is used; names begin with their date.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from humanseg.report.definitions import PUBLISHED
from humanseg.report.summary import LABELS
from humanseg.results import ComparisonResult, RunResult, read_record, write_text

if __package__:
    from benchmarks.throughput_record import Result as Throughput
else:
    from throughput_record import Result as Throughput  # type: ignore[no-redef,import-not-found]

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"


def _newest(kind: str) -> Path:
    found = sorted(RESULTS.glob(f"*-{kind}-*.json"))
    if not found:
        raise SystemExit(f"No result file for {kind} in {RESULTS}.")
    return found[-1]


def _runs(path: Path) -> dict[str, RunResult]:
    return {run.config.model.arch: run for run in read_record(path, ComparisonResult).runs}


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---|" + "--:|" * (len(header) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _link(path: Path) -> str:
    return f"[{path.name}](benchmarks/results/{path.name})"


def comparison_tables() -> str:
    """Published figures beside both presets, then the default preset in full."""
    reference_path, default_path = _newest("reference"), _newest("default")
    default = _runs(default_path)
    both = (_runs(reference_path), default)
    beside = _table(
        ["Batch-averaged IoU (published convention)", "published", "`reference`", "`default`"],
        [
            [
                name,
                f"{PUBLISHED[arch].iou:.4f}" + ("*" if arch == "deeplabv3plus" else ""),
                *(_three(runs[arch].summary.batch_iou if arch in runs else None) for runs in both),
            ]
            for arch, name in LABELS.items()
        ],
    )
    rows = []
    for arch, name in LABELS.items():
        if arch not in default:
            continue
        run = default[arch]
        summary, cost = run.summary, run.cost
        rows.append(
            [
                name,
                f"{_three(summary.iou_mean)} ± {_three(summary.iou_sd)}",
                _three(summary.dice_mean),
                _three(summary.boundary_iou_mean),
                _three(summary.dataset_iou),
                f"{cost.parameters / 1e6:.1f} M",
                f"{cost.macs / 1e9:.1f} G",
            ]
        )
    floor = default["unet"].floors["mean_mask"]
    rows.append(
        [
            "mean training mask (floor)",
            f"{_three(floor.iou_mean)} ± {_three(floor.iou_sd)}",
            _three(floor.dice_mean),
            _three(floor.boundary_iou_mean),
            _three(floor.dataset_iou),
            *["–"] * 2,
        ]
    )
    full = _table(
        [
            "`default`, at each mask's own size",
            "per-image IoU ± SD over pictures",
            "Dice",
            "Boundary IoU",
            "dataset IoU",
            "parameters",
            "MACs",
        ],
        rows,
    )
    return "\n".join(
        [
            beside,
            "",
            "\\* Never trained: the optimiser of that run held the FPN's parameters.",
            "",
            full,
            "",
            f"From {_link(reference_path)} and {_link(default_path)}.",
        ]
    )


def throughput_table() -> str:
    """Images per second of the plain loop and of ours."""
    path = _newest("throughput")
    result = read_record(path, Throughput)
    rows = [
        [
            LABELS[one.arch],
            f"{statistics.median(one.plain):.2f}",
            f"{statistics.median(one.ours):.2f}",
            f"{one.ratio:.2f}x",
        ]
        for one in result.archs
    ]
    machine = f"{result.environment.processor}, {result.environment.cores} cores"
    header = [f"{result.encoder_name}, batch {result.batch_size}, 320x320 ({machine})"]
    table = _table([*header, "plain, images/s", "humanseg, images/s", "ratio"], rows)
    return f"{table}\n\nFrom {_link(path)}; median of {len(result.archs[0].ours)} rounds."


def render(text: str) -> str:
    """README with both tables renewed between their markers."""
    for name, table in (("comparison", comparison_tables()), ("throughput", throughput_table())):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, rest = text.split(begin)
        _, tail = rest.split(end)
        text = f"{head}{begin}\n{table}\n{end}{tail}"
    return text


def main() -> int:
    """Rewrite or check the README."""
    old = README.read_text(encoding="utf-8")
    new = render(old)
    if "--check" in sys.argv:
        if old != new:
            print("README.md differs from the result files; run benchmarks/readme_tables.py.")
        return int(old != new)
    write_text(README, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
