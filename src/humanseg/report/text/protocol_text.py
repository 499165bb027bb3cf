"""Sentences on how the scores were made: split, selection, weights, threshold, intervals."""

from __future__ import annotations

from collections.abc import Iterator

from humanseg.report import study_files
from humanseg.report.formatting import counted, listed, percent
from humanseg.report.study import Study, extent, grouped, settings_of
from humanseg.report.study_plan import folds, has_several_seeds, repeats
from humanseg.report.text.caveats import selected_on_test
from humanseg.results import RunResult

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
        named = zip(study_files.names(study.folders), study.parts, strict=True)
        trained = [f"{name}: {note}" for name, part in named for note in _training(part)]
    else:
        trained = list(_training(study))
    return (*trained, _scoring(study), _run_by(study), *_intervals(study))


def _training(study: Study) -> Iterator[str]:
    if not study.runs:
        for evaluation in study.evaluations:
            if evaluation.encoder_name is None:
                yield f"{evaluation.model}: a network without a record of its training."
            else:
                yield f"Saved model {evaluation.model}, encoder {evaluation.encoder_name}."
        return
    run = study.runs[0]
    yield _split(study, run)
    yield _selection(study)
    weights = listed(list(dict.fromkeys(run.resolved.encoder_weights for run in study.runs)))
    yield f"Encoder {run.config.model.encoder_name}, starting weights: {weights}."


def _split(study: Study, run: RunResult) -> str:
    split = run.split
    validation = (
        "the test pictures also serve as validation pictures"
        if split.validation_is_test
        else counted(len(split.validation), "validation picture")
    )
    name, seed = _PROTOCOLS[run.config.split.protocol], run.config.split.seed
    train = counted(len(split.train), "training picture")
    test = counted(len(split.test), "test picture")
    if not folds(study):
        return f"{name} (seed {seed}): {train}, {validation}, {test}."
    again = f", drawn {repeats(study)} times" if repeats(study) > 1 else ""
    return (
        f"{name} with {counted(folds(study), 'fold')}{again} (seed {seed}): every picture is "
        "scored only by networks that were not trained on it; several scores of one picture are "
        f"averaged first. In the first fold: {train}, {validation}, {test}."
    )


def _selection(study: Study) -> str:
    if all(run.config.training.checkpoint == "last" for run in study.runs):
        return "The last epoch is reported: nothing was selected on the scored pictures."
    if selected_on_test(study.runs):
        return (
            "Warning: selection on the reported images. The epoch of lowest loss was selected on "
            "the scored pictures, so scores are too high for new pictures."
        )
    return (
        "The epoch of lowest validation loss is reported; nothing was selected on the scored "
        "pictures."
    )


def _scoring(study: Study) -> str:
    thresholds = listed(sorted({f"{network.threshold:g}" for network in study.finished}), "or")
    flips = {settings_of(record).flip_averaging for record in study.scored}
    averaged = {
        frozenset({True}): "probabilities are averaged with those of the mirrored picture",
        frozenset({False}): "no flip averaging",
    }.get(frozenset(flips), "some with flip averaging, some without")
    shares = {settings_of(record).sure_share for record in study.scored} - {0.0}
    unsure = percent(min(shares, default=None), 0)
    left_out = f" Regions of which less than {unsure} is sure are left out." if shares else ""
    sizes = {"×".join(map(str, run.config.model.image_size)) for run in study.runs}
    inputs = f"; network input {listed(sorted(sizes), 'or')} pixels" if sizes else ""
    return (
        f"Scored at the original size of each mask{inputs}. A pixel counts as person from "
        f"probability {thresholds}; {averaged}.{left_out}"
    )


def _run_by(study: Study) -> str:
    """What ran the networks, by network where they differ."""
    ways = grouped(
        (f"{record.setup.words}, humanseg {record.environment.humanseg}", network.label)
        for network in study.finished
        for record in network.scored
    )
    if len(ways) == 1:
        return f"Run by {''.join(ways)}."
    each = (f"{listed(list(dict.fromkeys(ways[way])))} by {way}" for way in ways)
    return f"Run differently: {'; '.join(each)}."


def _intervals(study: Study) -> Iterator[str]:
    every, people = extent(study), extent(study, people=True)
    some = f", {people.groups:,} of them with people" if people.groups < every.groups else ""
    yield (
        f"Intervals are 95 % bootstrap intervals over {counted(every.groups, 'group')} of "
        f"pictures{some}; related pictures form one group."
    )
    if has_several_seeds(study):
        yield (
            "SD over pictures is the variation between pictures, SD over seeds that between "
            "trainings."
        )
