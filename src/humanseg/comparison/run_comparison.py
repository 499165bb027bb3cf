"""Run a plan: every architecture with every seed on every split. Finished runs are never repeated.

FOLDER/plan.yaml        the whole configuration
FOLDER/data.json        `DataRecord`: the data set that the plan was begun on
FOLDER/runs/NAME/       one run folder each, see `humanseg.training.run_folder`
FOLDER/truth/ID.png     truth masks of the test pictures
FOLDER/results.json     `ComparisonResult`
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from humanseg.config.comparison_config import CompareConfig, slug
from humanseg.config.loading import read_stored, to_yaml
from humanseg.config.schema import TrainConfig
from humanseg.data.metadata import describe_data
from humanseg.evaluation.analysis import FinishedPlan, analyse_comparison
from humanseg.evaluation.external import (
    ExternalData,
    choose_images,
    find_external_data,
    score_corrupted,
    score_external,
)
from humanseg.evaluation.leakage import FEATURES_FILE, add_data_checks, write_features
from humanseg.images.stored_maps import write_mask
from humanseg.results import (
    ComparisonResult,
    DataRecord,
    FailedRun,
    RunResult,
    read_record,
    write_record,
    write_text,
)
from humanseg.system.atomic import is_leftover, remove_leftovers
from humanseg.system.errors import (
    DataError,
    FolderBusy,
    HumansegError,
    Interrupted,
    ModelError,
    UsageError,
)
from humanseg.system.lock import held
from humanseg.system.progress import Progress, of_stage
from humanseg.training import (
    DataSet,
    all_trained_on,
    common_mode,
    find_data_set,
    preflight,
    started_by_torchrun,
    train,
)

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOCK = ".lock"
"""Held while a comparison is begun: shards may start together."""


@dataclass(frozen=True)
class _Work:
    """A plan that may begin."""

    config: CompareConfig
    plan: Mapping[str, TrainConfig]
    data_set: DataSet
    data: DataRecord
    external: tuple[ExternalData, ...]
    corrupted: tuple[str, ...]
    """Test pictures that are also scored corrupted."""
    folder: Path
    progress: Progress | None

    def run_folder(self, name: str) -> Path:
        return self.folder / "runs" / name

    def is_finished(self, name: str) -> bool:
        return (self.run_folder(name) / "result.json").exists()


def compare(
    config: CompareConfig,
    *,
    output: Path,
    cache: Path | None = None,
    shard: tuple[int, int] = (1, 1),
    progress: Progress | None = None,
) -> ComparisonResult:
    """Train and score every run of a plan, or what is left of it, and say what follows.

    A run that fails does not stop the others; it is recorded with its error. The same call again
    goes on with it where it stood. A plan may grow: more archs, seeds, other data sets or
    corrupted pictures go on in the folder of the smaller plan.

    Args:
        config: the plan.
        output: comparison folder; an unfinished one of the same plan goes on.
        cache: folder that keeps decoded pictures on disk; in memory without it. Either way no
            picture is decoded twice for several networks, folds or epochs.
        shard: (i, n): train only every nth run, from the ith. Processes or machines that share
            `output` divide a plan so; finished runs of the others are taken as they are.
        progress: called with (done, total) in stages.

    Raises:
        UsageError, DataError, ModelError: a folder of another plan, data that changed since it
            began, or data or encoder weights that no run could start from; nothing is written then.
        Interrupted: Ctrl-C; finished runs and epochs are saved.
    """
    if started_by_torchrun():
        raise UsageError(
            "torchrun: a comparison divides its runs, not their batches; start it once per process "
            "with --shard I/N instead, or use torchrun with humanseg train."
        )
    work = _prepare(config, output, cache=cache, progress=progress)
    done: dict[str, RunResult] = {}
    failed: list[FailedRun] = []
    try:
        for number, name in enumerate(work.plan):
            if number % shard[1] == shard[0] - 1:
                _attempt(work, name, done, failed)
    finally:
        # What other shards and earlier calls finished counts too, even when this one is stopped.
        for name in work.plan:
            if name not in {*done, *(run.name for run in failed)} and work.is_finished(name):
                _attempt(work, name, done, failed, read_only=True)
        result = _collect(work, done, failed)
    finished = FinishedPlan(output, work.config, work.plan, done, work.data)
    analysis = analyse_comparison(finished)
    if analysis is not None:
        analysis = add_data_checks(analysis, finished, work.data_set.samples)
    result = result.model_copy(update={"analysis": analysis})
    write_record(output / "results.json", result)
    return result


def _attempt(
    work: _Work,
    name: str,
    done: dict[str, RunResult],
    failed: list[FailedRun],
    *,
    read_only: bool = False,
) -> None:
    """Do one run, or read it; note what fails and let the others go on."""
    folder = work.run_folder(name)
    try:
        done[name] = _train(work, name)
        if not read_only:
            _test_further(work, name, done[name], failed)
    except FolderBusy:
        pass  # another process is at it
    except (Interrupted, UsageError):
        raise
    except Exception as error:  # one failing run must not lose the others
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            raise
        done.pop(name, None)
        failed.append(FailedRun(name=name, error=_describe(error)))
        if folder.is_dir():
            write_text(folder / "error.txt", traceback.format_exc())


def _prepare(
    config: CompareConfig, output: Path, *, cache: Path | None, progress: Progress | None
) -> _Work:
    """Find out whether anything stands in the way, before the first file is written."""
    _check_folder(config, output)
    data_set = find_data_set(config, cache=cache, progress=progress)
    data = describe_data(data_set.samples.values(), data_set.facts, data_set.fingerprint)
    _check_data(data, output)
    stored = _stored(output)
    config = _with_mode(config, _mode_of(stored))
    plan = config.runs(_sources(config, data))
    if stored is not None:
        _check_runs(plan, stored.runs(_sources(stored, data)), output)
    splits = dict.fromkeys(run.split for run in plan.values())
    parts = {split: data_set.divided(split).split for split in splits}
    tested = {name for split, part in parts.items() if split.left_out is None for name in part.test}
    trained_on = all_trained_on(next(iter(plan.values())), data_set.trained_on)
    work = _Work(
        config=config,
        plan=plan,
        data_set=data_set,
        data=data,
        external=tuple(
            find_external_data(
                root, trained_on, folds=config.folds or 1, classes=config.data.classes
            )
            for root in config.test_on
        ),
        corrupted=choose_images(sorted(tested), config.corrupted_images, config.split.seed),
        folder=output,
        progress=progress,
    )
    return _begin(work)


def _begin(work: _Work) -> _Work:
    """See that networks can be built, and settle and write what must stay the same."""
    features = work.folder / FEATURES_FILE
    wanted = work.config.model.encoder_weights != "none" and not features.exists()
    network = None
    if not all(work.is_finished(name) for name in work.plan):
        network = preflight(next(iter(work.plan.values())))
    elif wanted:
        with suppress(ModelError):  # finished work can be analysed without its encoder's weights
            network = preflight(next(iter(work.plan.values())))
    work.folder.mkdir(parents=True, exist_ok=True)
    with held(work.folder / _LOCK, waiting=lambda: None):
        stored = _stored(work.folder)  # another shard's, if it was first
        each_arch = {run.model.arch: run for run in work.plan.values()}.values()
        mode = common_mode(each_arch) if stored is None else _mode_of(stored)
        config = _with_mode(work.config, mode)
        write_text(work.folder / "plan.yaml", to_yaml(config))
    (work.folder / _LOCK).unlink(missing_ok=True)
    work = replace(work, config=config, plan=config.runs(_sources(config, work.data)))
    remove_leftovers([work.folder, *filter(Path.is_dir, work.folder.rglob("*"))])
    write_record(work.folder / "data.json", work.data)
    if network is not None and wanted:
        samples = list(work.data_set.samples.values())
        write_features(
            network, work.config.model.image_size, samples, features, read=work.data_set.image
        )
    return work


def _mode_of(stored: CompareConfig | None) -> tuple[str, str] | None:
    """Precision and memory format of a comparison that has begun."""
    return (stored.training.precision, stored.training.memory_format) if stored else None


def _with_mode(config: CompareConfig, mode: tuple[str, str] | None) -> CompareConfig:
    """The plan with a mode where it says `auto`: timed once, so that all its runs compute alike."""
    settled = {
        name: value
        for name, value in zip(("precision", "memory_format"), mode or (), strict=False)
        if getattr(config.training, name) == "auto"
    }
    return config.model_copy(update={"training": config.training.model_copy(update=settled)})


def _train(work: _Work, name: str) -> RunResult:
    """Train one run, or read its result."""
    config = work.plan[name]
    data = work.data_set.divided(config.split)
    _write_truth(work, data.split.test)
    folder = work.run_folder(name)
    return train(config, output=folder, resume=True, progress=work.progress, data=data)


def _test_further(work: _Work, name: str, result: RunResult, failed: list[FailedRun]) -> None:
    """Test the network on other data and on corrupted images, as the plan asks.

    A further test that fails is noted; the run itself stands.
    """
    folder = work.run_folder(name)
    if result.config.split.protocol == "source":
        return
    tests: dict[str, Callable[[Progress | None], object]] = {
        f"on {data.name}": partial(score_external, folder, result, data) for data in work.external
    }
    if work.corrupted:
        samples = work.data_set.samples
        tests["on corrupted pictures"] = partial(
            score_corrupted, folder, result, samples, work.corrupted
        )
    for what, test in tests.items():
        try:
            test(of_stage(work.progress, f"{name} {what}"))
        except HumansegError as error:
            failed.append(FailedRun(name=f"{name} {what}", error=_describe(error)))


def _collect(work: _Work, done: dict[str, RunResult], failed: list[FailedRun]) -> ComparisonResult:
    """What came of the plan so far, also after an interruption."""
    file = work.folder / "results.json"
    reached = {*done, *(run.name for run in failed)}
    runs = tuple(done[name] for name in work.plan if name in done)
    before = read_record(file, ComparisonResult) if file.exists() else None
    result = ComparisonResult(
        config=work.config,
        runs=runs,
        failed=tuple(failed),
        missing=tuple(name for name in work.plan if name not in reached),
        sources=work.data.sources,
        groups=work.data.groups,
        analysis=before.analysis if before is not None and before.runs == runs else None,
    )
    write_record(file, result)
    return result


def _sources(config: CompareConfig, data: DataRecord) -> list[str]:
    """Sources to leave out, if the plan asks for it."""
    if not config.leave_one_source_out:
        return []
    sources = sorted(set(data.sources.values()))
    if len(sources) < 2:
        raise DataError(
            f"leave_one_source_out: all pictures are of one source ({sources[0]}). Name the "
            "sources in a CSV table with the columns id and source (--split.groups)."
        )
    if len({slug(source) for source in sources}) < len(sources):
        raise DataError(
            f"leave_one_source_out: the sources {', '.join(sources)} would share folders; give "
            "them names that differ in letters or digits."
        )
    return sources


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, HumansegError) else f"{type(error).__name__}: {text}"


def _check_folder(config: CompareConfig, output: Path) -> None:
    stored = _stored(output)
    if stored is not None and stored.data != config.data:
        raise UsageError(
            f"{output}: holds a comparison on other data (see its plan.yaml); name another folder."
        )
    names = [path.name for path in output.iterdir()] if output.is_dir() else []
    begun = output.is_file() or any(name != _LOCK and not is_leftover(name) for name in names)
    if stored is None and begun:
        raise UsageError(f"{output}: is not empty and no comparison; name another folder.")


def _stored(output: Path) -> CompareConfig | None:
    """The plan that a folder was begun with."""
    if not (output / "plan.yaml").exists():
        return None
    return read_stored(CompareConfig, output / "plan.yaml")


def _check_runs(
    plan: Mapping[str, TrainConfig], before: Mapping[str, TrainConfig], output: Path
) -> None:
    """Refuse a plan that drops or changes runs of the plan that is stored."""
    other = [name for name in before if plan.get(name) != before[name]]
    if other:
        raise UsageError(
            f"{output}: holds a comparison of another configuration (see its plan.yaml): "
            f"{other[0]} is not the same in it. Name another folder."
        )


def _check_data(record: DataRecord, output: Path) -> None:
    if not (output / "data.json").exists():
        return
    before = read_record(output / "data.json", DataRecord)
    if before.fingerprint != record.fingerprint:
        raise DataError(
            f"{output}: the pictures or masks have changed since this comparison began (see its "
            "data.json). Restore them, or begin a new comparison in another folder."
        )
    if (before.groups, before.sources) != (record.groups, record.sources):
        raise DataError(
            f"{output}: the groups or sources of pictures have changed since this comparison "
            "began (see its data.json), so test pictures may have been trained on. Restore the "
            "table or begin in another folder."
        )


def _write_truth(work: _Work, ids: tuple[str, ...]) -> None:
    """Leave truth masks of test pictures for the report."""
    for name in ids:
        path = work.folder / "truth" / f"{name}.png"
        if not path.exists():
            write_mask(path, work.data_set.samples[name].read_mask())
