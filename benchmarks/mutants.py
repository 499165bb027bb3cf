"""Plant changes that tests must notice, one at a time, in a copy of the code.

    python -m benchmarks.mutants --machine NAME

An earlier state of the tests let every one of these changes pass. The tests named beside a change
must pass without it and fail with it. Writes benchmarks/results/DATE-mutants-NAME.json, a row as
soon as it is known.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from humanseg.results.provenance import describe_environment

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Mutant:
    """One change, and the tests that are to notice it."""

    change: str
    file: str
    old: str
    """Is in the file exactly once."""
    new: str
    tests: str
    """A file, or a test in one."""


MUTANTS = (
    Mutant(
        "corrupted images are predicted as they are",
        "src/humanseg/evaluation/external.py",
        "return image, replace(self, truth=truth, ignored=ignored)",
        "return self.image, replace(self, truth=truth, ignored=ignored)",
        "tests/evaluation/test_external.py",
    ),
    Mutant(
        "differences to peers are means over the images on which ours is better",
        "benchmarks/peers/compare.py",
        "iou = bootstrap.mean([_minus(a.iou, b.iou) for a, b in pairs])",
        "iou = bootstrap.mean([d if (d := _minus(a.iou, b.iou) or 0) > 0 else None "
        "for a, b in pairs])",
        "tests/benchmarks/peers/test_compare.py::"
        "test_difference__counts_images_on_which_the_other_is_better_too",
    ),
    Mutant(
        "the plain loop never zeroes its gradients",
        "benchmarks/training/plain.py",
        "        optimiser.zero_grad()\n",
        "",
        "tests/benchmarks/training/test_loops.py::"
        "test_train_epoch__every_step_has_the_gradient_of_its_own_batch",
    ),
    Mutant(
        "the plain loop has a 300 times smaller rate",
        "benchmarks/training/plain.py",
        "LEARNING_RATE = 0.003",
        "LEARNING_RATE = 0.00001",
        "tests/benchmarks/training/test_loops.py::"
        "test_plain_run__takes_steps_of_the_presets_learning_rate",
    ),
    Mutant(
        "signed ranks are decided without Holm's correction",
        "src/humanseg/evaluation/statistics/paired.py",
        "ranks = holm([pair.wilcoxon_p for pair in family])",
        "ranks = [pair.wilcoxon_p for pair in family]",
        "tests/evaluation/test_statistics.py",
    ),
    Mutant(
        "folds are decided without Holm's correction",
        "src/humanseg/evaluation/statistics/paired.py",
        "trainings = holm(",
        "trainings = list(",
        "tests/evaluation/test_statistics.py",
    ),
    Mutant(
        "tested over trained images of real runs divided by ten",
        "src/humanseg/evaluation/analysis/subjects.py",
        "len(split.test) / max(1, len(split.train))",
        "len(split.test) / max(1, 10 * len(split.train))",
        "tests/evaluation/test_analysis.py",
    ),
    Mutant(
        "retention is a mean of ratios instead of a ratio of sums",
        "src/humanseg/evaluation/analysis/external_scores.py",
        "bootstrap.ratio(retained, base)",
        "bootstrap.mean([k / b if b else None for k, b in zip(retained, base, strict=True)])",
        "tests/evaluation/test_analysis.py",
    ),
    Mutant(
        "validation, and with it the best epoch, is of the raw weights",
        "src/humanseg/training/module.py",
        'logits = self.kept(batch["image"])',
        'logits = self.network(batch["image"])',
        "tests/training/test_module.py",
    ),
    Mutant(
        "the raw weights are kept instead of their moving average",
        "src/humanseg/training/module.py",
        "return cast(SegmentationNetwork, self.average.module)",
        "return self.network",
        "tests/training/test_module.py",
    ),
)


def tested(copy: Path, *tests: str) -> tuple[bool, str]:
    """Whether tests pass in a copy of the repository, and the first line of a failure.

    Raises:
        SystemExit: they could not be run.
    """
    paths = os.pathsep.join([str(copy / "src"), str(copy)])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode > 1:
        raise SystemExit(f"{' '.join(tests)}: could not be run.\n{done.stdout[-2000:]}")
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    return done.returncode == 0, failures[0].removeprefix("FAILED ")[:200] if failures else ""


def planted(copy: Path, mutant: Mutant) -> dict[str, object]:
    """What the tests say of one change, which is taken back afterwards."""
    file = copy / mutant.file
    before = file.read_text(encoding="utf-8")
    file.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    passed, failure = tested(copy, mutant.tests)
    file.write_text(before, encoding="utf-8")
    return {
        "change": mutant.change,
        "file": mutant.file,
        "tests": mutant.tests,
        "caught": not passed,
        "failure": failure,
    }


def main() -> None:
    """Run the tests without a change, then with each, and write what they said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", required=True)
    options = parser.parse_args()
    date = datetime.datetime.now(datetime.UTC).date()
    file = ROOT / "benchmarks" / "results" / f"{date}-mutants-{options.machine}.json"
    environment = describe_environment(device="cpu", threads=None).model_dump()
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for name in ("src", "tests", "benchmarks"):
            shutil.copytree(ROOT / name, copy / name)
        shutil.copy(ROOT / "pyproject.toml", copy)
        sound, failure = tested(copy, *dict.fromkeys(mutant.tests for mutant in MUTANTS))
        if not sound:
            raise SystemExit(f"{failure}: fails without any change.")
        for mutant in MUTANTS:
            rows.append(planted(copy, mutant))
            written = {"mutants": rows, "environment": environment}
            file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
            print("caught:  " if rows[-1]["caught"] else "survived:", mutant.change, flush=True)
    print(f"{sum(bool(row['caught']) for row in rows)} of {len(rows)} caught: {file}")


if __name__ == "__main__":
    main()
