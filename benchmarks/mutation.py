"""Change the code where chance says, one operator or number at a time: which change do tests miss?

    python -m benchmarks.mutation --machine NAME [--each 40] [--seed 1] [--only metrics ...]
    python -m benchmarks.mutation --again FILE

cosmic-ray (fetched by uv) plants the changes in a copy of the code; each group of modules meets
only its own tests, in forks of a process that has imported the libraries.
Writes benchmarks/results/DATE-mutation-NAME.json, group by group: counts, and every survivor.
`--again` plants the survivors of a file anew, and writes into it what the tests say of them now.
`benchmarks.mutants` plants chosen changes.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import datetime
import importlib.util
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
COSMIC_RAY = ("uv", "tool", "run", "--quiet", "--from", "cosmic-ray==8.7.0", "cosmic-ray")
_CLIENT = (
    "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);"
    "a=s.recv(99).decode();print(a);sys.exit(a!='survived')"
)
_LONGEST = 3600  # seconds; the process that runs the tests gives up far earlier
_MEMORY = 8 * 2**30  # bytes; a change may ask for any number of them
_TYPED = ("annotation", "returns")
COMMON = (
    *("_hypothesis_pytestplugin", "hypothesis.extra.numpy", "onnx", "pytest_socket"),
    *("scipy.ndimage", "humanseg.config.comparison_config", "humanseg.results"),
)
_OPTIONS = (
    *("-qx", "--hypothesis-seed=1", "-p", "no:cacheprovider"),
    *("-p", "pytest_socket", "-p", "_hypothesis_pytestplugin"),  # others take seconds to load
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of libraries imported before
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Modules, and the tests that are to notice changes in them."""

    modules: tuple[str, ...]
    """Files or folders below src/humanseg."""
    tests: tuple[str, ...]
    """The quickest first: the first that fails is the last that runs."""
    libraries: tuple[str, ...] = COMMON
    """What is imported once, before any change; none of it may import the modules."""

    def files(self, copy: Path) -> list[Path]:
        """The modules in a copy; an __init__.py names others' parts, and is left out."""
        paths = [copy / "src" / "humanseg" / name for name in self.modules]
        files = [file for path in paths for file in ([path] if path.is_file() else path.glob("*"))]
        return sorted(f for f in files if f.suffix == ".py" and f.name != "__init__.py")


GROUPS = {
    "metrics": Group(
        ("evaluation/metrics",),
        tuple(f"tests/evaluation/test_{name}.py" for name in ("calibration", "metrics", "surface")),
        (*COMMON, "segmentation_models_pytorch", "sklearn.metrics", "torchmetrics"),
    ),
    "statistics": Group(
        ("evaluation/statistics",),
        ("tests/evaluation/test_statistics.py",),
        (*COMMON, "scipy.stats"),
    ),
    "geometry": Group(("images/resize.py",), ("tests/images/test_resize.py",), (*COMMON, "torch")),
    "guards": Group(
        ("training/callbacks/guards.py",),
        tuple(f"tests/training/callbacks/test_{name}.py" for name in ("guard_limits", "guards")),
        (*COMMON, "lightning", "segmentation_models_pytorch"),
    ),
    "label-guards": Group(
        ("data/label_guards.py",),
        tuple(f"tests/data/test_{name}.py" for name in ("label_guard_limits", "label_guards")),
    ),
    "outlines": Group(
        tuple(
            f"annotations/{name}.py" for name in ("contours", "outlines", "person_regions", "rle")
        ),
        (
            *(f"tests/annotations/test_{n}.py" for n in ("contours", "rle", "person_regions")),
            *(f"tests/annotations/test_{n}.py" for n in ("formats", "random_masks")),
        ),
        (*COMMON, "cv2", "pycocotools.coco"),
    ),
    "formats": Group(
        tuple(
            f"annotations/{name}.py"
            for name in (
                *("coco", "cvat", "label_output", "label_set", "label_studio"),
                *("labelme", "supervisely", "voc", "yolo"),
            )
        ),
        (
            *("tests/annotations/test_formats.py", "tests/data/test_pairs.py"),
            *(f"tests/annotations/test_{name}.py" for name in ("cvat_encoding", "label_output")),
        ),
        (*COMMON, "cv2", "pycocotools.coco"),
    ),
}


