"""Sentences on what makes scores untrustworthy, what limits them, and how they were made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from humanseg.config.schema import EvaluationConfig
from humanseg.report import run_folders
from humanseg.report.formatting import counted, listed, score
from humanseg.report.study import Network, Study
from humanseg.results import Evaluation, RunResult

FEW_PICTURES = 30
"""Below this many test pictures the report says that they are few."""


def warnings(study: Study) -> Iterator[str]:
    """What makes scores or their comparison untrustworthy."""
    yield from _chosen_on_test(study)
    if len({one.data_fingerprint for one in _scored(study)}) > 1:
        yield "The runs saw different data: their fingerprints differ. Do not compare them."
    if not _same_tests(study.compared):
        yield "The networks were tested on different pictures: their means are not comparable."
    elif not _same_splits(study.compared):
        yield (
            "The runs used different splits: the networks did not train on the same pictures, so "
            "their scores are not comparable."
        )
    yield from _trained_on_test(study)
    yield from _divided_copies(study)
    yield from _below_floor(study)
    yield from _different_machines(study)


def _scored(study: Study) -> list[RunResult | Evaluation]:
    return [one for network in study.finished for one in network.scored]


def _selected_on_test(runs: Iterable[RunResult]) -> bool:
    return any(
        run.split.validation_is_test and run.config.training.checkpoint == "best" for run in runs
    )


def _chosen_on_test(study: Study) -> Iterator[str]:
    chosen = [network for network in study.finished if _selected_on_test(network.runs)]
    if not chosen:
        return
    some = len(chosen) < len(study.finished)
    whose = f" of {listed([network.label for network in chosen])}" if some else ""
    others = ", not beside those of the others here" if some else ""
    yield (
        f"The kept epoch{whose} was chosen on the very pictures that are scored. These scores are "
        f"too high for new pictures; use them only beside numbers made the same way{others}."
    )


def _same_tests(networks: Iterable[Network]) -> bool:
    return len({frozenset(network.image_scores) for network in networks}) <= 1


def _same_splits(networks: Iterable[Network]) -> bool:
    splits = {frozenset(run.split for run in network.runs) for network in networks if network.runs}
    return len(splits) <= 1


def _trained_on_test(study: Study) -> Iterator[str]:
    if any(one.seen_in_training for one in study.evaluations):
        yield (
            "A model was scored on the data set that it was trained on: its scores hold pictures "
            "that it has seen."
        )


def _divided_copies(study: Study) -> Iterator[str]:
    leaks = study.analysis.leaks if study.analysis else ()
    copies = sum(one.divided and one.kind != "scene" for one in leaks)
    if copies:
        yield (
            f"{counted(copies, 'pair')} of pictures that show the same "
            f"{'was' if copies == 1 else 'were'} divided between training and test: scores are "
            "too high for new pictures."
        )


def _below_floor(study: Study) -> Iterator[str]:
    floor = next((one.iou for one in study.bounds if one.name == "mean_mask"), None)
    if floor is None:
        return
    for network in study.finished:
        mean = study.metric(network, "iou")
        if mean is not None and mean.estimate <= floor:
            yield (
                f"{network.label} does not beat the mean mask ({score(mean.estimate)} against "
                f"{score(floor)}), which looks at no picture: it has learned nothing useful."
            )


def _different_machines(study: Study) -> Iterator[str]:
    if len({_machine(run) for run in study.runs}) > 1:
        yield "The runs were made on different hardware: do not compare their times."
    elif len({run.environment.threads for run in study.runs}) > 1:
        yield "The runs computed with different numbers of threads: do not compare their times."
    elif len({_mode(run) for run in study.runs}) > 1:
        yield (
            "The runs used different precisions or memory formats (see the cost table): "
            "their times compare networks and modes at once."
        )


def _machine(run: RunResult) -> tuple[str, str, int]:
    made = run.environment
    return made.device, made.processor, made.cores


def _mode(run: RunResult) -> tuple[str, str]:
    return run.resolved.precision, run.resolved.memory_format


def comparable_times(study: Study) -> bool:
    """Whether all runs were made on the same machine in the same way."""
    return next(_different_machines(study), None) is None


def cautions(study: Study) -> Iterator[str]:
    """What limits how far the scores reach, though each is sound."""
    if not study.finished:
        return
    yield from _not_analysed(study)
    yield from _of_the_plan(study)
    if study.images < FEW_PICTURES:
        rough = "means" if study.analysis is None else "intervals"
        yield f"Only {counted(study.images, 'test picture')}: {rough} are rough."
    yield from _of_the_pictures(study)
    yield from _of_the_truth(study)
    shown = any(run.split.validation_is_test for run in study.runs)
    if shown and not _selected_on_test(study.runs):
        yield "The learning curves show the pictures that are scored; nothing was chosen by them."


def _not_analysed(study: Study) -> Iterator[str]:
    if study.analysis is None and study.kind == "comparison":
        yield (
            "Intervals and tests were not computed for these results; humanseg compare with the "
            "same settings and folder computes them and trains nothing again."
        )
    elif study.analysis is None:
        yield "Intervals and tests were not computed for these results."
    left = [network.label for network in study.finished if network not in study.compared]
    if left:
        yield (
            f"{listed(left)} {'has' if len(left) == 1 else 'have'} unfinished runs and "
            f"{'is' if len(left) == 1 else 'are'} left out of the comparison."
        )


def _of_the_plan(study: Study) -> Iterator[str]:
    if not study.runs:
        return
    if not study.several_seeds:
        yield (
            "One training seed: how far scores move from seed to seed was not measured, so "
            "another seed may order the networks differently."
        )
    if len({len(network.runs) for network in study.finished}) > 1:
        counts = [f"{one.label} {counted(len(one.runs), 'run')}" for one in study.finished]
        yield f"The networks have different numbers of finished runs: {listed(counts)}."
    if not study.cross_validated:
        covered = (
            "other pictures to train and test on may order the networks differently."
            if study.analysis is None
            else "intervals cover the choice of these test pictures, not of the training pictures."
        )
        yield f"One split: {covered}"


def _of_the_pictures(study: Study) -> Iterator[str]:
    undefined = []
    for network in study.finished:
        count = len(network.image_scores) - len(network.by_picture("iou"))
        if count:
            undefined.append(f"{network.label} {counted(count, 'picture')}")
    if undefined:
        yield (
            "Pictures with no person in truth and prediction have no IoU and are left out of "
            f"per-image means: {listed(undefined)}."
        )
    images = {
        id_: image for network in study.finished for id_, image in network.image_scores.items()
    }
    empty = sum(image.person_free for image in images.values())
    if empty:
        yield (
            f"{counted(empty, 'picture')} without a person in the truth: a network "
            "that marks anything there scores 0 on it."
        )


def _of_the_truth(study: Study) -> Iterator[str]:
    if study.analysis is None:
        return
    suspects = len({one.id for one in study.analysis.suspects})
    if suspects:
        yield (
            f"The truth of {counted(suspects, 'picture')} may be wrong (see the checks); nothing "
            "was left out for it."
        )
    scenes = sum(one.divided and one.kind == "scene" for one in study.analysis.leaks)
    if scenes:
        yield (
            f"{counted(scenes, 'pair')} of pictures, divided between training and test, "
            f"{'looks' if scenes == 1 else 'look'} alike enough to be of one scene (see the "
            "checks); if so, scores are a little high."
        )


_PROTOCOLS = {
    "holdout": "Hold-out split",
    "reference": "Published split",
    "folds": "Cross-validation",
    "source": "One source left out",
}


def protocol(study: Study) -> tuple[str, ...]:
    """How the scores were made, for the notes beneath the main tables."""
    if not study.finished:
        return ()
    if study.parts:
        named = zip(run_folders.names(study.folders), study.parts, strict=True)
        trained = [f"{name}: {note}" for name, part in named for note in _trained(part)]
        return (*trained, *_cut(study), *_counted(study))
    return (*_trained(study), *_cut(study), *_counted(study))


def _trained(study: Study) -> Iterator[str]:
    run = study.first
    if run is None:
        for one in study.evaluations:
            yield f"A saved model, {one.model} (encoder {one.encoder_name}), was scored as it is."
        return
    yield _divided(study, run)
    yield _selection(study)
    yield f"Encoder {run.config.model.encoder_name}, starting weights: {_starts(study)}."


def _starts(study: Study) -> str:
    return listed(list(dict.fromkeys(run.resolved.encoder_weights for run in study.runs)))


def _divided(study: Study, run: RunResult) -> str:
    split = run.split
    validation = (
        "the test pictures also serve as validation pictures"
        if split.validation_is_test
        else counted(len(split.validation), "validation picture")
    )
    name, seed = _PROTOCOLS[run.config.split.protocol], run.config.split.seed
    train = counted(len(split.train), "training picture")
    test = counted(len(split.test), "test picture")
    if not study.cross_validated:
        return f"{name} (seed {seed}): {train}, {validation}, {test}."
    again = f", drawn {study.repeats} times" if study.repeats > 1 else ""
    return (
        f"{name} with {counted(study.folds or 0, 'fold')}{again} (seed {seed}): every picture is "
        "scored by networks that never saw it, and its scores are averaged first. In the first "
        f"fold: {train}, {validation}, {test}."
    )


def _cut(study: Study) -> Iterator[str]:
    thresholds = listed(sorted({f"{network.threshold:g}" for network in study.finished}), "or")
    flips = {one.flip_averaging for one in _evaluations(study)}
    averaged = {
        frozenset({True}): "probabilities are averaged with those of the mirrored picture",
        frozenset({False}): "no flip averaging",
    }.get(frozenset(flips), "some with flip averaging, some without")
    sizes = {"×".join(map(str, run.config.model.image_size)) for run in study.runs}
    seen = f"; the network sees {listed(sorted(sizes), 'or')} pixels" if sizes else ""
    yield (
        f"Scored at each mask's own size{seen}. A pixel is a person from probability {thresholds}; "
        f"{averaged}."
    )


def _evaluations(study: Study) -> Iterator[EvaluationConfig]:
    for one in _scored(study):
        yield one.config.evaluation if isinstance(one, RunResult) else one.evaluation


def _counted(study: Study) -> Iterator[str]:
    if study.analysis is None:
        return
    found = study.analysis
    yield (
        "Intervals are 95 % bootstrap intervals over "
        f"{counted(found.groups, 'group')} of pictures that show the same."
    )
    if study.several_seeds:
        yield "SD over pictures says how much pictures differ, SD over seeds how much trainings do."


def _selection(study: Study) -> str:
    if all(run.config.training.checkpoint == "last" for run in study.runs):
        return "The last epoch was kept: nothing was selected on the scored pictures."
    if _selected_on_test(study.runs):
        return (
            "Warning: selection on the reported images. The epoch of lowest loss was selected on "
            "the scored pictures, so scores are too high for new pictures."
        )
    return (
        "The epoch of lowest validation loss was kept; nothing was selected on the scored pictures."
    )
