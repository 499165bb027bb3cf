"""The report's sentences, made from the numbers: the answer and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from humanseg.report.caveats import cautions, comparable_times, protocol, warnings
from humanseg.report.difference_tables import doubts
from humanseg.report.formatting import (
    bounded,
    bounds,
    counted,
    duration,
    gap,
    large,
    listed,
    milliseconds,
    points,
)
from humanseg.report.generalisation_text import generalisation, limits
from humanseg.report.study import Metric, Network, Pair, Study
from humanseg.report.tables import METRIC_NAMES
from humanseg.results import Environment

__all__ = [
    "Answer",
    "Problem",
    "answer",
    "basis",
    "cost_sentence",
    "finding",
    "headline",
    "labels",
    "problems",
    "protocol",
]

_NBSP = "\N{NO-BREAK SPACE}"


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
    """What needs no network, and what no network can pass; may be empty."""
    warnings: tuple[str, ...]
    """What makes the numbers untrustworthy. Shown loudly."""
    cautions: tuple[str, ...]
    """What limits how far the numbers reach."""


@dataclass(frozen=True)
class Problem:
    """A run of the plan without a result."""

    name: str
    state: str
    detail: str


def answer(study: Study) -> Answer:
    """Everything that the first screen says."""
    findings = [text for metric in METRIC_NAMES if (text := finding(study, metric))]
    return Answer(
        headline=headline(study),
        findings=tuple(findings),
        cost=cost_sentence(study),
        generalisation=tuple(generalisation(study)),
        limits=limits(study),
        warnings=tuple(warnings(study)),
        cautions=tuple(cautions(study)),
    )


def labels(networks: Sequence[Network]) -> str:
    """Networks as a sentence lists them."""
    return listed([network.label for network in networks])


def headline(study: Study) -> str:
    """Which network to use and how sure that is, in one sentence."""
    ranked = study.ranked("iou")
    if not study.finished:
        return "No run finished: there is nothing to compare."
    if not study.compared:
        return "No network finished all of its runs: there is nothing to compare yet."
    if not ranked:
        return "No test picture has a person in truth or prediction: IoU is not defined."
    best = ranked[0]
    if len(ranked) == 1:
        alone = "" if study.kind in ("evaluation", "run") else "; no other network was scored"
        return f"{best.label} reaches {_value(study, best, 'iou')} per-image IoU{alone}."
    pairs = {one: study.pair("iou", best, one) for one in ranked[1:]}
    if all(pair is None for pair in pairs.values()):
        mean = _value(study, best, "iou")
        return (
            f"{best.label} has the highest per-image IoU, {mean}; whether that is more than "
            "chance was not computed."
        )
    level = [one for one, pair in pairs.items() if pair is None or not pair.above]
    if level:
        return _level_headline(study, [best, *level], [one for one in pairs if one not in level])
    nearest = min(
        (pair for pair in pairs.values() if pair), key=lambda pair: pair.difference.estimate
    )
    return f"Use {best.label}: per-image IoU {_value(study, best, 'iou')}, {_above(nearest)}."


def _above(pair: Pair) -> str:
    interval = bounds(pair.difference, points)
    bracket = f" (95{_NBSP}% interval {interval})" if interval else ""
    return f"{gap(pair.difference.estimate)} above {pair.second.label}{bracket}"


def _level_headline(study: Study, level: list[Network], behind: list[Network]) -> str:
    """What to use where no network is ahead: by contours, and by cost."""
    text = f"No evidence of a difference between {labels(level)} in per-image IoU"
    if behind:
        text += f" ({labels(behind)} scored lower)"
    # Too uncertain to be called lower is no reason to use what did worse than those that are.
    ranked = study.ranked("iou")
    worst = min((ranked.index(one) for one in behind), default=len(ranked))
    able = [one for one in level if ranked.index(one) < worst]
    if len(able) == 1:
        return f"{text}: use {able[0].label}, which has the highest mean."
    cheapest, why = _cheapest(study, able)
    sharpest, ahead = _sharpest(study, able, cheapest)
    if cheapest is None and sharpest is None:
        return f"{text}: choose by other needs."
    if cheapest is None or sharpest is cheapest:
        reasons = " and ".join(part for part in (ahead, why) if part)
        chosen = sharpest or cheapest
        return f"{text}: use {chosen.label if chosen else ''}, which {reasons}."
    if sharpest is None:
        return f"{text}: use {cheapest.label}, which {why}."
    return f"{text}: use {sharpest.label}, which {ahead}, or {cheapest.label}, which {why}."


def _cheapest(study: Study, level: Sequence[Network]) -> tuple[Network | None, str]:
    """The network of least cost and what it needs; by time only where times compare."""
    if any(not network.runs for network in level):
        return None, ""
    macs = {network: network.cost("macs").mean or 0.0 for network in level}
    cheapest = min(level, key=lambda network: macs[network])
    if list(macs.values()).count(macs[cheapest]) == 1:
        return cheapest, f"needs the fewest MACs ({large(macs[cheapest])} per picture)"
    if not comparable_times(study):
        return None, ""
    seconds = {network: network.cost("train_seconds").mean or 0.0 for network in level}
    cheapest = min(level, key=lambda network: seconds[network])
    return cheapest, f"trains fastest ({duration(seconds[cheapest])})"


def _sharpest(
    study: Study, level: Sequence[Network], cheapest: Network | None
) -> tuple[Network | None, str]:
    """The network of better contours, where there is evidence for it.

    Against the cheapest one if that is known, so that its price buys something; else against all.
    """
    ranked = [network for network in study.ranked("boundary_iou") if network in level]
    if not ranked:
        return None, ""
    best = ranked[0]
    others = [one for one in level if one is not best]
    against = [study.pair("boundary_iou", best, one) for one in others]
    if cheapest is not None and best is not cheapest:
        against = [study.pair("boundary_iou", best, cheapest)]
    known = [pair for pair in against if pair is not None and pair.above]
    if not known or len(known) < len(against):
        return None, ""
    nearest = min(known, key=lambda pair: pair.difference.estimate)
    higher = f"{gap(nearest.difference.estimate)} above {nearest.second.label}"
    return best, f"has the better contours (Boundary IoU {higher})"


def _value(study: Study, network: Network, metric: Metric) -> str:
    return bounded(study.metric(network, metric))


def finding(study: Study, metric: Metric) -> str:
    """Who scored highest by one metric, by how much, and what that is worth."""
    ranked = study.ranked(metric)
    if not ranked:
        return ""
    best = ranked[0]
    name = METRIC_NAMES[metric]
    if len(ranked) == 1:
        return f"{best.label} reaches {_value(study, best, metric)} {name}."
    sentences = [f"{best.label} has the highest {name}, {_value(study, best, metric)}."]
    for other in ranked[1:]:
        pair = study.pair(metric, best, other)
        if pair is None:
            sentences.append(f"{other.label} reaches {_value(study, other, metric)}.")
        else:
            sentences.append(_lower(study, pair, metric))
    return " ".join(sentences)


def _lower(study: Study, pair: Pair, metric: Metric) -> str:
    name = f"{pair.second.label} ({_value(study, pair.second, metric)})"
    interval = bounds(pair.difference, points)
    bracket = f" (95{_NBSP}% interval {interval})" if interval else ""
    if pair.record.evidence:
        worth = "a clear difference on these pictures"
    else:
        worth = f"no evidence of a difference, because {listed(doubts(pair))}"
    side = "lower" if pair.difference.estimate >= 0 else "higher on the shared pictures"
    return f"{name} is {gap(pair.difference.estimate)} {side}{bracket}: {worth}."


def basis(study: Study) -> str:
    """How many pictures, folds and seeds the answer rests on."""
    parts = [counted(study.images, "test picture")]
    if study.analysis and study.analysis.groups < study.analysis.pictures:
        parts[0] += f" in {counted(study.analysis.groups, 'group')}"
    if study.cross_validated and study.folds:
        parts.append(counted(study.folds, "fold"))
        if study.repeats > 1:
            parts.append(counted(study.repeats, "repeat"))
    if study.runs:
        parts.append(counted(study.seeds, "training seed"))
    return ", ".join(parts)


def cost_sentence(study: Study) -> str:
    """What each network takes, in a few sentences; empty without trainings."""
    trained = [network for network in study.finished if network.runs]
    if not trained:
        return ""

    def each(field: str, show: Callable[[float | None], str]) -> str:
        return listed([show(network.cost(field).mean) for network in trained])

    times = [
        f"{duration(network.cost('train_seconds').mean)} for {network.label}" for network in trained
    ]
    machines = dict.fromkeys(_machine(run.environment) for run in study.runs)
    order = "In the same order: " if len(trained) > 1 else ""
    timed = all(network.cost("latency_seconds").mean is not None for network in trained)
    latency = f"{each('latency_seconds', milliseconds)} for one picture; " if timed else ""
    return (
        f"One training took {listed(times)} (iterations only, on {listed(list(machines))}). "
        f"{order}{latency}{each('parameters', large)} parameters; "
        f"{each('macs', large)} multiply-accumulates (MACs) per picture."
    )


def _machine(environment: Environment) -> str:
    if environment.device == "cpu":
        return f"{environment.processor}, {counted(environment.cores, 'core')}"
    return environment.device


def problems(study: Study) -> tuple[Problem, ...]:
    """Runs of the plan that failed or were not reached."""
    failed = (Problem(run.name, "failed", run.error) for run in study.failed)
    missing = (Problem(name, "missing", "not reached") for name in study.missing)
    return (*failed, *missing)
