"""Write the tables of README and docs from the result files, so that no number there is typed.

    .venv/bin/python -m benchmarks.readme_tables           # rewrite the pages
    .venv/bin/python -m benchmarks.readme_tables --check   # fail if one differs

The newest file of each kind in benchmarks/results is used; names begin with their date.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.ablation import ablation_table
from benchmarks.branch_coverage import coverage_table
from benchmarks.comparison_file import (
    ComparisonFile,
    ComparisonRun,
    NetworkSize,
    read_comparison,
)
from benchmarks.region_tables import crumbs_table, found_table, unsure_table
from benchmarks.tables import interval, link, newest, p_value, percent, points, table, three
from benchmarks.training.figures import figures_table, remarks
from benchmarks.training.record import Result as TrainingSpeed
from benchmarks.use_tables import (
    accuracy_table,
    beside_table,
    edges_table,
    everyday_tables,
    loop_table,
    matting_table,
    outputs_table,
    peers_table,
    speed_table,
    work_table,
)

from humanseg.config.architectures import label
from humanseg.report.text.definitions import PUBLISHED
from humanseg.results import (
    Analysis,
    ExternalAnalysis,
    SourceAnalysis,
    read_record,
    write_text,
)

ROOT = Path(__file__).parent.parent


TEST_PICTURES = 58
"""Of the published split."""


def runs_on_published_split(path: Path) -> dict[str, ComparisonRun]:
    """The runs of a comparison on the published split, by architecture.

    Raises:
        SystemExit: a run on another split, or several of one architecture; of whichever were taken,
            the column's heading would not be true.
    """
    runs = read_comparison(path).runs
    for run in runs:
        tested = len(set(run.split.test))
        if run.config.split.protocol != "reference" or tested != TEST_PICTURES:
            raise SystemExit(
                f"{path.name}: {run.name} was tested on {tested} pictures of a split by "
                f"{run.config.split.protocol}, not on the {TEST_PICTURES} of the published split."
            )
    by_arch = {run.config.model.arch: run for run in runs}
    if len(by_arch) != len(runs):
        raise SystemExit(f"{path.name}: several runs of one architecture; a column shows one.")
    return by_arch


def costs_by_arch(comparison: ComparisonFile) -> dict[str, NetworkSize]:
    """What a network of each architecture costs: parameters and MACs, the same in all its runs.

    Raises:
        SystemExit: they are not the same.
    """
    costs: dict[str, NetworkSize] = {}
    for run in comparison.runs:
        cost = costs.setdefault(run.config.model.arch, run.cost)
        if cost != run.cost:
            raise SystemExit(f"{run.name}: is of another size than others of its architecture.")
    return costs


def folds_tables(path: Path) -> str:
    """The main result: cross-validated scores, what differs, and how far they carry."""
    result = read_comparison(path)
    analysis = result.analysis
    if analysis is None:
        raise SystemExit(f"{path} holds no analysis.")
    parts = [
        _fold_scores(analysis, costs_by_arch(result)),
        _fold_pairs(analysis),
        _beyond(analysis),
        f"From {link(path)}.",
    ]
    return "\n\n".join(parts)


def _fold_scores(analysis: Analysis, costs: Mapping[str, NetworkSize]) -> str:
    rows = []
    for network in analysis.networks:
        get, cost = network.metrics.get, costs[network.arch]
        rows.append(
            [
                label(network.arch),
                interval(get("iou")),
                *(three(value.estimate if (value := get(name)) else None) for name in _FEW),
                interval(get("boundary_iou")),
                interval(get("surface_dice_10")),
                *(percent(value.estimate if (value := get(name)) else None) for name in _SHARES),
                f"{cost.parameters / 1e6:.1f} M",
                f"{cost.macs / 1e9:.1f} G",
            ]
        )
    for bound in analysis.bounds:
        who = " and ".join(label(name) for name in bound.networks)
        name = _BOUNDS[bound.name].format(detail=bound.detail, who=who)
        empty = ["–"] * len(_FEW)
        edge = three(bound.boundary_iou)
        rows.append([name, three(bound.iou), *empty, edge, *["–"] * (len(_SHARES) + 3)])
    header = [
        f"{analysis.images} pictures, each scored out of fold",
        "per-image IoU [95 %]",
        "SD",
        "median",
        "5th percentile",
        "Dice",
        "dataset IoU",
        "two-class mIoU",
        "Boundary IoU [95 %]",
        "NSD at 1 % [95 %]",
        "ASSD",
        "HD95",
        "ECE",
        "ECE near contours",
        "parameters",
        "MACs",
    ]
    return table(header, rows)


_SHARES = ("assd", "hd95", "ece", "band_ece")
_FEW = ("iou_sd", "iou_median", "iou_p05", "dice", "dataset_iou", "two_class_miou")
_BOUNDS = {
    "mean_mask": "baseline: mean training mask",
    "all_background": "baseline: all background",
    "output_grid": (
        "upper bound: the true mask after a round trip through the {detail} output grid of {who}"
    ),
    "label_agreement": "upper bound: one true mask against another of the same picture ({detail})",
}


def headline_table(path: Path) -> str:
    """What a reader of the README wants of the cross-validation."""
    result = read_comparison(path)
    if result.analysis is None:
        raise SystemExit(f"{path} holds no analysis.")
    costs = costs_by_arch(result)
    rows = [
        [
            label(network.arch),
            interval(network.metrics.get("iou")),
            interval(network.metrics.get("boundary_iou")),
            f"{costs[network.arch].parameters / 1e6:.1f} M",
            f"{costs[network.arch].macs / 1e9:.1f} G",
        ]
        for network in result.analysis.networks
    ]
    header = [
        f"{result.analysis.images} pictures, each scored out of fold",
        "per-image IoU [95 %]",
        "Boundary IoU [95 %]",
        "parameters",
        "MACs",
    ]
    return f"{table(header, rows)}\n\nFrom {link(path)}."


def _fold_pairs(analysis: Analysis) -> str:
    names = {"iou": "per-image IoU", "boundary_iou": "Boundary IoU"}
    rows = [
        [
            f"{label(pair.first)} − {label(pair.second)}",
            names[pair.metric],
            points(pair.difference),
            p_value(pair.corrected_holm),
            p_value(pair.wilcoxon_holm),
            "yes" if pair.evidence else "no",
        ]
        for pair in analysis.pairs
    ]
    header = [
        "Difference, in points [95 %]",
        "metric",
        "mean",
        "p over folds (corrected t, Holm)",
        "p over pictures (Wilcoxon, Holm)",
        "evidence of a difference",
    ]
    return table(header, rows)


def _beyond(analysis: Analysis) -> str:
    """Train gap, left-out sources, external data, corruptions."""
    sources = sorted({stratum.source for stratum in analysis.sources})
    data_sets = sorted({scored.data for scored in analysis.external})
    left_out = {(stratum.network, stratum.source): stratum for stratum in analysis.sources}
    external = {(scored.network, scored.data): scored for scored in analysis.external}
    rows = []
    for network in analysis.networks:
        retained = [r.retention.estimate for r in analysis.robustness if r.network == network.name]
        gap = "–" if network.gap is None else f"{100 * network.gap:.1f} points"
        rows.append(
            [
                label(network.arch),
                gap,
                *(_left_out(left_out.get((network.name, source))) for source in sources),
                *(_external(external.get((network.name, name))) for name in data_sets),
                percent(statistics.fmean(retained) if retained else None),
            ]
        )
    header = [
        "Generalisation (per-image IoU)",
        "train − held out",
        *(f"{source}: trained with → without it" for source in sources),
        *data_sets,
        "retained under corruption",
    ]
    return table(header, rows)


def _left_out(shift: SourceAnalysis | None) -> str:
    """Scores with and without training on a source."""
    if shift is None or shift.seen is None:
        return "–"
    return f"{three(shift.seen.estimate)} → {three(shift.unseen.estimate)}"


def _external(scored: ExternalAnalysis | None) -> str:
    return "–" if scored is None else interval(scored.metrics.get("iou"))


def preset_table(reference_path: Path, default_path: Path) -> str:
    """Published figures beside both presets, on the published split."""
    both = [runs_on_published_split(path) for path in (reference_path, default_path)]
    beside = table(
        ["Batch-averaged IoU (published convention)", "published", "`reference`", "`default`"],
        [
            [
                label(arch),
                f"{PUBLISHED[arch].iou:.4f}" + ("*" if arch == "deeplabv3plus" else ""),
                *(three(runs[arch].summary.batch_iou if arch in runs else None) for runs in both),
            ]
            for arch in PUBLISHED
        ],
    )
    return "\n".join(
        [
            beside,
            "",
            "\\* Never trained: the optimiser of that run held the FPN's parameters.",
            "",
            f"From {link(reference_path)} and {link(default_path)}.",
        ]
    )


def training_table(path: Path) -> str:
    """The plain loop beside ours."""
    result = read_record(path, TrainingSpeed)
    environment, size = result.environment, result.image_size
    machine = f"{environment.processor}, {environment.cores} cores"
    device = machine if environment.device == "cpu" else environment.device
    rounds = len(result.archs[0].ours)
    return "\n".join(
        [
            figures_table(result),
            "",
            f"{result.encoder_name}, batch {result.batch_size}, {size[0]}x{size[1]}, "
            f"{result.epochs} epochs, {result.training_pictures} training pictures ({device}). "
            f"{' '.join(remarks(result))} "
            f"From {link(path)}; images/s: median "
            f"over the epochs of {'all rounds' if rounds > 1 else 'the round'}; other figures: "
            f"{f'median of {rounds} rounds' if rounds > 1 else 'one round'}.",
        ]
    )


PAGES: dict[Path, dict[str, Callable[[], str]]] = {
    ROOT / "README.md": {
        "peers": lambda: peers_table(newest("peers")),
        "headline": lambda: headline_table(newest("folds-default-lite0")),
    },
    ROOT / "docs" / "results.md": {
        "everyday": lambda: everyday_tables(newest("everyday-lite0")),
        "best": lambda: beside_table(newest("best-lite0"), ("bundled", "best", "fast")),
        "bundled": lambda: accuracy_table(newest("bundled-lite0")),
        "speed": lambda: speed_table(newest("speed")),
        "work": lambda: work_table(*map(newest, ("folder", "video", "startup", "install"))),
        "folds": lambda: folds_tables(newest("folds-default-lite0")),
        "presets": lambda: preset_table(newest("reference-lite0"), newest("default-lite0")),
        "throughput": lambda: training_table(newest("training-efficientnet-b0")),
        "whole": lambda: training_table(newest("whole-efficientnet-b0")),
        "whole-pretrained": lambda: training_table(newest("whole-lite0")),
    },
    ROOT / "docs" / "predict.md": {
        "found": lambda: found_table(newest("regions-lite0")),
        "unsure": lambda: unsure_table(newest("regions-lite0")),
        "crumbs": lambda: crumbs_table(newest("regions-lite0")),
    },
    ROOT / "docs" / "tutorial-own-pictures.md": {
        "loop": lambda: loop_table(newest("loop-clothing-co-parsing")),
        "loop-least-sure": lambda: loop_table(newest("loop-least-sure-clothing-co-parsing")),
        "loop-drawn": lambda: loop_table(newest("loop-drawn")),
    },
    ROOT / "docs" / "coverage.md": {"coverage": lambda: coverage_table(newest("coverage"))},
    ROOT / "docs" / "clean.md": {
        "clean": lambda: beside_table(newest("everyday-lite0"), ("clean", "bundled", "mediapipe"))
    },
    ROOT / "docs" / "experiments.md": {
        "ablation": lambda: ablation_table(newest("ablation-lite0"))
    },
    ROOT / "docs" / "edges.md": {
        "edges": lambda: edges_table(newest("edges-lite0")),
        "matting": lambda: matting_table(newest("matting-lite0")),
        "outputs": lambda: outputs_table(newest("edges-lite0")),
    },
}
"""Tables by page and by the name between their markers."""


def render(text: str, tables: Mapping[str, Callable[[], str]], root: str = "../") -> str:
    """A page with all its tables renewed between their markers; `root` leads out of its folder."""
    for name, make in tables.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        head, rest = text.split(begin)
        _, tail = rest.split(end)
        content = make().replace("](../", f"]({root}")
        text = f"{head}{begin}\n{content}\n{end}{tail}"
    return text


def main() -> int:
    """Rewrite or check the pages."""
    differing = 0
    for page, tables in PAGES.items():
        old = page.read_text(encoding="utf-8")
        new = render(old, tables, "" if page.parent == ROOT else "../")
        if "--check" not in sys.argv:
            write_text(page, new)
        elif old != new:
            differing += 1
            print(f"{page.name} differs from the result files: python -m benchmarks.readme_tables.")
    return min(differing, 1)


if __name__ == "__main__":
    sys.exit(main())
