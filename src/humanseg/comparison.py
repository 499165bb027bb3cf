"""Run a plan: every architecture with every seed on every split. Finished runs are never repeated.

FOLDER/plan.yaml        the whole configuration
FOLDER/data.json        `DataRecord`: the data set that the plan was begun on
FOLDER/runs/NAME/       one run folder each, see `humanseg.training.folder`
FOLDER/truth/ID.png     truth masks of the test pictures
FOLDER/results.json     `ComparisonResult`
"""

from __future__ import annotations

import errno
import traceback
from collections.abc import Mapping
from pathlib import Path

from humanseg.config import CompareConfig, TrainConfig, slug
from humanseg.configuration import resolve, to_yaml
from humanseg.errors import DataError, HumansegError, Interrupted, UsageError
from humanseg.predictions import write_mask
from humanseg.results import (
    ComparisonResult,
    DataRecord,
    FailedRun,
    RunResult,
    read_record,
    write_record,
    write_text,
)
from humanseg.training import Pictures, find_pictures, preflight, train

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def compare(
    config: CompareConfig,
    *,
    output: Path,
    shard: tuple[int, int] = (1, 1),
    quiet: bool = False,
) -> ComparisonResult:
    """Train and score every run of a plan, or what is left of it.

    A run that fails does not stop the others; it is recorded with its error. The same call again
    goes on with it where it stood. A plan may grow: more archs, seeds, folds or repeats go on in
    the folder of the smaller plan.

    Args:
        config: the plan.
        output: comparison folder; an unfinished one of the same plan goes on.
        shard: (i, n): train only every nth run, from the ith. Processes or machines that share
            `output` divide a plan so; finished runs of the others are taken as they are.
        quiet: show no progress bars even on a terminal.

    Raises:
        UsageError, DataError, ModelError: a folder of another plan, data that changed since it
            began, or data or encoder weights that no run could start from; nothing is written then.
        Interrupted: Ctrl-C; finished runs and epochs are saved.
    """
    _check_folder(config, output)
    look = config.split.protocol != "reference" or config.leave_one_source_out
    pictures = find_pictures(config, look=look)
    record = _describe_data(pictures)
    _check_data(record, output)
    plan = config.runs(_sources(config, pictures))
    _check_runs(config, plan, output)
    if not all((output / "runs" / name / "result.json").exists() for name in plan):
        preflight(next(iter(plan.values())))
    for split in {name: run.split for name, run in plan.items()}.values():
        pictures.divided(split)
    write_text(output / "plan.yaml", to_yaml(config))
    write_record(output / "data.json", record)
    return _carry_out(config, plan, pictures, output, shard, quiet=quiet)


def _carry_out(
    config: CompareConfig,
    plan: Mapping[str, TrainConfig],
    pictures: Pictures,
    output: Path,
    shard: tuple[int, int],
    *,
    quiet: bool,
) -> ComparisonResult:
    done: dict[str, RunResult] = {}
    failed: list[FailedRun] = []
    try:
        for number, (name, run_config) in enumerate(plan.items()):
            folder = output / "runs" / name
            mine = number % shard[1] == shard[0] - 1
            if not mine and not (folder / "result.json").exists():
                continue
            data = pictures.divided(run_config.split)
            _write_truth(output, pictures, data.split.test)
            try:
                done[name] = train(run_config, output=folder, resume=True, quiet=quiet, data=data)
            except (Interrupted, UsageError):
                raise
            except Exception as error:  # one failing run must not lose the others
                if isinstance(error, OSError) and error.errno in _DISK_FULL:
                    raise
                failed.append(FailedRun(name=name, error=_describe(error)))
                if folder.is_dir():
                    write_text(folder / "error.txt", traceback.format_exc())
    finally:
        reached = {*done, *(run.name for run in failed)}
        result = ComparisonResult(
            config=config,
            runs=tuple(done.values()),
            failed=tuple(failed),
            missing=tuple(name for name in plan if name not in reached),
        )
        if done or failed:
            write_record(output / "results.json", result)
    return result


def _sources(config: CompareConfig, pictures: Pictures) -> list[str]:
    """Sources to leave out, if the plan asks for it."""
    if not config.leave_one_source_out or pictures.facts is None:
        return []
    sources = sorted(set(pictures.facts.sources.values()))
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
    if (output / "plan.yaml").exists():
        stored = resolve(CompareConfig, preset=None, file=output / "plan.yaml", overrides={})
        if stored.data != config.data:
            raise UsageError(
                f"{output}: holds a comparison on other data (see its plan.yaml); "
                "name another folder."
            )
    elif output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UsageError(f"{output}: is not empty and no comparison; name another folder.")


def _check_runs(config: CompareConfig, plan: Mapping[str, TrainConfig], output: Path) -> None:
    """Refuse a plan that drops or changes runs of the plan that is stored."""
    if not (output / "plan.yaml").exists():
        return
    stored = resolve(CompareConfig, preset=None, file=output / "plan.yaml", overrides={})
    sources = [run.split.held_out for run in plan.values() if run.split.held_out is not None]
    before = stored.runs(list(dict.fromkeys(sources)))
    dropped = [name for name in before if name not in plan]
    changed = [name for name in before if name in plan and plan[name] != before[name]]
    if dropped or changed:
        raise UsageError(
            f"{output}: holds a comparison of another configuration (see its plan.yaml): "
            f"{(changed + dropped)[0]} is not the same in it. Name another folder."
        )


def _describe_data(pictures: Pictures) -> DataRecord:
    facts = pictures.facts
    return DataRecord(
        fingerprint=pictures.fingerprint,
        pictures={name: str(sample.image.resolve()) for name, sample in pictures.samples.items()},
        sources=facts.sources if facts else {},
        groups=facts.groups if facts else {},
    )


def _check_data(record: DataRecord, output: Path) -> None:
    if not (output / "data.json").exists():
        return
    before = read_record(output / "data.json", DataRecord)
    if before.fingerprint != record.fingerprint:
        raise DataError(
            f"{output}: the pictures or masks have changed since this comparison began. Restore "
            "them, or begin a new comparison in another folder."
        )
    if before.groups and record.groups and before.groups != record.groups:
        raise DataError(
            f"{output}: the groups of pictures have changed since this comparison began, so test "
            "pictures may have been trained on. Restore the table or begin in another folder."
        )


def _write_truth(output: Path, pictures: Pictures, ids: tuple[str, ...]) -> None:
    """Leave truth masks of test pictures for the report."""
    for name in ids:
        path = output / "truth" / f"{name}.png"
        if not path.exists():
            write_mask(path, pictures.samples[name].read_mask())
