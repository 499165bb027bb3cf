"""How often two equal networks are declared different, under every protocol of a comparison.

    .venv/bin/python -m benchmarks.equal_networks --output benchmarks/results/NAME.json

Without `--output` it prints the table of docs/statistics.md from the newest result file.

Pictures differ as U-Net and FPN did in the result file of the folds; trainings differ by a normal
luck of a given standard deviation. In further worlds one network fails on a few pictures, and is
better on all others, or as good. Every comparison goes through the rule of docs/statistics.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.tables import link, newest, table
from numpy.typing import NDArray

from humanseg.evaluation.statistics import GroupBootstrap, Trainings, compare_pair, finish_pairs
from humanseg.results import Environment, PairAnalysis, Record, write_record
from humanseg.results.provenance import describe_environment

Floats = NDArray[np.float64]

LUCKS = (0.004, 0.009)
"""Standard deviations over seeds of a network's mean score: a calm and a nervous recipe."""
TASTES = (0.0, 0.5)
"""Share of a picture's variance that is the same in every training of a network."""
DIFFERENCE = 0.03
"""A real difference, for the power: three points."""
LOSS = 0.6
"""What the first network loses on a picture on which it fails."""
FAILING = (0.02, 0.04)
"""Shares of pictures on which it fails, made up for by all others; and not made up for."""
VALIDATION = 0.1
"""Share of the pictures that are held back from training for the curves, as by default."""


@dataclass(frozen=True)
class Protocol:
    """How two networks are compared."""

    images: int
    seeds: int = 1
    folds: int | None = None
    repeats: int = 1

    @property
    def name(self) -> str:
        """In words."""
        seeds = f"{self.seeds} seed{'s' if self.seeds > 1 else ''}"
        if self.folds is None:
            return f"one split, {seeds}"
        again = f", {self.repeats} times" if self.repeats > 1 else ""
        return f"{self.folds} folds{again}, {seeds}"

    @property
    def test_over_train(self) -> float:
        """Pictures tested over pictures trained on."""
        if self.folds is None:
            return 0.25
        test = 1 / self.folds
        return test / (1 - test - VALIDATION)


PROTOCOLS = (
    *(Protocol(images, seeds) for images in (58, 81, 290, 1000) for seeds in (1, 2, 3, 5)),
    *(Protocol(290, folds=folds) for folds in (2, 3, 5)),
    Protocol(290, folds=5, repeats=3),
    Protocol(290, seeds=3, folds=5),
)


@dataclass(frozen=True)
class World:
    """What makes scores vary."""

    differences: Floats
    """Centred differences of two networks on real pictures."""
    luck: float
    taste: float
    failing: float = 0.0
    """Share of the pictures on which the first network fails; its mean is made up for by all."""

    def failures(self, rng: np.random.Generator, images: int) -> Floats:
        """(images,) what the first network has more than the second, zero in the long run."""
        fails = rng.random(images) < self.failing
        return np.asarray(LOSS * (self.failing - fails))

    def network(
        self, rng: np.random.Generator, protocol: Protocol, folds: NDArray[np.intp]
    ) -> Floats:
        """(seeds, repeats, images) scores of one network, apart from a constant."""
        shape = (protocol.seeds, protocol.repeats, protocol.images)
        own = rng.choice(self.differences, protocol.images) * np.sqrt(self.taste)
        noise = rng.choice(self.differences, shape) * np.sqrt(1 - self.taste)
        luck = rng.normal(0, self.luck, (protocol.seeds, protocol.repeats, protocol.folds or 1))
        by_image = np.take_along_axis(luck, np.broadcast_to(folds, shape), axis=2)
        return np.asarray((own + noise) / np.sqrt(2) + by_image)


def compare(
    rng: np.random.Generator,
    protocol: Protocol,
    world: World,
    bootstrap: GroupBootstrap,
    difference: float = 0.0,
) -> PairAnalysis:
    """One comparison of two networks that are truly `difference` apart."""
    count = protocol.folds or 1
    folds = np.stack(
        [rng.permutation(np.arange(protocol.images) % count) for _ in range(protocol.repeats)]
    )
    first = world.network(rng, protocol, folds) + difference
    if world.failing:
        first = first + world.failures(rng, protocol.images)
    second = world.network(rng, protocol, folds)
    apart = (first - second).mean(axis=0)  # (repeats, images)
    by_fold = [
        float(apart[repeat][folds[repeat] == fold].mean())
        for repeat in range(protocol.repeats)
        for fold in range(count)
    ]
    pair = compare_pair(
        "first",
        "second",
        "iou",
        apart.mean(axis=0).tolist(),
        bootstrap,
        Trainings(
            fold_differences=by_fold if protocol.folds else (),
            test_share_over_train=protocol.test_over_train,
            by_seed=(first.mean(axis=1), second.mean(axis=1)) if protocol.seeds > 1 else None,
        ),
    )
    return finish_pairs([pair])[0]


class Row(Record):
    """One protocol in one world."""

    protocol: str
    images: int
    luck: float
    taste: float
    difference: float
    failing: float = 0.0
    trials: int
    different: float
    """Share of comparisons in which a difference is claimed."""
    equal: float
    """Share in which the networks are called equal within the margin."""


