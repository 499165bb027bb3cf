"""The report's sentences, made from the numbers: the answer and what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from humanseg.report.formatting import (
    counted,
    duration,
    in_groups,
    large,
    listed,
    milliseconds,
)
from humanseg.report.ranking import METRIC_NAMES, Metric, pair_of, ranked
from humanseg.report.study import Network, Study, extent
from humanseg.report.study_plan import folds, repeats
from humanseg.report.tables.difference_tables import reading
from humanseg.report.text.caveats import cautions, warnings
from humanseg.report.text.generalisation_text import generalisation, limits
from humanseg.report.text.verdict import apart, headline, value_of
from humanseg.results import Environment


@dataclass(frozen=True)
class Answer:
    """The first screen."""

    headline: str
    findings: tuple[str, ...]
    """What the scores say, a few sentences per metric."""
    cost: str
    generalisation: tuple[str, ...]
    """How far the scores carry, one sentence per kind of test."""
    limits: str
    """Baselines and upper bounds; may be empty."""
    warnings: tuple[str, ...]
    """What makes the numbers untrustworthy. Shown loudly."""
    cautions: tuple[str, ...]
    """What limits how far the numbers reach."""


def answer(study: Study) -> Answer:
    """Everything that the first screen says."""
    findings = (finding(study, metric) for metric in METRIC_NAMES)
    return Answer(
        headline=headline(study),
        findings=tuple(filter(None, findings)),
        cost=cost_sentence(study),
        generalisation=tuple(generalisation(study)),
        limits=limits(study),
        warnings=tuple(warnings(study)),
        cautions=tuple(cautions(study)),
    )


def finding(study: Study, metric: Metric) -> str:
    """Who scored highest by one metric, by how much, and what that is worth."""
    order = ranked(study, metric)
    if not order:
        return ""
    best, *others = order
    name, value = METRIC_NAMES[metric], value_of(study, best, metric)
    if not others:
        return f"{best.label} reaches {value} {name}."
    behind = (_behind(study, best, network, metric) for network in others)
    return " ".join((f"{best.label} has the highest {name}, {value}.", *behind))


def _behind(study: Study, best: Network, network: Network, metric: Metric) -> str:
    pair, value = pair_of(study, metric, best, network), value_of(study, network, metric)
    if pair is None:
        return f"{network.label} reaches {value}."
    said = f"is {apart(pair, 'lower', 'higher on the shared pictures')}"
    if pair.alike:
        said = "scored the same in every picture"
    return f"{network.label} ({value}) {said}: {reading(study, pair)}."


def basis(study: Study) -> str:
    """How many images, folds and seeds the answer rests on."""
    every, people = extent(study), extent(study, people=True)
    parts = [f"{counted(every.images, 'test picture')}{in_groups(*every)}"]
    if people != every:
        parts.append(f"{people.images:,} with people{in_groups(*people)}")
    if folds(study):
        parts.append(counted(folds(study), "fold"))
        if repeats(study) > 1:
            parts.append(counted(repeats(study), "repeat"))
    if study.runs:
        parts.append(_seeds(study))
    return ", ".join(parts)


def _seeds(study: Study) -> str:
    """Training seeds of each network: networks side by side may have different ones."""
    counts = sorted({len(network.seeds) for network in study.trained})
    each = " per network" if len(study.trained) > 1 else ""
    few = f"{counts[0]} to " if len(counts) > 1 else ""
    return f"{few}{counted(counts[-1], 'training seed')}{each}"


def cost_sentence(study: Study) -> str:
    """What each network takes, in a few sentences; empty without trainings."""
    trained = study.trained
    if not trained:
        return ""

    def each(field: str, show: Callable[[float | None], str]) -> str:
        return listed([show(network.cost(field)) for network in trained])

    times = [
        f"{duration(network.cost('train_seconds'))} for {network.label}" for network in trained
    ]
    machines = dict.fromkeys(_machine(run.environment) for run in study.runs)
    order = "In the same order: " if len(trained) > 1 else ""
    return (
        f"One training took {listed(times)} (iterations only, on {listed(list(machines))}). "
        f"{order}{each('latency_seconds', milliseconds)} for one picture; "
        f"{each('parameters', large)} parameters; "
        f"{each('macs', large)} multiply-accumulates (MACs) per picture."
    )


def _machine(environment: Environment) -> str:
    if environment.device == "cpu":
        return f"{environment.processor}, {counted(environment.cores, 'core')}"
    return environment.device
