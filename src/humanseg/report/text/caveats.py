"""Sentences on what makes scores untrustworthy, and on what limits them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator

from humanseg.report.formatting import counted, listed, score
from humanseg.report.study import Study, different_ways, extent, settings_of
from humanseg.report.study_plan import folds, has_several_seeds
from humanseg.report.text.contradictions import changed_by_hand, contradictions
from humanseg.results import Evaluation, RunResult

FEW_IMAGES = 30
"""Below this many test images with people, or groups of them, the report says that they are few."""
OWN_LABELS = 0.99
"""Median IoU from which on a model seems to have made the masks itself that it is scored by."""
FAR_APART = 0.3
"""IoU in training less that in validation, above which the averages of a short run lag behind."""
SHOWN_DOUBTS = 5
"""Doubts about training masks that are shown; every run of a plan may have its own."""
LIKE_LOGITS = 7
"""Lowest bins of fifteen, below 0.47, that are empty where sigmoids are taken of probabilities."""
_SETTINGS = ("data", "model", "augmentation", "loss", "optimiser", "training")
_OF_RUNS = {
    *("data.root", "data.layout", "data.classes", "data.extra", "data.accept", "model.arch"),
    *("training.seed", "training.device", "training.onnx", "training.loggers"),
    *("training.precision", "training.memory_format"),  # see `_different_machines`
}
"""Settings in which runs may differ and be comparable."""
FEW_STEPS = 500
"""A run of fewer steps is short: averages over steps still hold much of the initial weights."""


def warnings(study: Study) -> Iterator[str]:
    """What makes scores or their comparison untrustworthy."""
    yield from contradictions(study)
    yield from changed_by_hand(study)
    yield from _selected_on_scored(study)
    if len({record.data_fingerprint for record in study.scored}) > 1:
        yield "The runs used different data (their fingerprints differ): do not compare them."
    runs = [network.runs for network in study.compared if network.runs]
    if len({frozenset(network.image_scores) for network in study.compared}) > 1:
        yield "The networks were tested on different pictures: their means are not comparable."
    elif len({frozenset(run.split for run in own) for own in runs}) > 1:
        yield (
            "The runs used different splits: the networks were not trained on the same pictures, "
            "so their scores are not comparable."
        )
    if ways := different_ways(study.scored):
        yield (
            f"The networks were scored in different ways ({listed(ways)}): differences are not due "
            "to the networks alone."
        )
    yield from _different_settings(study)
    yield from _probabilities_for_logits(study)
    yield from _trained_on_test(study)
    yield from _scored_by_itself(study)
    yield from _divided_copies(study)
    yield from _doubted_masks(study)
    yield from _below_baseline(study)
    yield from _different_machines(study)


def selected_on_test(runs: Iterable[RunResult]) -> bool:
    """Whether any run chose its epoch by the images that are scored."""
    return any(
        run.split.validation_is_test and run.config.training.checkpoint == "best" for run in runs
    )


def _selected_on_scored(study: Study) -> Iterator[str]:
    selected = [network for network in study.finished if selected_on_test(network.runs)]
    if not selected:
        return
    some = len(selected) < len(study.finished)
    whose = f" of {listed([network.label for network in selected])}" if some else ""
    others = ", not with those of the other networks here" if some else ""
    yield (
        f"The reported epoch{whose} was selected on the pictures that are scored, so these scores "
        "are too high for new pictures. Compare them only with numbers made the same way"
        f"{others}."
    )


def _trained_on_test(study: Study) -> Iterator[str]:
    evaluations = study.evaluations
    seen = {name for evaluation in evaluations for name in evaluation.seen_images}
    if seen and all(len(each.seen_images) < each.summary.images for each in evaluations):
        yield (
            f"A model was trained on {counted(len(seen), 'picture')} that it was scored on, or on "
            "copies: its scores are too high for new pictures."
        )
    elif any(evaluation.seen_in_training for evaluation in evaluations):
        yield (
            "A model was scored on the data set that it was trained on: its scores include "
            "training pictures and are too high."
        )
    for evaluation in study.evaluations:
        if evaluation.trained_on is None:
            yield (
                f"What {evaluation.model} was trained on is not recorded: its scores are too high "
                "if it has seen these pictures."
            )


def _different_settings(study: Study) -> Iterator[str]:
    """Trainings that are set side by side although more than their networks differs."""
    settings = [_comparable(run) for network in study.compared for run in network.runs]
    first = settings[0] if settings else {}
    shared = [key for key in first if all(key in own for own in settings)]
    keys = [key for key in shared if any(own[key] != first[key] for own in settings)]
    if keys:
        yield (
            f"The runs were trained with different settings ({listed(keys)}): differences are not "
            "due to the networks alone."
        )


def _comparable(run: RunResult) -> dict[str, object]:
    """What must be the same in runs that are to tell networks apart."""
    settings = {
        f"{section}.{key}": value
        for section in _SETTINGS
        for key, value in getattr(run.config, section).model_dump().items()
    }
    extra = sorted(run.further_data.values())
    return {key: settings[key] for key in settings if key not in _OF_RUNS} | {"data.extra": extra}


def _probabilities_for_logits(study: Study) -> Iterator[str]:
    for network in study.finished:
        if not any(sum(record.calibration.pixels[:LIKE_LOGITS]) for record in network.scored):
            yield (
                f"{network.label} gives every pixel a probability of 0.47 or more: so does a "
                "network that gives probabilities where logits are asked for."
            )


def _scored_by_itself(study: Study) -> Iterator[str]:
    for evaluation in study.evaluations:
        ious = [image.iou for image in evaluation.scores if image.iou is not None]
        if len(ious) >= FEW_IMAGES and statistics.median(ious) >= OWN_LABELS:
            yield (
                f"The true masks are {evaluation.model}'s own almost to the pixel (median IoU "
                f"{score(statistics.median(ious))}), closer than people's labels are to each "
                "other: if it, or a network like it, made them, its scores mean nothing."
            )


def _divided_copies(study: Study) -> Iterator[str]:
    leaks = [leak for leak in study.analysis.leaks if leak.divided]
    copies = sum(leak.kind not in ("scene", "group") for leak in leaks)
    if copies:
        yield (
            f"{counted(copies, 'pair')} of duplicate pictures {'is' if copies == 1 else 'are'} "
            "divided between training and test: scores are too high for new pictures."
        )
    groups = sum(leak.kind == "group" for leak in leaks)
    if groups:
        yield (
            f"{counted(groups, 'pair')} of pictures of one group {'is' if groups == 1 else 'are'} "
            "divided between training and test by the split: scores are too high for new people "
            "and scenes."
        )


def _doubted_masks(study: Study) -> Iterator[str]:
    doubts = list(dict.fromkeys(text for run in study.runs for text in run.label_doubts))
    yield from (f"True masks may be wrong: {text}" for text in doubts[:SHOWN_DOUBTS])
    more = len(doubts) - SHOWN_DOUBTS
    if more > 0:
        yield f"{counted(more, 'more doubt')} of this kind stand in the records of the runs."


def _below_baseline(study: Study) -> Iterator[str]:
    for network in study.finished:
        weak = [run for run in network.runs if run.weak]
        if not weak:
            continue
        worst = min(weak, key=lambda run: (run.summary.iou_mean or 0.0) - (run.baseline or 0.0))
        whose = f" in {len(weak)} of {counted(len(network.runs), 'run')}"
        yield (
            f"{network.label} does not beat the mean training mask, the same answer to every "
            f"picture{whose if len(network.runs) > 1 else ''} ({score(worst.summary.iou_mean)} "
            f"against {score(worst.baseline)}): it has learned nothing useful, and no verdict is "
            f"drawn from it. {_why_weak(worst)}"
        )


def _why_weak(run: RunResult) -> str:
    last = run.epochs[-1] if run.epochs else None
    steps = len(run.epochs) * -(-len(run.split.train) // run.config.training.batch_size)
    validation = last.validation_iou if last else None
    apart = last.train_iou - validation if last and validation is not None else 0.0
    if last and apart > FAR_APART and steps < FEW_STEPS:
        average = run.config.training.ema_decay is not None
        of_weights = " and the moving average of the weights" if average else ""
        return (
            f"In training its IoU reached {score(last.train_iou)}, in validation only "
            f"{score(validation)}: in {counted(steps, 'step')} the batch statistics"
            f"{of_weights} do not catch up with the weights. Train for more epochs."
        )
    return "Train for more epochs, or check that masks belong to their pictures."


def _different_machines(study: Study) -> Iterator[str]:
    machines = [run.environment for run in study.runs]
    modes = {(run.resolved.precision, run.resolved.memory_format) for run in study.runs}
    if len({(each.device, each.processor, each.cores) for each in machines}) > 1:
        yield "The runs were made on different hardware: do not compare their times."
    elif len({each.threads for each in machines}) > 1:
        yield "The runs used different numbers of threads: do not compare their times."
    elif len(modes) > 1:
        yield (
            "The runs used different precisions or memory formats (see the cost table): "
            "differences in time are not due to the networks alone."
        )


def comparable_times(study: Study) -> bool:
    """Whether all runs were made on the same machine in the same way."""
    return next(_different_machines(study), None) is None


def cautions(study: Study) -> Iterator[str]:
    """What limits how far the scores reach, though each is sound."""
    if not study.finished:
        return
    yield from _unfinished(study)
    yield from _of_the_plan(study)
    yield from _of_the_threshold(study)
    images, groups = people = extent(study, people=True)
    pictures = counted(images, "test picture")
    if people != extent(study):
        pictures += " with people"
    if images < FEW_IMAGES:
        yield f"Only {pictures}: intervals are rough."
    elif groups < FEW_IMAGES:
        yield (
            f"The {pictures} are of only {counted(groups, 'group')}, such as people or scenes: "
            "intervals are too narrow for new ones."
        )
    yield from _of_the_images(study)
    yield from _of_the_truth(study)
    shown = any(run.split.validation_is_test for run in study.runs)
    if shown and not selected_on_test(study.runs):
        yield "The learning curves show the scored pictures; nothing was selected by them."


def _unfinished(study: Study) -> Iterator[str]:
    if study.result is not None and study.result.analysis is None:
        yield (
            "The comparison was interrupted: checks of the data and tests on other data are "
            "missing. Run the same humanseg compare command again to finish it."
        )
    labels = [network.label for network in study.finished if not network.complete]
    if labels:
        has, its, stays = ("has", "its", "is") if len(labels) == 1 else ("have", "their", "are")
        yield (
            f"{listed(labels)} {has} unfinished runs: {its} numbers come from the finished ones, "
            f"and {stays} left out of the comparison."
        )


def _of_the_plan(study: Study) -> Iterator[str]:
    if not study.runs:
        return
    if not has_several_seeds(study):
        several = len(study.finished) > 1
        order = ", and another seed may change the order of the networks" if several else ""
        yield (
            f"One training seed{' per network' if several else ''}: variation between seeds was "
            f"not measured{order}."
        )
    runs = {network.label: len(network.runs) for network in study.trained}
    if len(set(runs.values())) > 1:
        counts = [f"{label} {counted(count, 'run')}" for label, count in runs.items()]
        yield f"The networks have different numbers of finished runs: {listed(counts)}."
    if not folds(study):
        yield (
            "One split: intervals cover the choice of these test pictures, not that of the "
            "training pictures."
        )


def _of_the_threshold(study: Study) -> Iterator[str]:
    """Thresholds that are neither half nor, with a saved model, its own."""
    pairs = set()
    for record in study.scored:
        own = record.model_threshold if isinstance(record, Evaluation) else None
        pairs.add((settings_of(record).threshold, 0.5 if own is None else own))
    chosen = [f"{used:g}, not {own:g}" for used, own in sorted(pairs) if used != own]
    if chosen:
        yield (
            f"A pixel counts as a person from probability {listed(chosen, 'or')}: if these test "
            "pictures chose that, scores are too high for new ones."
        )


def _of_the_images(study: Study) -> Iterator[str]:
    empty = sum(image.person_free for image in study.image_scores.values())
    if empty:
        are = "picture has" if empty == 1 else "pictures have"
        yield (
            f"{empty:,} {are} no person in the true mask: IoU is not defined there, so for every "
            "network these are left out of per-image means and counted by false positives only."
        )


def _of_the_truth(study: Study) -> Iterator[str]:
    suspects = len({suspect.id for suspect in study.analysis.suspects})
    if suspects:
        masks, scored = ("mask", "it was") if suspects == 1 else ("masks", "they were")
        yield (
            f"The true {masks} of {counted(suspects, 'picture')} may be wrong (see the checks); "
            f"{scored} scored all the same."
        )
    scenes = sum(leak.divided and leak.kind == "scene" for leak in study.analysis.leaks)
    if scenes:
        yield (
            f"{counted(scenes, 'pair')} of pictures, divided between training and test, may show "
            "the same scene (see the checks); if so, scores are slightly too high."
        )