class Result(Record):
    """The result file."""

    environment: Environment
    differences: str
    """The result file that the pictures' differences are of."""
    seed: int
    resamples: int
    rows: tuple[Row, ...]


def simulate(
    protocol: Protocol,
    world: World,
    *,
    trials: int,
    resamples: int,
    difference: float = 0.0,
    seed: int = 0,
) -> Row:
    """Compare two networks many times over."""
    rng = np.random.default_rng(seed)
    bootstrap = GroupBootstrap([str(image) for image in range(protocol.images)], resamples)
    pairs = [compare(rng, protocol, world, bootstrap, difference) for _ in range(trials)]
    return Row(
        protocol=protocol.name,
        images=protocol.images,
        luck=world.luck,
        taste=world.taste,
        difference=difference,
        failing=world.failing,
        trials=trials,
        different=float(np.mean([pair.evidence for pair in pairs])),
        equal=float(np.mean([pair.equivalent for pair in pairs])),
    )


def worlds(differences: Floats) -> Iterator[tuple[Protocol, World, float]]:
    """Every protocol with every world and real difference that is simulated."""
    for protocol in PROTOCOLS:
        for luck in LUCKS:
            for taste in TASTES:
                for difference in (0.0, DIFFERENCE):
                    yield protocol, World(differences, luck, taste), difference
            if protocol.seeds == 1 and protocol.folds is None:
                continue  # one training of each claims nothing
            for failing, difference in zip(FAILING, (0.0, -LOSS * FAILING[1]), strict=True):
                # Calm pictures: what varies between them would hide failures that were not seen.
                yield protocol, World(differences * 0.3, luck, 0.0, failing), difference


def real_differences(path: Path) -> Floats:
    """Centred differences of the per-image IoU of U-Net and FPN in a result file of folds."""
    import json

    by_arch: dict[str, dict[str, float]] = {"unet": {}, "fpn": {}}
    for run in json.loads(path.read_text("utf-8"))["runs"]:
        arch = run["config"]["model"]["arch"]
        if arch in by_arch and run["config"]["split"]["protocol"] == "folds":
            for score in run["scores"]:
                union = score["tp"] + score["fp"] + score["fn"]
                by_arch[arch][score["id"]] = score["tp"] / union
    ours, theirs = by_arch["unet"], by_arch["fpn"]
    apart = np.array([ours[name] - theirs[name] for name in sorted(ours)])
    return np.asarray(apart - apart.mean())


def render(path: Path) -> str:
    """The result file as a Markdown table: both shares of taste together."""
    result = Result.model_validate_json(path.read_bytes())
    protocols = dict.fromkeys((row.protocol, row.images) for row in result.rows)

    def rare(protocol: tuple[str, int], failing: float, what: str) -> str:
        rows = [
            row
            for row in result.rows
            if (row.protocol, row.images, row.failing) == (*protocol, failing)
        ]
        return " / ".join(f"{100 * getattr(row, what):.1f} %" for row in rows) or "–"

    def shares(protocol: tuple[str, int], difference: float, what: str) -> str:
        """Of the calm and of the nervous recipe."""
        each = []
        for luck in LUCKS:
            rows = [
                row
                for row in result.rows
                if (row.protocol, row.images) == protocol
                and (row.luck, row.difference, row.failing) == (luck, difference, 0.0)
            ]
            trials = sum(row.trials for row in rows)
            each.append(sum(getattr(row, what) * row.trials for row in rows) / trials)
        return " / ".join(f"{100 * share:.1f} %" for share in each)

    header = [
        "Protocol",
        "pictures",
        "equal networks: said to differ",
        "called equal",
        "three points apart: said to differ",
        "called equal",
        "equal, with rare failures: said to differ",
        "2.4 points apart by rare failures: called equal",
    ]
    rows = [
        [
            protocol[0],
            f"{protocol[1]:,}",
            *(
                shares(protocol, difference, what)
                for difference in (0.0, DIFFERENCE)
                for what in ("different", "equal")
            ),
            rare(protocol, FAILING[0], "different"),
            rare(protocol, FAILING[1], "equal"),
        ]
        for protocol in protocols
    ]
    trials = max(row.trials for row in result.rows)
    count = f"{2 * trials:,} comparisons each ({trials:,} with rare failures)"
    return (
        f"{table(header, rows)}\n\nShares of {count}, for trainings whose "
        "scores vary by 0.4 / 0.9 points\nbetween seeds. From "
        f"{link(path)}."
    )


def main() -> None:
    """Simulate every protocol and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="result file; without it, the table")
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.output is None:
        print(render(newest("equal-networks")))
        return
    path = newest("folds-default-lite0")
    rows = []
    for protocol, world, difference in worlds(real_differences(path)):
        row = simulate(
            protocol,
            world,
            trials=arguments.trials,
            resamples=arguments.resamples,
            difference=difference,
            seed=arguments.seed,
        )
        rows.append(row)
        print(row.model_dump_json(), flush=True)
    result = Result(
        environment=describe_environment(device="cpu", threads=1),
        differences=path.name,
        seed=arguments.seed,
        resamples=arguments.resamples,
        rows=tuple(rows),
    )
    write_record(arguments.output, result)


if __name__ == "__main__":
    main()
