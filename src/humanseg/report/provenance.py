"""How the scores came to be: runs, settings and machines, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import BaseModel

from humanseg.config import CompareConfig
from humanseg.report.formatting import UNKNOWN, duration, score
from humanseg.report.summary import Study
from humanseg.report.tables import Column, Row, Table
from humanseg.results import Environment, RunResult


def run_table(study: Study) -> Table:
    """Every run of the plan and what came of it."""
    columns = (
        Column("Run", numeric=False),
        Column("State", numeric=False),
        Column("Per-image IoU"),
        Column("Kept epoch"),
        Column("Training time"),
        Column("Date (UTC)", numeric=False),
    )
    rows = [
        Row(
            (
                run.name,
                "finished",
                score(run.summary.iou_mean),
                f"{run.kept_epoch} of {len(run.epochs)}",
                duration(run.cost.train_seconds),
                run.environment.date,
            ),
            slot=network.slot,
        )
        for network in study.finished
        for run in network.runs
    ]
    gaps = [(one.name, "failed") for one in study.result.failed]
    gaps += [(name, "missing") for name in study.result.missing]
    rows += [Row((name, state, *[UNKNOWN] * 4), "problem") for name, state in gaps]
    return Table("Runs of the plan.", columns, tuple(rows))


_IGNORED = {"model.arch", "training.seed"}
"""A plan replaces these by its own lists."""


def _settings(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, object, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in _IGNORED:
            yield f"{prefix}{name}", value, field.description or ""


def _plain(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_plain(part) for part in value)
    return value if isinstance(value, str) else str(value)


def configuration_table(config: CompareConfig) -> Table:
    """Every setting with its default; those that differ are marked."""
    columns = (
        *(Column(label, numeric=False) for label in ("Setting", "Value", "Default")),
        Column("Meaning", numeric=False, wide=True),
    )
    defaults = {key: value for key, value, _ in _settings(CompareConfig())}
    rows = []
    for key, value, meaning in sorted(_settings(config), key=lambda one: "." in one[0]):
        changed = value != defaults[key]
        cells = (key, _plain(value), _plain(defaults[key]), meaning.replace("`", ""))
        rows.append(Row(cells, "changed" if changed else "plain"))
    return Table("Settings of the plan; changed ones are marked.", columns, tuple(rows))


def changed_settings(full: Table) -> Table:
    """Only those rows of the configuration that differ from the defaults."""
    rows = tuple(row for row in full.rows if row.kind == "changed")
    return Table("Settings that differ from the defaults.", full.columns, rows)


def environment_table(study: Study) -> Table:
    """Where the runs were made; differing values are listed side by side."""
    columns = (Column("Item", numeric=False), Column("Value", numeric=False, wide=True))
    rows = [Row((label, _distinct(study.runs, show))) for label, show in _ENVIRONMENT.items()]
    return Table("Where the runs were made.", columns, tuple(rows))


def _distinct(runs: tuple[RunResult, ...], show: Callable[[RunResult], str]) -> str:
    return " · ".join(dict.fromkeys(show(run) for run in runs)) or UNKNOWN


def _versions(environment: Environment) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(environment.versions.items()))


def _timings(run: RunResult) -> str:
    tried = [
        f"{1000 * seconds:.1f} ms with {mode}"
        for mode, seconds in sorted(run.resolved.timings.items(), key=lambda one: one[1])
    ]
    return f"{run.name}: {'; '.join(tried)}" if tried else "not timed"


_ENVIRONMENT: dict[str, Callable[[RunResult], str]] = {
    "Date (UTC)": lambda run: run.environment.date,
    "humanseg": lambda run: run.environment.humanseg,
    "Commit": lambda run: run.environment.commit or "unknown (outside a checkout)",
    "Python": lambda run: run.environment.python,
    "Platform": lambda run: run.environment.platform,
    "Processor": lambda run: f"{run.environment.processor}, {run.environment.cores} cores",
    "Device": lambda run: run.environment.device,
    "Versions": lambda run: _versions(run.environment),
    "Normalisation": lambda run: (
        f"mean {', '.join(f'{value:g}' for value in run.resolved.mean)}; "
        f"deviation {', '.join(f'{value:g}' for value in run.resolved.std)}"
    ),
    "Starting weights": lambda run: run.resolved.encoder_weights,
    "Time per training picture of each mode tried": _timings,
    "Data fingerprint (SHA-256)": lambda run: run.data_fingerprint,
}