def planted(copy: Path, group: Group, *, count: int, seed: int) -> tuple[int, list[Row]]:
    """How many places there are, and what tests say of one change at each of `count` of them."""
    session, config = copy / "session.sqlite", copy / "cosmic-ray.toml"
    with answering(copy, group, group.files(copy)) as address:
        client = f"{sys.executable} -I -S -c {json.dumps(_CLIENT)} {address}"
        config.write_text(
            f"[cosmic-ray]\nmodule-path = {json.dumps([str(f) for f in group.files(copy)])}\n"
            f"timeout = {_LONGEST}\nexcluded-modules = []\ntest-command = {json.dumps(client)}\n"
            '[cosmic-ray.distributor]\nname = "local"\n'
        )
        session.unlink(missing_ok=True)
        subprocess.run([*COSMIC_RAY, "init", str(config), str(session)], check=True)
        places = sample(session, count, np.random.default_rng(seed))
        subprocess.run([*COSMIC_RAY, "exec", str(config), str(session)], check=True)
    with contextlib.closing(sqlite3.connect(session)) as database:
        rows = database.execute(
            "SELECT module_path, start_pos_row, operator_name, output, diff "
            "FROM mutation_specs JOIN work_results USING (job_id) ORDER BY 1, 2"
        ).fetchall()
    return places, [
        {
            "file": str(Path(path).relative_to(copy)),
            "line": line,
            "operator": operator.removeprefix("core/"),
            "outcome": output.strip(),
            "change": [
                text for text in diff.splitlines()
                if text.startswith(("+", "-")) and not text.startswith(("+++ ", "--- "))
            ],
        }
        for path, line, operator, output, diff in rows
    ]  # fmt: skip


def sample(session: Path, count: int, rng: np.random.Generator) -> int:
    """Leave one change at each of `count` places, none of them in an annotation; all places."""
    with contextlib.closing(sqlite3.connect(session)) as database:
        rows = database.execute(
            "SELECT job_id, module_path, start_pos_row, start_pos_col FROM mutation_specs "
            "ORDER BY 2, 3, 4, operator_name, operator_args, occurrence"
        ).fetchall()
        unseen = {path: _annotations(Path(path)) for _, path, *_ in rows}
        places: dict[tuple[str, int, int], list[str]] = {}
        for job, path, row, column in rows:
            if not any(start <= (row, column) < stop for start, stop in unseen[path]):
                places.setdefault((path, row, column), []).append(job)
        jobs = [str(rng.choice(each)) for each in places.values()]
        chosen = rng.choice(jobs, min(count, len(jobs)), replace=False).tolist()
        marks = ",".join("?" * len(chosen))
        for table in ("mutation_specs", "work_items"):
            database.execute(f"DELETE FROM {table} WHERE job_id NOT IN ({marks})", chosen)
        database.commit()
    return len(places)


def _annotations(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where types stand, which nothing evaluates."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    nodes = [getattr(node, name, None) for node in ast.walk(tree) for name in _TYPED]
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in nodes
        if isinstance(node, ast.expr)
    ]


def changed(text: str, row: Row) -> str:
    """A module's text with the change of a row, at the place nearest to its line."""
    lines = text.splitlines(keepends=True)
    before, after = (
        [f"{line[1:]}\n" for line in row["change"] if line[0] == sign] for sign in "-+"
    )
    starts = [at for at in range(len(lines)) if lines[at : at + len(before)] == before]
    if not starts:
        raise SystemExit(f"{row['file']}: the lines of {row['change']} are not there any more.")
    start = min(starts, key=lambda at: abs(at + 1 - row["line"]))
    return "".join([*lines[:start], *after, *lines[start + len(before) :]])


def plant_again(copy: Path, group: Group, rows: list[Row]) -> None:
    """Note in rows what the tests say of their changes now."""
    with answering(copy, group, group.files(copy)) as address:
        for row in rows:
            file = copy / row["file"]
            text = file.read_text(encoding="utf-8")
            file.write_text(changed(text, row), encoding="utf-8")
            row["again"] = ask(address)
            file.write_text(text, encoding="utf-8")
            print(row["again"], row["file"], row["line"], *row["change"], sep="\n  ", flush=True)


