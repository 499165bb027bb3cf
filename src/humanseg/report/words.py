"""The report's sentences, made from the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from humanseg.report.formatting import (
    counted,
    duration,
    gap,
    large,
    listed,
    points,
    score,
)
from humanseg.report.summary import Difference, Metric, Network, Study
from humanseg.results import Environment

FEW_PICTURES = 30
"""Below this many test pictures the report says that they are few."""

_NBSP = "\N{NO-BREAK SPACE}"
_NAMES: dict[Metric, str] = {"iou": "per-image IoU", "boundary_iou": "Boundary IoU"}


@dataclass(frozen=True)
class Answer:
    """The first screen."""

    headline: str
    findings: tuple[str, ...]
    """What the scores say, one sentence or two per metric."""
    cost: str
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
    """Everything that the first screen says about a comparison."""
    findings = [text for metric in _NAMES if (text := finding(study, metric))]
    return Answer(
        headline=headline(study),
        findings=tuple(findings),
        cost=cost_sentence(study),
        warnings=tuple(warnings(study)),
        cautions=tuple(cautions(study)),
    )


def labels(networks: tuple[Network, ...] | list[Network]) -> str:
    """Networks as a sentence lists them."""
    return listed([network.label for network in networks])


def headline(study: Study) -> str:
    """The answer in one sentence, by per-image IoU."""
    ranked = study.ranked("iou")
    if not study.finished:
        return "No run finished: there is nothing to compare."
    if not ranked:
        return "No test picture has a person in truth or prediction: IoU is not defined."
    best = ranked[0]
    mean = score(best.score("iou_mean").mean)
    if len(ranked) == 1:
        return f"{best.label} reaches {mean} per-image IoU; no other network was scored."
    against = [one for one in study.differences["iou"] if one.better is best]
    level = [one.worse for one in against if not one.is_evidence]
    if not level:
        nearest = against[0]
        return (
            f"{best.label} scored highest: per-image IoU {mean}, "
            f"{gap(nearest.mean)} above {nearest.worse.label}."
        )
    text = f"No evidence of a difference between {labels([best, *level])} in per-image IoU"
    behind = [one.worse for one in against if one.is_evidence]
    if behind:
        text += f"; {labels(behind)} scored lower than {best.label}"
    return f"{text}."


def finding(study: Study, metric: Metric) -> str:
    """Who scored highest by one metric, by how much, and what that is worth."""
    ranked = study.ranked(metric)
    if not ranked:
        return ""
    best = ranked[0]
    against = [one for one in study.differences[metric] if one.better is best]
    if not against:
        return f"{best.label} reaches {score(_mean(best, metric))} {_NAMES[metric]}."
    text = f"{best.label} has the highest {_NAMES[metric]}, {score(_mean(best, metric))}."
    return " ".join([text, *(_lower(one, metric) for one in against)])


def _lower(difference: Difference, metric: Metric) -> str:
    name = f"{difference.worse.label} ({score(_mean(difference.worse, metric))})"
    bounds = f"95{_NBSP}% interval {points(difference.low)} to {points(difference.high)}"
    if difference.is_evidence:
        worth = "a clear difference on these pictures"
    else:
        worth = f"no evidence of a difference, because {listed(difference.doubts)}"
    return f"{name} is {gap(difference.mean)} lower ({bounds}): {worth}."


def _mean(network: Network, metric: Metric) -> float | None:
    return network.score(f"{metric}_mean").mean


def basis(study: Study) -> str:
    """How many pictures and seeds the answer rests on."""
    seeds = max((len(network.runs) for network in study.finished), default=0)
    return f"{counted(study.pictures, 'test picture')}, {counted(seeds, 'training seed')}"


def cost_sentence(study: Study) -> str:
    """What each network takes, in one sentence."""
    if not study.finished:
        return ""

    def each(field: str, show: Callable[[float | None], str]) -> str:
        return listed([show(network.cost(field).mean) for network in study.finished])

    times = [
        f"{duration(network.cost('train_seconds').mean)} for {network.label}"
        for network in study.finished
    ]
    machines = dict.fromkeys(_machine(run.environment) for run in study.runs)
    order = "In the same order: " if len(study.finished) > 1 else ""
    return (
        f"Training took {listed(times)} (iterations only, on {listed(list(machines))}). "
        f"{order}{each('parameters', large)} parameters; "
        f"{each('macs', large)} multiply-accumulates (MACs) per picture."
    )


def _machine(environment: Environment) -> str:
    if environment.device == "cpu":
        return f"{environment.processor}, {counted(environment.cores, 'core')}"
    return environment.device


def problems(study: Study) -> tuple[Problem, ...]:
    """Runs of the plan that failed or were not reached."""
    failed = (Problem(run.name, "failed", run.error) for run in study.result.failed)
    missing = (Problem(name, "missing", "not reached") for name in study.result.missing)
    return (*failed, *missing)


def warnings(study: Study) -> list[str]:
    """What makes scores or their comparison untrustworthy."""
    found = []
    if _selected_on_test(study):
        found.append(
            "The kept epoch was chosen on the very pictures that are scored. These scores are "
            "too high for new pictures; use them only beside numbers made the same way."
        )
    if len({run.data_fingerprint for run in study.runs}) > 1:
        found.append("The runs saw different data: their fingerprints differ. Do not compare them.")
    if len({run.split for run in study.runs}) > 1:
        found.append("The runs used different splits: their scores are not comparable.")
    floor = study.floors["mean_mask"].iou_mean if "mean_mask" in study.floors else None
    for network in study.finished:
        mean = network.score("iou_mean").mean
        if floor is not None and mean is not None and mean <= floor:
            found.append(
                f"{network.label} does not beat the mean mask ({score(mean)} against "
                f"{score(floor)}), which looks at no picture: it has learned nothing useful."
            )
    settings = {(run.environment.device, run.environment.processor) for run in study.runs}
    modes = {(run.resolved.precision, run.resolved.memory_format) for run in study.runs}
    if len(settings) > 1:
        found.append("The runs were made on different hardware: do not compare their times.")
    elif len(modes) > 1:
        found.append(
            "The runs used different precisions or memory formats (see the cost table): "
            "their times compare networks and modes at once."
        )
    return found


def _selected_on_test(study: Study) -> bool:
    return any(
        run.split.validation_is_test and run.config.training.checkpoint == "best"
        for run in study.runs
    )


def cautions(study: Study) -> list[str]:
    """What limits how far the scores reach, though each is sound."""
    if not study.finished:
        return []
    found = []
    if not study.several_seeds:
        found.append(
            "One training seed: how far scores move from seed to seed was not measured, so "
            "another seed may order the networks differently."
        )
    seeds = {len(network.runs) for network in study.finished}
    if len(seeds) > 1:
        counts = [f"{one.label} {counted(len(one.runs), 'seed')}" for one in study.finished]
        found.append(f"The networks have different numbers of finished runs: {listed(counts)}.")
    found.append(
        "One split: intervals cover the choice of these test pictures, not of the training "
        "pictures."
    )
    if study.pictures < FEW_PICTURES:
        found.append(f"Only {counted(study.pictures, 'test picture')}: intervals are rough.")
    undefined = [
        f"{network.label} {counted(sum(run.summary.undefined for run in network.runs), 'picture')}"
        for network in study.finished
        if any(run.summary.undefined for run in network.runs)
    ]
    if undefined:
        found.append(
            "Pictures with no person in truth and prediction have no IoU and are left out of "
            f"per-image means: {listed(undefined)}."
        )
    if study.first and study.first.split.validation_is_test and not _selected_on_test(study):
        found.append(
            "The learning curves show the pictures that are scored; nothing was chosen by them."
        )
    return found


def protocol(study: Study) -> tuple[str, ...]:
    """How the scores were made, for the caption of the main table."""
    run = study.first
    if run is None:
        return ()
    split, config = run.split, run.config
    name = "Published split" if config.split.protocol == "reference" else "Hold-out split"
    validation = (
        "the test pictures also serve as validation pictures"
        if split.validation_is_test
        else counted(len(split.validation), "validation picture")
    )
    flips = (
        "probabilities are averaged with those of the mirrored picture"
        if config.evaluation.flip_averaging
        else "no flip averaging"
    )
    sizes = "×".join(str(side) for side in config.model.image_size)
    return (
        f"{name} (seed {config.split.seed}): {counted(len(split.train), 'training picture')}, "
        f"{validation}, {counted(len(split.test), 'test picture')}.",
        _selection(study),
        f"Scored at each mask's own size; the network sees {sizes} pixels. A pixel is a person "
        f"from probability {config.evaluation.threshold:g}; {flips}.",
        f"Encoder {config.model.encoder_name}, starting weights: {run.resolved.encoder_weights}.",
        "SD over pictures says how much pictures differ, SD over seeds how much trainings differ.",
    )


def _selection(study: Study) -> str:
    run = study.first
    if run is None or run.config.training.checkpoint == "last":
        return "The last epoch was kept: nothing was selected on the scored pictures."
    if _selected_on_test(study):
        return (
            "Warning: the epoch of lowest loss was selected on the scored pictures, so scores "
            "are too high for new pictures."
        )
    return (
        "The epoch of lowest validation loss was kept; nothing was selected on the scored pictures."
    )
