"""From finished runs on disk to everything that is said about them: no training happens here.

FOLDER/features.npz   encoder features of all pictures, to find pictures of one scene
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from humanseg.config.schema import CompareConfig, DataConfig, TrainConfig, slug
from humanseg.errors import DataError
from humanseg.evaluation.analysis import (
    Subject,
    analyse,
    analyse_external,
    analyse_robustness,
    baselines,
    of_evaluation,
    of_run,
)
from humanseg.evaluation.leakage import ceilings, find_leaks, find_suspects
from humanseg.evaluation.scoring import Scored, evaluate, load_model, score_samples, score_stored
from humanseg.models import TorchEngine, load_network, measure_latency
from humanseg.results import (
    Analysis,
    CorruptedScores,
    DataRecord,
    Evaluation,
    ExternalAnalysis,
    RobustnessAnalysis,
    RunResult,
    read_record,
    write_record,
)
from humanseg.training import Pictures, describe_environment


@dataclass(frozen=True)
class Finished:
    """What a comparison has to conclude from."""

    folder: Path
    config: CompareConfig
    plan: Mapping[str, TrainConfig]
    """All runs of the plan by name."""
    runs: Mapping[str, RunResult]
    """Finished ones by name."""
    data: DataRecord

    def whole(self, arch: str, left_out: str | None = None) -> list[RunResult]:
        """Runs of one architecture, of the main protocol or without one source.

        Empty if one is missing: the network was not tested on the same pictures as the others.
        """
        planned = [
            name
            for name, run in self.plan.items()
            if (run.model.arch, run.split.left_out) == (arch, left_out)
        ]
        if not all(name in self.runs for name in planned):
            return []
        return [self.runs[name] for name in planned]


def conclude(finished: Finished, pictures: Pictures) -> Analysis | None:
    """Analyse a comparison; None before any network has finished all of its runs.

    Raises:
        DataError: stored scores or predictions that cannot be read.
    """
    by_arch: dict[str, list[RunResult]] = {
        arch: runs for arch in finished.config.archs if (runs := finished.whole(arch))
    }
    if not by_arch:
        return None
    subjects = [
        Subject(arch, arch, tuple(of_run(run) for run in runs)) for arch, runs in by_arch.items()
    ]
    data = finished.data
    analysis = analyse(
        subjects, groups=data.groups, sources=data.sources, without=_without(finished, by_arch)
    )
    runs = [run for one in by_arch.values() for run in one]
    tested_on = sorted({name for run in runs for name in run.split.test})
    samples = {name: pictures.samples[name] for name in tested_on}
    return analysis.model_copy(
        update={
            "external": tuple(_external(finished, by_arch)),
            "robustness": tuple(_robustness(finished, by_arch)),
            "bounds": (*baselines(runs), *ceilings(runs, samples, data)),
            "leaks": find_leaks(runs, data, finished.folder / "features.npz"),
            "suspects": find_suspects(samples, subjects),
        }
    )


def complete_scores(result: RunResult, folder: Path, pictures: Pictures) -> RunResult:
    """Score a run again from its stored predictions, if it was scored before all was measured.

    Args:
        result: what came of the run.
        folder: its run folder.
        pictures: the data set.

    Raises:
        DataError: a stored prediction that cannot be read.
    """
    if all(score.measured for score in result.scores) and result.calibration is not None:
        return result
    if not (folder / "predictions").is_dir() and not (folder / "model").is_dir():
        return result
    scored = _score_again(result, folder, pictures)
    cost = result.cost
    here = result.resolved.device == "cpu" and (folder / "model").is_dir()
    if cost.latency_seconds is None and here:
        network, _ = load_network(folder / "model")
        latency = measure_latency(TorchEngine.of_network(network, result.config.model.image_size))
        cost = cost.model_copy(update={"latency_seconds": latency})
    again = result.model_copy(
        update={
            "cost": cost,
            "scores": scored.scores,
            "summary": scored.summary,
            "calibration": scored.calibration,
            "band_calibration": scored.band_calibration,
        }
    )
    write_record(folder / "result.json", again)
    return again


def _score_again(result: RunResult, folder: Path, pictures: Pictures) -> Scored:
    """Score stored predictions; where they are gone or masks, as once, ask the network again."""

    def file(name: str) -> Path:
        return folder / "predictions" / f"{name}.png"

    samples = [pictures.samples[name] for name in result.split.test]
    mask_resize = result.config.data.mask_resize
    threshold = result.config.evaluation.threshold
    try:
        return score_stored(samples, file, threshold=threshold, mask_resize=mask_resize)
    except DataError:
        if not (folder / "model").is_dir():
            raise
    segmenter = load_model(folder / "model").segmenter
    return score_samples(
        samples,
        segmenter.grid_probability,
        cut=segmenter.cut,
        mask_resize=mask_resize,
        store=file,
    )


def _without(
    finished: Finished, by_arch: Mapping[str, Sequence[RunResult]]
) -> dict[str, list[Subject]]:
    """By source, the networks that trained without it and finished with every seed."""
    found: dict[str, list[Subject]] = defaultdict(list)
    for source in sorted(set(finished.data.sources.values())):
        for arch in by_arch:
            runs = tuple(of_run(run) for run in finished.whole(arch, left_out=source))
            if runs:
                found[source].append(Subject(arch, arch, runs))
    return dict(found)


def _external(
    finished: Finished, by_arch: Mapping[str, Sequence[RunResult]]
) -> list[ExternalAnalysis]:
    found = []
    for root in finished.config.test_on:
        name = slug(root.name)
        for arch, runs in by_arch.items():
            files = [
                finished.folder / "runs" / run.name / "elsewhere" / f"{name}.json" for run in runs
            ]
            if not all(file.exists() for file in files):
                continue
            results = [read_record(file, Evaluation) for file in files]
            prints = {result.data_fingerprint for result in results}
            if len(prints) > 1:
                raise DataError(
                    f"{root}: changed between runs of this comparison; delete the folders "
                    f"elsewhere/ in {finished.folder / 'runs'} and run it again."
                )
            subject = Subject(arch, arch, tuple(of_evaluation(result) for result in results))
            found.append(analyse_external(subject, name=name, fingerprint=prints.pop()))
    return found


def _robustness(
    finished: Finished, by_arch: Mapping[str, Sequence[RunResult]]
) -> list[RobustnessAnalysis]:
    found: list[RobustnessAnalysis] = []
    for arch, runs in by_arch.items():
        files = [finished.folder / "runs" / run.name / "corrupted.json" for run in runs]
        if finished.config.corrupted_pictures and all(file.exists() for file in files):
            records = [read_record(file, CorruptedScores) for file in files]
            found += analyse_robustness(arch, records, finished.data.groups)
    return found


def conclude_evaluation(result: Evaluation) -> Analysis:
    """Analyse one model: intervals, strata and false positives, with nothing to compare."""
    subject = Subject(result.arch, result.arch, (of_evaluation(result),))
    return analyse([subject], groups=result.groups, sources=result.sources)


def conclude_together(
    networks: Sequence[tuple[str, str, Sequence[RunResult | Evaluation]]],
    *,
    groups: Mapping[str, str],
    sources: Mapping[str, str],
) -> Analysis:
    """Analyse networks of several finished folders side by side.

    Args:
        networks: name, architecture and finished runs or evaluations of each.
        groups: group by picture.
        sources: source by picture.

    Raises:
        ValueError: no scores at all.
    """
    subjects = [
        Subject(
            name,
            arch,
            tuple(
                of_evaluation(one) if isinstance(one, Evaluation) else of_run(one) for one in found
            ),
        )
        for name, arch, found in networks
    ]
    return analyse(subjects, groups=groups, sources=sources)


def evaluate_model(
    model: Path,
    *,
    data: DataConfig,
    groups: Path | None = None,
    threshold: float | None = None,
    flip_averaging: bool | None = None,
    output: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Score a saved model on a data set and say what follows.

    See `evaluation.scoring.evaluate` for the arguments and errors. With `output`, the record is
    also written there as evaluation.json, beside what the report needs.
    """
    scored = evaluate(
        model,
        data=data,
        groups=groups,
        threshold=threshold,
        flip_averaging=flip_averaging,
        output=output,
        progress=progress,
    )
    known = {"analysis": conclude_evaluation(scored), "environment": describe_environment("cpu")}
    result = scored.model_copy(update=known)
    if output is not None:
        write_record(output / "evaluation.json", result)
    return result