def ask(address: Path) -> str:
    """What the tests say of the code as it is: survived, failed, not importable, hung, crashed."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        return connection.recv(99).decode()


@contextlib.contextmanager
def answering(copy: Path, group: Group, files: list[Path]) -> Iterator[Path]:
    """A socket that says of each who connects what the tests say of the copy's files."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "tests"  # a short name: sockets have 108 characters
        words = [str(address), ",".join(group.libraries), ",".join(map(str, files)), *group.tests]
        command = [sys.executable, "-P", __file__, "--answer", *words]
        process = subprocess.Popen(command, cwd=copy, env=environment)
        try:
            while not address.exists():
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(group.tests)}: fail without any change.")
                time.sleep(0.1)
            yield address
        finally:
            process.kill()
            process.wait()


def _answer(address: str, libraries: str, modules: str, *tests: str) -> None:
    """Run the tests in forks: of the code as it is, then whenever somebody connects."""
    for name in libraries.split(","):
        __import__(name)
    files = set(modules.split(","))
    if early := files & _imported():
        raise SystemExit(f"{early} are imported before they change.")
    started = time.monotonic()
    if _run(tests, _LONGEST, files) != "survived":
        raise SystemExit(1)
    for file in files:  # a compiled file is not renewed when code changes twice in one second
        Path(importlib.util.cache_from_source(file)).unlink(missing_ok=True)
    spent = os.times()
    print(f"tests: {spent.children_user + spent.children_system:.1f} s of processor", flush=True)
    limit = max(60, round(10 * (time.monotonic() - started)))  # other work takes the processor too
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{address}.new")
        listener.listen()
        Path(f"{address}.new").rename(address)
        while True:
            connection, _ = listener.accept()
            connection.sendall(_run(tests, limit).encode())
            connection.close()


def _imported() -> set[str]:
    return {str(getattr(module, "__file__", "")) for module in list(sys.modules.values())}


def _run(tests: tuple[str, ...], limit: int, files: set[str] | None = None) -> str:
    """Run tests in a fork; what they start ends with them.

    With `files`, aloud, with compiled files for the next time, and failing unless these files are
    imported.
    """
    import resource

    import pytest

    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            if files is None:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
            else:
                sys.dont_write_bytecode = False
            resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
            signal.alarm(limit)
            code = int(pytest.main([*_OPTIONS, *tests]))
            if code == 0 and (unused := (files or set()) - _imported()):
                print(f"{unused} are not imported by the tests.", flush=True)
                code = 3
            os._exit(code)
        finally:
            os._exit(3)
    status = os.waitpid(child, 0)[1]
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if os.WIFSIGNALED(status):
        return "hung" if os.WTERMSIG(status) == signal.SIGALRM else "crashed"
    return {0: "survived", 1: "failed"}.get(os.WEXITSTATUS(status), "not importable")


def copied(folder: Path) -> None:
    """Copy the code and its tests into a folder."""
    for name in ("src", "tests", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def main() -> None:
    """Plant changes group by group, and write what the tests said."""
    if sys.argv[1:2] == ["--answer"]:
        _answer(*sys.argv[2:])
    from humanseg.results.provenance import describe_environment

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine")
    parser.add_argument("--each", type=int, default=40, help="changes in every group")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--again", type=Path, help="a file that this wrote")
    options = parser.parse_args()
    if (options.again is None) == (options.machine is None):
        parser.error("give --machine or --again")
    name = f"{datetime.datetime.now(datetime.UTC).date()}-mutation-{options.machine}.json"
    file: Path = options.again or ROOT / "benchmarks" / "results" / name
    written: Row = json.loads(file.read_bytes()) if file.exists() else {}
    environment = describe_environment(device="cpu", threads=None).model_dump()
    for name in options.only:
        with tempfile.TemporaryDirectory() as scratch:
            copied(Path(scratch))
            if options.again:
                plant_again(Path(scratch), GROUPS[name], written[name]["survivors"])
                written[name]["again"] = environment
            else:
                places, rows = planted(
                    Path(scratch), GROUPS[name], count=options.each, seed=options.seed
                )
                written[name] = {
                    "seed": options.seed,
                    "places": places,
                    "counts": Counter(row["outcome"] for row in rows),
                    "survivors": [row for row in rows if row["outcome"] == "survived"],
                    "environment": environment,
                }
                print(name, places, dict(written[name]["counts"]), flush=True)
        file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
