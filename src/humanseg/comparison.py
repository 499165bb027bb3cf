"""Run a plan: every architecture with every seed. Finished runs are never repeated.

FOLDER/plan.yaml        the whole configuration
FOLDER/runs/NAME/       one run folder each, see `humanseg.training.folder`
FOLDER/truth/ID.png     truth masks of the test pictures
FOLDER/pictures.json    where the test pictures are
FOLDER/results.json     `ComparisonResult`
"""

from __future__ import annotations

import errno
import json
import traceback
from pathlib import Path

from humanseg.config import CompareConfig
from humanseg.configuration import resolve, to_yaml
from humanseg.errors import HumansegError, Interrupted, UsageError
from humanseg.evaluation import write_mask
from humanseg.results import ComparisonResult, FailedRun, RunResult, write_record, write_text
from humanseg.training import RunData, find_data, preflight, train

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def compare(config: CompareConfig, *, output: Path, quiet: bool = False) -> ComparisonResult:
    """Train and score every run of a plan, or what is left of it.

    A run that fails does not stop the others; it is recorded with its error. The same call again
    goes on with it where it stood.

    Args:
        config: the plan.
        output: comparison folder; an unfinished one of the same plan goes on.
        quiet: show no progress bars even on a terminal.

    Raises:
        UsageError, DataError, ModelError: a folder of another plan, or data or encoder weights
            that no run could start from; nothing is written then.
        Interrupted: Ctrl-C; finished runs and epochs are saved.
    """
    plan = config.runs()
    _check_folder(config, output)
    first = next(iter(plan.values()))
    finished = all((output / "runs" / name / "result.json").exists() for name in plan)
    data = find_data(first) if finished else preflight(first)
    write_text(output / "plan.yaml", to_yaml(config))
    _write_truth(output, data)
    done: dict[str, RunResult] = {}
    failed: list[FailedRun] = []
    try:
        for name, run_config in plan.items():
            folder = output / "runs" / name
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


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, HumansegError) else f"{type(error).__name__}: {text}"


def _check_folder(config: CompareConfig, output: Path) -> None:
    plan = output / "plan.yaml"
    if plan.exists():
        stored = resolve(CompareConfig, preset=None, file=plan, overrides={})
        if stored != config:
            raise UsageError(
                f"{output}: holds a comparison of another configuration (see its plan.yaml); "
                "name another folder."
            )
        return
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise UsageError(f"{output}: is not empty and no comparison; name another folder.")


def _write_truth(output: Path, data: RunData) -> None:
    """Leave truth masks and picture paths of all test pictures for the report."""
    samples = data.part(data.split.test)
    for sample in samples:
        path = output / "truth" / f"{sample.id}.png"
        if not path.exists():
            write_mask(path, sample.read_mask())
    pictures = {sample.id: str(sample.image.resolve()) for sample in samples}
    write_text(output / "pictures.json", json.dumps(pictures, indent=1) + "\n")
