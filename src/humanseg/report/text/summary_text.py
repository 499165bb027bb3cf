"""The report's sentences, made from the numbers: the answer and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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
from humanseg.report.ranking import METRIC_NAMES, Metric, Pair, metric_of, pair_of, ranked
from humanseg.report.study import Network, Study
from humanseg.report.study_images import image_scores
from humanseg.report.study_plan import (
    failed_runs,
    folds,
    is_cross_validated,
    missing_runs,
    repeats,
)
from humanseg.report.tables.difference_tables import doubts
from humanseg.report.text.caveats import cautions, comparable_times, warnings
from humanseg.report.text.generalisation_text import generalisation, limits
from humanseg.results import Environment

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
    """Baselines and upper bounds; may be empty."""
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
    if not study.finished:
        return "No run finished: there is nothing to compare."
    if not study.compared:
        return "No network finished all of its runs: there is nothing to compare yet."
    order = ranked(study, "iou")
    if not order:
        return "No test picture has a person in its true or predicted mask: IoU is not defined."
    best = order[0]
    if len(order) == 1:
        alone = "" if study.kind in ("evaluation", "run") else "; no other network was scored"
        return f"{best.label} reaches {_value(study, best, 'iou')} per-image IoU{alone}."
    pairs = {network: pair_of(study, "iou", best, network) for network in order[1:]}
    if all(pair is None for pair in pairs.values()):
        mean = _value(study, best, "iou")
        return (
            f"{best.label} has the highest per-image IoU, {mean}, but no picture was scored by "
            "several networks: no difference can be tested."
        )
    level = [network for network, pair in pairs.items() if pair is None or not pair.above]
    if level:
        behind = [network for network in pairs if network not in level]
        return _level_headline(study, [best, *level], behind)
    nearest = min(
        (pair for pair in pairs.values() if pair), key=lambda pair: pair.difference.estimate
    )
    return f"Use {best.label}: per-image IoU {_value(study, best, 'iou')}, {_above(nearest)}."


def _above(pair: Pair) -> str:
    return f"{gap(pair.difference.estimate)} above {pair.second.label}{_interval(pair)}"


def _interval(pair: Pair) -> str:
    interval = bounds(pair.difference, points)
    return f" (95{_NBSP}% interval {interval})" if interval else ""


def _level_headline(study: Study, level: list[Network], behind: list[Network]) -> str:
    """What to use where no network is ahead: by contours, and by cost."""
    text = f"No evidence of a difference between {labels(level)} in per-image IoU"
    if behind:
        text += f" ({labels(behind)} scored lower)"
    # Too uncertain to be called lower is no reason to use what did worse than those that are.
    order = ranked(study, "iou")
    worst = min((order.index(network) for network in behind), default=len(order))
    able = [network for network in level if order.index(network) < worst]
    if len(able) == 1:
        return f"{text}: use {able[0].label}, which has the highest mean."
    cheapest, why = _cheapest(study, able)
    sharpest, ahead = _sharpest(study, able, cheapest)
    if cheapest is None and sharpest is None:
        return f"{text}: choose by other criteria."
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

    Against the cheapest network if there is one, so that the higher price buys something; else
    against all.
    """
    order = [network for network in ranked(study, "boundary_iou") if network in level]
    if not order:
        return None, ""
    best = order[0]
    rivals = [network for network in level if network is not best]
    if cheapest is not None and best is not cheapest:
        rivals = [cheapest]
    pairs = [pair_of(study, "boundary_iou", best, rival) for rival in rivals]
    ahead = [pair for pair in pairs if pair is not None and pair.above]
    if not ahead or len(ahead) < len(pairs):
        return None, ""
    nearest = min(ahead, key=lambda pair: pair.difference.estimate)
    higher = f"{gap(nearest.difference.estimate)} above {nearest.second.label}"
    return best, f"has the better contours (Boundary IoU {higher})"


def _value(study: Study, network: Network, metric: Metric) -> str:
    return bounded(metric_of(study, network, metric))


def finding(study: Study, metric: Metric) -> str:
    """Who scored highest by one metric, by how much, and what that is worth."""
    order = ranked(study, metric)
    if not order:
        return ""
    best = order[0]
    name = METRIC_NAMES[metric]
    if len(order) == 1:
        return f"{best.label} reaches {_value(study, best, metric)} {name}."
    sentences = [f"{best.label} has the highest {name}, {_value(study, best, metric)}."]
    for network in order[1:]:
        pair = pair_of(study, metric, best, network)
        if pair is None:
            sentences.append(f"{network.label} reaches {_value(study, network, metric)}.")
        else:
            sentences.append(_lower(study, pair, metric))
    return " ".join(sentences)


def _lower(study: Study, pair: Pair, metric: Metric) -> str:
    name = f"{pair.second.label} ({_value(study, pair.second, metric)})"
    if pair.record.evidence:
        worth = "a clear difference on these pictures"
    else:
        worth = f"no evidence of a difference, because {listed(doubts(pair))}"
    side = "lower" if pair.difference.estimate >= 0 else "higher on the shared pictures"
    return f"{name} is {gap(pair.difference.estimate)} {side}{_interval(pair)}: {worth}."


def basis(study: Study) -> str:
    """How many images, folds and seeds the answer rests on."""
    parts = [counted(len(image_scores(study)), "test picture")]
    if study.analysis.groups < study.analysis.images:
        parts[0] += f" in {counted(study.analysis.groups, 'group')}"
    count = folds(study)
    if is_cross_validated(study) and count:
        parts.append(counted(count, "fold"))
        if repeats(study) > 1:
            parts.append(counted(repeats(study), "repeat"))
    if study.runs:
        parts.append(_seeds(study))
    return ", ".join(parts)


def _seeds(study: Study) -> str:
    """Training seeds of each network: networks side by side may have different ones."""
    trained = [network for network in study.finished if network.runs]
    counts = sorted({len({run.config.training.seed for run in net.runs}) for net in trained})
    each = " per network" if len(trained) > 1 else ""
    few = f"{counts[0]} to " if len(counts) > 1 else ""
    return f"{few}{counted(counts[-1], 'training seed')}{each}"


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


def problems(study: Study) -> tuple[Problem, ...]:
    """Runs of the plan that failed or were not reached."""
    failed = (Problem(run.name, "failed", run.error) for run in failed_runs(study))
    missing = (Problem(name, "missing", "not reached") for name in missing_runs(study))
    return (*failed, *missing)
