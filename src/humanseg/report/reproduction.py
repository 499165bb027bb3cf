"""How the scores were made: runs, settings, splits and machines, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import BaseModel

from humanseg.report.formatting import UNKNOWN, duration, score
from humanseg.report.study import Study, grouped
from humanseg.report.study_plan import every_run, lacking_runs
from humanseg.report.tables.table import Column, Row, Table, network_row, numbers, words
from humanseg.results import Environment, Evaluation, RunResult


def run_table(study: Study) -> Table:
    """Every run and evaluation with its result."""
    measured = numbers("Seed", "Per-image IoU", "Reported epoch", "Training time")
    columns = (*words("Run", "State"), *measured, *words("Date (UTC)"))
    lacking = (Row((run.name, run.state, *[UNKNOWN] * 5), "problem") for run in lacking_runs(study))
    rows = [*_trained(study), *_evaluated(study), *lacking]
    return Table("runs", "Every run and its result.", columns, rows)


def _trained(study: Study) -> Iterator[Row]:
    slots = {run: network.slot for network in study.networks for run in map(id, network.runs)}
    by_arch = {network.arch: network.slot for network in study.networks}
    for run in every_run(study):
        cells = (
            run.name,
            "finished",
            str(run.config.training.seed),
            score(run.summary.iou_mean),
            f"{run.kept_epoch} of {len(run.epochs)}",
            duration(run.cost.train_seconds),
            _date(run.environment),
        )
        yield Row(cells, slot=slots.get(id(run), by_arch.get(run.config.model.arch, 0)))


def _evaluated(study: Study) -> Iterator[Row]:
    for network in study.finished:
        for record in network.scored:
            if isinstance(record, Evaluation):
                iou, date = score(record.summary.iou_mean), _date(record.environment)
                yield network_row(network, "evaluated", UNKNOWN, iou, UNKNOWN, UNKNOWN, date)


def _settings(
    model: BaseModel, prefix: str = "", defaults: BaseModel | None = None
) -> Iterator[tuple[str, object, object, str]]:
    """Key, value, default and meaning of every setting of a configuration.

    A section that comes in several kinds has the settings of its own.
    """
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        default = getattr(defaults, name, field.get_default())
        if isinstance(value, BaseModel):
            yield from _settings(value, f"{prefix}{name}.", default)
        else:
            yield f"{prefix}{name}", value, default, field.description or ""


def _plain(value: object) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(_plain(part) for part in value) or "none"
    return str(value)


def settings_table(study: Study) -> Table:
    """The configuration of whatever was reported; empty where nothing has one."""
    if study.kind == "several":
        return _side_by_side_table(study)
    config: BaseModel | None = study.config
    if config is None and study.evaluations:
        config = study.evaluations[0].evaluation
    columns = (*words("Setting", "Value", "Default"), Column("Meaning", numeric=False, wide=True))
    rows = []
    settings = sorted(_settings(config) if config else (), key=lambda setting: "." in setting[0])
    for key, value, default, meaning in settings:
        cells = (key, _plain(value), _plain(default), meaning.replace("`", ""))
        rows.append(Row(cells, "changed" if value != default else "plain"))
    caption = "Every setting; those that differ from the default are marked."
    return Table("configuration", caption, columns, rows)


def _side_by_side_table(study: Study) -> Table:
    """Settings of networks of several folders; those that differ are marked."""
    each: list[dict[str, object]] = []
    for network in study.finished:
        first = network.scored[0]
        config = first.config if isinstance(first, RunResult) else first.evaluation
        prefix = "" if isinstance(first, RunResult) else "evaluation."
        each.append({key: value for key, value, *_ in _settings(config, prefix)})
    rows = []
    for key in dict.fromkeys(key for own in each for key in own):
        cells = [_plain(own[key]) if key in own else UNKNOWN for own in each]
        rows.append(Row((key, *cells), "changed" if len(set(cells)) > 1 else "plain"))
    caption = "Settings of the first run of each network; those that differ are marked."
    columns = words("Setting", *(network.label for network in study.finished))
    return Table("configuration", caption, columns, rows)


def changed_settings(full: Table) -> Table:
    """Only those rows of the configuration that differ from the defaults."""
    rows = [row for row in full.rows if row.kind == "changed"]
    return Table("changed", "Settings that differ from the defaults.", full.columns, rows)


def split_lists(study: Study) -> dict[str, dict[str, Sequence[str]]]:
    """The images of each part of every split, by the runs that used it."""
    users = grouped((run.split, run.name) for run in every_run(study))
    return {
        ", ".join(names): {"Training": own.train, "Validation": own.validation, "Test": own.test}
        for own, names in users.items()
    }


def environment_table(study: Study) -> Table:
    """Where everything was made; where values differ, all are listed."""
    runs = every_run(study)
    made = [record.environment for record in study.scored]
    items = {
        **{label: _distinct(map(show, made)) for label, show in _ENVIRONMENT.items()},
        **{label: _distinct(map(show, runs)) for label, show in _RUN.items()},
        "Time per training picture in each mode tried": _timings(runs),
        "Data fingerprint (SHA-256)": _distinct(each.data_fingerprint for each in study.scored),
    }
    columns = (*words("Item"), Column("Value", numeric=False, wide=True))
    rows = [Row(item) for item in items.items() if item[1]]
    return Table("environment", "Software and hardware of the runs.", columns, rows)


def _distinct(values: Iterable[str]) -> str:
    return " · ".join(dict.fromkeys(value for value in values if value))


def _versions(environment: Environment) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(environment.versions.items()))


def _processor(environment: Environment) -> str:
    threads = "" if environment.threads is None else f", {environment.threads} threads used"
    return f"{environment.processor}, {environment.cores} cores{threads}"


def _timings(runs: Sequence[RunResult]) -> str:
    """Of the first run of each architecture that tried several modes."""
    first = {run.config.model.arch: run for run in reversed(runs) if run.resolved.timings}
    return " · ".join(f"{run.name}: {_tried(run)}" for run in reversed(first.values()))


def _tried(run: RunResult) -> str:
    quickest = sorted(run.resolved.timings.items(), key=lambda timing: timing[1])
    return "; ".join(f"{1000 * seconds:.1f} ms with {mode}" for mode, seconds in quickest)


def _date(environment: Environment) -> str:
    """To the minute."""
    return environment.date[:16].replace("T", " ")


_ENVIRONMENT: dict[str, Callable[[Environment], str]] = {
    "Date (UTC)": _date,
    "Command": lambda made: made.command,
    "humanseg": lambda made: made.humanseg,
    "Commit": lambda made: made.commit or "unknown (outside a checkout)",
    "Python": lambda made: made.python,
    "Platform": lambda made: made.platform,
    "Processor": _processor,
    "Device": lambda made: made.device,
    "Versions": _versions,
}

_RUN: dict[str, Callable[[RunResult], str]] = {
    "Precision": lambda run: run.resolved.precision,
    "Memory format": lambda run: run.resolved.memory_format,
    "Normalisation": lambda run: (
        f"mean {', '.join(f'{value:g}' for value in run.resolved.mean)}; "
        f"deviation {', '.join(f'{value:g}' for value in run.resolved.std)}"
    ),
    "Starting weights": lambda run: run.resolved.encoder_weights,
}
