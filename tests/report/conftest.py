"""Believable folders from drawn pictures, and bare studies from given scores."""

from __future__ import annotations

import json
import math
import shutil
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from humanseg.config.schema import CompareConfig, EvaluationConfig, TrainConfig
from humanseg.images.resize import resize_probability
from humanseg.images.stored_maps import write_probability
from humanseg.report import write_report
from humanseg.report.load_study import comparison_study
from humanseg.report.study import Study
from humanseg.results import (
    Analysis,
    Bound,
    Calibration,
    ComparisonResult,
    Cost,
    DataRecord,
    Environment,
    EpochRecord,
    Evaluation,
    ExternalAnalysis,
    FailedRun,
    ImageScore,
    Interval,
    Leak,
    NetworkAnalysis,
    PairAnalysis,
    Resolved,
    RobustnessAnalysis,
    RunResult,
    ScoreSummary,
    SourceAnalysis,
    SplitRecord,
    Stratum,
    SuspectLabel,
    write_record,
)

Mask = NDArray[np.bool_]
NASTY = "<b>&\"x'"
SKILL = {"unet": 1.0, "fpn": 1.15, "deeplabv3plus": 1.9}
WEIGHTS = {
    "unet": (6_251_469, 2_498_000_000, 178.2),
    "fpn": (5_759_425, 2_012_000_000, 143.4),
    "deeplabv3plus": (4_908_309, 1_316_000_000, 165.1),
}
ENVIRONMENT = Environment(
    command="humanseg compare",
    date="2026-11-23T09:00:00+00:00",
    humanseg="0.1.0",
    commit="0123abc",
    python="3.11.7",
    platform="Linux-6.1-x86_64",
    processor="Example CPU",
    cores=2,
    threads=2,
    device="cpu",
    versions={"torch": "2.9.0", "lightning": "2.6.6"},
)
FINGERPRINT = "9f" * 32
TRAIN = tuple(f"train-{place}" for place in range(40))


def band(mask: Mask) -> Mask:
    """Boundary band as Cheng et al. define it."""
    side = 2 * max(1, round(0.02 * math.hypot(*mask.shape))) + 1
    inner = ndimage.minimum_filter(mask.astype(np.uint8), size=side, mode="constant")
    return np.asarray(mask & (inner == 0))


def contour(mask: Mask) -> Mask:
    return np.asarray(mask & ~ndimage.binary_erosion(mask, border_value=1))


def contours(truth: Mask, predicted: Mask) -> dict[str, float | None]:
    """Contour counts as docs/metrics.md has them."""
    first, second = contour(truth), contour(predicted)
    counts = {"contour_true": first.sum(), "contour_predicted": second.sum()}
    if not (first.any() and second.any()):
        found = {name: int(value) for name, value in counts.items()}
        return {**found, "contour_near_05": 0, "contour_near_10": 0}
    there = ndimage.distance_transform_edt(~second)[first]
    back = ndimage.distance_transform_edt(~first)[second]
    both, diagonal = np.concatenate([there, back]), math.hypot(*truth.shape)
    return {
        **{name: int(value) for name, value in counts.items()},
        "contour_near_05": int((both <= 0.005 * diagonal).sum()),
        "contour_near_10": int((both <= 0.01 * diagonal).sum()),
        "distance_sum": float(both.sum()),
        "distance_p95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
    }


def score(id_: str, truth: Mask, predicted: Mask) -> ImageScore:
    first, second = band(truth), band(predicted)
    counts = {
        "id": id_,
        "height": truth.shape[0],
        "width": truth.shape[1],
        "tp": int((truth & predicted).sum()),
        "fp": int((~truth & predicted).sum()),
        "fn": int((truth & ~predicted).sum()),
        "tn": int((~truth & ~predicted).sum()),
        "boundary_intersection": int((first & second).sum()),
        "boundary_union": int((first | second).sum()),
    }
    return ImageScore.model_validate(counts | contours(truth, predicted))


UNMEASURED = dict.fromkeys(
    (
        "contour_true",
        "contour_predicted",
        "contour_near_05",
        "contour_near_10",
        "distance_sum",
        "distance_p95",
    )
)
"""What older records lack."""


def calibration(pairs: Iterable[tuple[Mask, NDArray[np.float32]]]) -> Calibration:
    """Bins of equal width over all pixels."""
    both = list(pairs)
    truth = np.concatenate([one.ravel() for one, _ in both])
    values = np.concatenate([one.ravel() for _, one in both]).astype(np.float64)
    bins = np.minimum((values * 15).astype(np.intp), 14)
    return Calibration(
        pixels=tuple(np.bincount(bins, minlength=15).tolist()),
        probability=tuple(np.bincount(bins, values, 15).tolist()),
        person=tuple(np.bincount(bins, truth, 15).astype(int).tolist()),
    )


def mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def summarise(scores: Sequence[ImageScore]) -> ScoreSummary:
    ious = [one.iou for one in scores if one.iou is not None]
    tp, fp, fn = (sum(getattr(one, name) for one in scores) for name in ("tp", "fp", "fn"))
    right = sum(one.tp + one.tn for one in scores)
    pixels = sum(one.height * one.width for one in scores)
    pooled = tp / (tp + fp + fn) if tp + fp + fn else None
    return ScoreSummary(
        images=len(scores),
        undefined=len(scores) - len(ious),
        iou_mean=mean(ious),
        iou_sd=statistics.stdev(ious) if len(ious) > 1 else None,
        iou_median=statistics.median(ious) if ious else None,
        iou_p05=float(np.percentile(ious, 5)) if ious else None,
        dice_mean=mean([one.dice for one in scores if one.dice is not None]),
        boundary_iou_mean=mean(
            [one.boundary_iou for one in scores if one.boundary_iou is not None]
        ),
        dataset_iou=pooled,
        dataset_dice=2 * pooled / (1 + pooled) if pooled is not None else None,
        pixel_accuracy=right / pixels,
        batch_iou=pooled,
        batch_dice=2 * pooled / (1 + pooled) if pooled is not None else None,
        batch_accuracy=right / pixels,
    )


def epochs(count: int, quality: float, seed: int) -> tuple[EpochRecord, ...]:
    random = np.random.default_rng(seed)
    records = []
    for epoch in range(1, count + 1):
        left = math.exp(-epoch / 5)
        wobble = random.normal(0, 0.012, 4)
        records.append(
            EpochRecord(
                epoch=epoch,
                train_loss=0.12 + 0.9 * left + abs(wobble[0]),
                train_iou=0.95 - 0.5 * left + wobble[1] / 2,
                validation_loss=0.20 * quality + 1.1 * left + abs(wobble[2]) * 2,
                validation_iou=max(0.0, 1 - 0.11 * quality - 0.55 * left + wobble[3] / 2),
                learning_rate=0.003,
                images_per_second=33.0,
                seconds=7.0,
            )
        )
    return tuple(records)


def run_result(
    name: str,
    config: TrainConfig,
    scores: Sequence[ImageScore],
    *,
    floors: Mapping[str, ScoreSummary],
    validation_is_test: bool = False,
    epoch_count: int = 12,
    train: Sequence[str] = TRAIN,
    train_summary: ScoreSummary | None = None,
    bins: tuple[Calibration, Calibration] | None = None,
) -> RunResult:
    parameters, macs, seconds = WEIGHTS[config.model.arch]
    test = tuple(one.id for one in scores)
    wobble = 1 + (config.training.seed % 7) / 100
    return RunResult(
        name=name,
        config=config,
        resolved=Resolved(
            device="cpu",
            precision="bf16",
            memory_format="channels_last",
            encoder_weights="imagenet",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            timings={"fp32, contiguous": 0.0521, "bf16, channels_last": 0.0304},
        ),
        split=SplitRecord(
            train=tuple(train),
            validation=test if validation_is_test else ("val-1", "val-2", "val-3"),
            test=test,
            validation_is_test=validation_is_test,
        ),
        data_fingerprint=FINGERPRINT,
        epochs=epochs(epoch_count, SKILL[config.model.arch], config.training.seed),
        kept_epoch=epoch_count,
        scores=tuple(scores),
        summary=summarise(scores),
        floors=dict(floors),
        calibration=bins[0] if bins else None,
        band_calibration=bins[1] if bins else None,
        train_summary=train_summary,
        cost=Cost(
            parameters=parameters,
            macs=macs,
            train_seconds=seconds * wobble,
            wall_seconds=seconds * wobble + 38,
            images_per_second=5800 / seconds,
            peak_memory_bytes=2_900_000_000,
        ),
        environment=ENVIRONMENT,
    )


def draw(random: np.random.Generator) -> tuple[NDArray[np.uint8], Mask]:
    """A wall, a floor, something that distracts, and a figure."""
    height, width = (144, 192) if random.random() < 0.5 else (180, 132)
    picture = Image.new("RGB", (width, height), tuple(random.integers(90, 220, 3).tolist()))
    canvas, mask = ImageDraw.Draw(picture), Image.new("1", (width, height))
    floor = tuple(random.integers(60, 160, 3).tolist())
    canvas.rectangle((0, int(0.75 * height), width, height), fill=floor)
    left = int(random.integers(0, width // 2))
    canvas.rectangle((left, height // 4, left + width // 5, height // 2), fill=(70, 110, 90))
    size = random.uniform(0.16, 0.5) * height
    x = random.uniform(0.3, 0.7) * width
    y = height * 0.95 - 2 * size
    coat = tuple(random.integers(20, 130, 3).tolist())
    parts = (
        ((x - 0.25 * size, y, x + 0.25 * size, y + 0.55 * size), (214, 168, 138)),
        ((x - 0.45 * size, y + 0.5 * size, x + 0.45 * size, y + 1.4 * size), coat),
        ((x - 0.4 * size, y + 1.2 * size, x - 0.05 * size, y + 2 * size), (40, 44, 60)),
        ((x + 0.05 * size, y + 1.2 * size, x + 0.4 * size, y + 2 * size), (40, 44, 60)),
    )
    for box, colour in parts:
        canvas.ellipse(box, fill=colour)
        ImageDraw.Draw(mask).ellipse(box, fill=1)
    noise = random.normal(0, 6, (height, width, 1))
    pixels = np.clip(np.asarray(picture, np.float64) + noise, 0, 255).astype(np.uint8)
    return pixels, np.asarray(mask)


def guess(truth: Mask, badness: float, random: np.random.Generator) -> Mask:
    """The truth, moved a little, with a piece lost and one too many."""
    width = truth.shape[1]
    moved = np.roll(truth, (round(random.normal(0, badness)), round(random.normal(0, badness))))
    image = Image.fromarray(np.asarray(moved))
    canvas = ImageDraw.Draw(image)
    rows, columns = np.nonzero(truth if truth.any() else ~truth)
    for fill in (1, 0):
        place = int(random.integers(len(rows)))
        radius = abs(random.normal(0, 2.2 * badness))
        x, y = float(columns[place]), float(rows[place])
        x += fill * random.normal(0, width / 8)
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    return np.asarray(image)


def blurred(mask: Mask) -> NDArray[np.float32]:
    """A probability map on a network's grid of 64x64."""
    small = Image.fromarray(mask.astype(np.uint8) * 255).resize((64, 64))
    soft = np.asarray(small.filter(ImageFilter.GaussianBlur(0.6)), np.float32)
    return np.asarray(soft / 255, dtype=np.float32)


def save_mask(path: Path, mask: Mask) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


Scored = RunResult | Evaluation
HALF = 0.005
"""Half the width of every drawn interval."""


def near(estimate: float, half: float = HALF) -> Interval:
    return Interval(estimate=estimate, low=estimate - half, high=estimate + half)


def values_of(scored: Sequence[Scored], name: str) -> dict[str, float]:
    """Mean by picture of a property of its score."""
    found: dict[str, list[float]] = {}
    for one in scored:
        for image in one.scores:
            if (value := getattr(image, name)) is not None:
                found.setdefault(image.id, []).append(value)
    return {id_: statistics.fmean(values) for id_, values in found.items()}


def metrics_of(scored: Sequence[Scored]) -> dict[str, Interval]:
    names = ["iou", "dice", "boundary_iou", "surface_dice_05", "surface_dice_10", "assd", "hd95"]
    by_name = {name: list(values_of(scored, name).values()) for name in names}
    numbers = {name: statistics.fmean(values) for name, values in by_name.items() if values}
    if not numbers:
        return {}
    overlaps = by_name["iou"]
    numbers["iou_sd"] = statistics.stdev(overlaps) if len(overlaps) > 1 else 0.0
    numbers["iou_median"] = statistics.median(overlaps)
    numbers["iou_p05"] = float(np.percentile(overlaps, 5))
    dice = numbers["dice"]
    numbers |= {"dataset_iou": numbers["iou"], "dataset_dice": dice, "two_class_miou": 0.9}
    numbers |= {"pixel_accuracy": 0.95, "precision": 0.94, "recall": 0.93}
    numbers |= {"ece": 0.021, "band_ece": 0.101}
    return {name: near(value) for name, value in numbers.items()}


def strata_of(scored: Sequence[Scored], sources: Mapping[str, str]) -> tuple[Stratum, ...]:
    shares = values_of(scored, "foreground_share")
    order = sorted(shares, key=lambda id_: shares[id_])
    third = max(1, len(order) // 3)
    parts = [("size", "small", order[:third]), ("size", "medium", order[third : 2 * third])]
    parts.append(("size", "large", order[2 * third :]))
    for source in sorted(set(sources.values())):
        parts.append(("source", source, [id_ for id_ in order if sources[id_] == source]))
    strata = []
    for kind, name, ids in parts:
        means: dict[str, Interval] = {}
        for metric in ("iou", "boundary_iou"):
            found = values_of(scored, metric)
            known = [found[id_] for id_ in ids if id_ in found]
            means |= {metric: near(statistics.fmean(known))} if known else {}
        stratum = {"kind": kind, "name": name, "images": len(ids), "metrics": means}
        strata.append(Stratum.model_validate(stratum))
    return tuple(strata)


def deviation_over_seeds(runs: Sequence[RunResult]) -> float | None:
    by_seed: dict[int, list[float]] = {}
    for run in runs:
        by_seed.setdefault(run.config.training.seed, []).append(run.summary.iou_mean or 0.0)
    means = [statistics.fmean(values) for values in by_seed.values()]
    return statistics.stdev(means) if len(means) > 1 else None


def network_of(
    name: str, arch: str, scored: Sequence[Scored], sources: Mapping[str, str]
) -> NetworkAnalysis:
    runs = [one for one in scored if isinstance(one, RunResult)]
    train = [run.train_summary.iou_mean or 0.0 for run in runs if run.train_summary]
    held = [run.summary.iou_mean or 0.0 for run in runs]
    return NetworkAnalysis(
        name=name,
        arch=arch,
        runs=tuple(run.name for run in runs),
        images=len({image.id for one in scored for image in one.scores}),
        undefined=scored[0].summary.undefined,
        metrics=metrics_of(scored),
        seed_sd=deviation_over_seeds(runs),
        fold_ious=tuple(held),
        train_iou=statistics.fmean(train) if train else None,
        gap=statistics.fmean(train) - statistics.fmean(held) if train else None,
        strata=strata_of(scored, sources),
    )


def is_folded(scored: Sequence[Scored]) -> bool:
    runs = [one for one in scored if isinstance(one, RunResult)]
    return any(run.config.split.protocol == "folds" for run in runs)


def pair_of(
    metric: str, first: tuple[str, Sequence[Scored]], second: tuple[str, Sequence[Scored]]
) -> PairAnalysis | None:
    one, other = values_of(first[1], metric), values_of(second[1], metric)
    paired = [one[id_] - other[id_] for id_ in one if id_ in other]
    if not paired:
        return None
    seeds = [
        deviation_over_seeds([run for run in scored if isinstance(run, RunResult)])
        for _, scored in (first, second)
    ]
    known = [value for value in seeds if value is not None]
    difference = statistics.fmean(paired)
    folds = is_folded(first[1])
    doubts = []
    if abs(difference) <= HALF:
        doubts += ["interval", "wilcoxon", *(["folds"] if folds else [])]
    if known and abs(difference) <= max(known):
        doubts.append("seeds")
    if round(abs(difference), 3) < 0.01:
        doubts.append("small")
    values = {
        "first": first[0],
        "second": second[0],
        "metric": metric,
        "images": len(paired),
        "difference": near(difference),
        "median": statistics.median(paired),
        "wilcoxon_p": 0.2 if "wilcoxon" in doubts else 0.0002,
        "wilcoxon_holm": 0.4 if "wilcoxon" in doubts else 0.0006,
        "rank_biserial": 0.6 if difference > 0 else -0.6,
        "cohen_dz": None,
        "corrected_t": 2.0 if folds else None,
        "corrected_df": 2 if folds else None,
        "corrected_p": (0.3 if "folds" in doubts else 0.004) if folds else None,
        "corrected_holm": (0.3 if "folds" in doubts else 0.012) if folds else None,
        "seed_sd": max(known) if known else None,
        "evidence": not doubts,
        "doubts": doubts,
    }
    return PairAnalysis.model_validate(values)


def analyse(
    networks: Mapping[str, tuple[str, Sequence[Scored]]],
    origins: Mapping[str, str] | None = None,
    **more: object,
) -> Analysis:
    """An analysis by hand: real means, drawn intervals.

    Args:
        networks: architecture and scores by name.
        origins: source by picture.
        **more: fields of `Analysis`.
    """
    known = {name: (name, scored) for name, (_, scored) in networks.items() if scored}
    pairs = [
        pair
        for metric in ("iou", "boundary_iou")
        for first, second in combinations(known.values(), 2)
        if (pair := pair_of(metric, first, second)) is not None
    ]
    scored = [one for _, several in known.values() for one in several]
    runs = [one for one in scored if isinstance(one, RunResult)]
    pictures = len({image.id for one in scored for image in one.scores})
    values: dict[str, object] = {
        "pictures": pictures,
        "groups": max(1, pictures - 1),
        "folds": runs[0].config.split.folds if is_folded(scored) else None,
        "repeats": 1,
        "seeds": len({run.config.training.seed for run in runs}),
        "networks": tuple(
            network_of(name, arch, several, origins or {})
            for name, (arch, several) in networks.items()
            if several
        ),
        "pairs": tuple(pairs),
    }
    floors = runs[0].floors if runs else {}
    if "mean_mask" in floors:
        iou = floors["mean_mask"].iou_mean
        bound = {"name": "mean_mask", "side": "floor", "networks": (), "images": pictures}
        values["bounds"] = (Bound.model_validate({**bound, "iou": iou, "boundary_iou": 0.1}),)
    return Analysis.model_validate(values | more)


CEILINGS = (
    Bound(
        name="output_grid",
        side="ceiling",
        networks=("fpn", "deeplabv3plus"),
        images=12,
        iou=0.986,
        boundary_iou=0.921,
        detail="80x80",
    ),
    Bound(
        name="label_agreement",
        side="ceiling",
        networks=(),
        images=2,
        iou=0.991,
        boundary_iou=0.968,
        detail="street/3 and street/7",
    ),
)
LEAKS = (
    Leak(first="street/3", second="street/7", kind="exact", divided=False),
    Leak(first="street/1", second="street/2", kind="scene", similarity=0.93, divided=True),
)
SUSPECTS = (
    SuspectLabel(id="street/4", reason="holes", value=0.031, count=12),
    SuspectLabel(id="street/5", reason="specks", value=0.004, count=3),
    SuspectLabel(id="street/6", reason="disagreement", value=0.41),
)


class Drawn:
    """Builds finished folders on disk."""

    def __init__(
        self, pictures: int = 9, ids: Sequence[str] = (), empty: Sequence[str] = ()
    ) -> None:
        random = np.random.default_rng(7)
        names = [*ids, *(f"street/{place}" for place in range(1, pictures + 1))][:pictures]
        self.drawn = {name: draw(random) for name in names}
        for name in empty:
            picture, truth = draw(random)
            self.drawn[name] = (picture, np.zeros_like(truth))

    @property
    def sources(self) -> dict[str, str]:
        """Half of the pictures of one source, half of another."""
        return {id_: ("graz", "web")[place % 2] for place, id_ in enumerate(self.drawn)}

    def build(
        self,
        folder: Path,
        config: CompareConfig,
        *,
        failed: Mapping[str, str] | None = None,
        missing: Sequence[str] = (),
        validation_is_test: bool = False,
        epoch_count: int = 12,
        older: bool = False,
        everything: bool = False,
    ) -> Path:
        """A comparison.

        Args:
            folder: where to.
            config: the plan.
            failed: errors by run.
            missing: runs that were not reached.
            validation_is_test: as in the published protocol.
            epoch_count: epochs of every run.
            older: as before analyses, probability maps and data.json.
            everything: with generalisation, ceilings and checks in the analysis.
        """
        self._draw_pictures(folder, older=older)
        gone = {*(failed or {}), *missing}
        plan = config.runs(sorted(set(self.sources.values())))
        runs = [
            self._run(folder, name, one, validation_is_test, epoch_count, older=older)
            for name, one in plan.items()
            if name not in gone
        ]
        sources = {} if older else self.sources
        result = ComparisonResult(
            config=config,
            runs=tuple(runs),
            failed=tuple(FailedRun(name=name, error=text) for name, text in (failed or {}).items()),
            missing=tuple(missing),
            sources=sources,
            analysis=None if older else self._analysis(runs, everything=everything),
        )
        write_record(folder / "results.json", result)
        return folder

    def _draw_pictures(self, folder: Path, *, older: bool) -> None:
        files = {}
        for place, (id_, (picture, truth)) in enumerate(self.drawn.items()):
            files[id_] = str((folder / "pictures" / f"{place}.png").absolute())
            Path(files[id_]).parent.mkdir(parents=True, exist_ok=True)
            size = (picture.shape[1] * 5 // 2, picture.shape[0] * 5 // 2)
            Image.fromarray(picture).resize(size).save(files[id_])
            save_mask(folder / "truth" / f"{id_}.png", truth)
        if older:
            (folder / "pictures.json").write_text(json.dumps(files), encoding="utf-8")
        else:
            record = DataRecord(
                fingerprint=FINGERPRINT, pictures=files, sources=self.sources, groups={}
            )
            write_record(folder / "data.json", record)

    def _analysis(self, runs: Sequence[RunResult], *, everything: bool) -> Analysis:
        main = [run for run in runs if run.config.split.protocol != "source"]
        archs = dict.fromkeys(run.config.model.arch for run in main)
        networks: dict[str, tuple[str, list[RunResult]]] = {
            arch: (arch, [run for run in main if run.config.model.arch == arch]) for arch in archs
        }
        more = generalisation(networks, self.sources) if everything else {}
        found = analyse(networks, self.sources, **more)
        return found.model_copy(update={"bounds": (*found.bounds, *CEILINGS)})

    @cache  # noqa: B019 - a builder lives as long as its session
    def _floors(self, id_: str) -> tuple[ImageScore, ImageScore]:
        """Nobody, and the mean of all masks, as answers."""
        truth = self.drawn[id_][1]
        middle = np.zeros((5, 5), dtype=bool)
        middle[1:, 1:4] = True
        average = np.asarray(Image.fromarray(middle).resize(truth.shape[::-1]))
        return score(id_, truth, np.zeros_like(truth)), score(id_, truth, average)

    def tested(self, config: TrainConfig) -> list[str]:
        """Pictures that a run tests on."""
        split = config.split
        ids = list(self.drawn)
        if split.protocol == "folds":
            return [id_ for place, id_ in enumerate(ids) if place % split.folds == split.fold - 1]
        if split.protocol == "source":
            return [id_ for id_ in ids if self.sources[id_] == split.held_out]
        return ids

    def _run(
        self,
        folder: Path,
        name: str,
        config: TrainConfig,
        validation_is_test: bool,
        count: int,
        *,
        older: bool,
    ) -> RunResult:
        test = self.tested(config)
        place = folder / "runs" / name
        random = np.random.default_rng([len(name), config.training.seed])
        scores, bins = self.predict(place, test, config.model.arch, random, older=older)
        nobody, average = zip(*(self._floors(id_) for id_ in test), strict=True)
        floors = {"mean_mask": summarise(average), "all_background": summarise(nobody)}
        better = summarise(scores).model_copy(update={"iou_mean": 0.97})
        return run_result(
            name,
            config,
            scores,
            floors=floors,
            validation_is_test=validation_is_test,
            epoch_count=count,
            train=[id_ for id_ in self.drawn if id_ not in test] or TRAIN,
            train_summary=None if older else better,
            bins=None if older else bins,
        )

    def predict(
        self,
        place: Path,
        ids: Sequence[str],
        arch: str,
        random: np.random.Generator,
        *,
        older: bool = False,
    ) -> tuple[list[ImageScore], tuple[Calibration, Calibration]]:
        """Draw, store and score predictions."""
        scores, pixels = [], []
        for number, id_ in enumerate(ids):
            truth = self.drawn[id_][1]
            predicted = guess(truth, SKILL[arch] * (0.7 + 2.5 * (number % 7 == 3)), random)
            file = place / "predictions" / f"{id_}.png"
            if older:
                save_mask(file, predicted)
            else:
                stored = write_probability(file, blurred(predicted))
                probability = resize_probability(stored, (truth.shape[0], truth.shape[1]))
                pixels.append((truth, probability))
                predicted = np.asarray(probability >= 0.5)
            scored = score(id_, truth, predicted)
            scores.append(scored.model_copy(update=UNMEASURED) if older else scored)
        whole = calibration(pixels) if pixels else Calibration(pixels=(), probability=(), person=())
        return scores, (whole, whole)

    def evaluate(self, folder: Path, arch: str = "unet") -> Path:
        """An evaluation of one saved model."""
        self._draw_pictures(folder, older=False)
        random = np.random.default_rng(5)
        scores, bins = self.predict(folder, list(self.drawn), arch, random)
        record = Evaluation.model_validate(
            {
                "model": f"models/{arch}",
                "arch": arch,
                "encoder_name": "efficientnet-b0",
                "trained_on": "ab" * 32,
                "data_fingerprint": FINGERPRINT,
                "evaluation": EvaluationConfig(),
                "scores": scores,
                "summary": summarise(scores),
                "calibration": bins[0],
                "band_calibration": bins[1],
                "sources": self.sources,
                "environment": ENVIRONMENT,
            }
        )
        found = analyse({arch: (arch, [record])}, self.sources)
        (network,) = found.networks
        counted = {"false_positive_images": near(0.5), "false_positive_area": near(0.012)}
        network = network.model_copy(update={"metrics": network.metrics | counted})
        found = found.model_copy(update={"networks": (network,)})
        write_record(folder / "evaluation.json", record.model_copy(update={"analysis": found}))
        return folder


def generalisation(
    networks: Mapping[str, tuple[str, Sequence[Scored]]], sources: Mapping[str, str]
) -> dict[str, object]:
    """The parts of an analysis beyond the comparison itself, with plausible values."""
    names = list(networks)
    left_out = [
        SourceAnalysis(
            network=name,
            source=source,
            images=list(sources.values()).count(source),
            seen=near(0.88),
            unseen=near(0.84 - 0.01 * place),
            gap=near(0.04 + 0.01 * place),
        )
        for source in sorted(set(sources.values()))
        for place, name in enumerate(names)
    ]
    external = [
        ExternalAnalysis(
            network=name,
            data="drawn people",
            fingerprint="cd" * 32,
            images=40,
            undefined=1,
            metrics={
                "iou": near(0.8 - 0.02 * place),
                "boundary_iou": near(0.5),
                "surface_dice_10": near(0.7),
                "false_positive_images": near(0.25),
                "false_positive_area": near(0.004),
            },
            person_free=4,
        )
        for place, name in enumerate(names)
    ]
    robustness = [
        RobustnessAnalysis(
            network=name,
            corruption=corruption,
            images=12,
            clean=0.88,
            severities=tuple(0.88 - lost * severity for severity in range(1, 6)),
            retention=near(1 - 3 * lost / 0.88),
        )
        for corruption, lost in (("gaussian_noise", 0.02), ("motion_blur", 0.05 * 0.8))
        for name in names
    ]
    return {
        "sources": tuple(left_out),
        "external": tuple(external),
        "robustness": tuple(robustness),
        "leaks": LEAKS,
        "suspects": SUSPECTS,
    }


def reported(folder: Path) -> Path:
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def drawn() -> Drawn:
    return Drawn(ids=[NASTY])


@pytest.fixture(scope="session")
def compared(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three networks with one seed on one split. Do not change it."""
    return drawn.build(tmp_path_factory.mktemp("compared"), CompareConfig())


@pytest.fixture(scope="session")
def finished(compared: Path) -> Path:
    """`compared` with its report. Do not change it."""
    return reported(compared)


@pytest.fixture(scope="session")
def cross_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds, two seeds, sources left out, and everything analysed. Do not change it."""
    values = {"seeds": (42, 43), "folds": 3, "leave_one_source_out": True}
    config = CompareConfig.model_validate(values)
    folder = tmp_path_factory.mktemp("crossed")
    return Drawn(12, ids=[NASTY]).build(folder, config, everything=True)


@pytest.fixture(scope="session")
def cross_validated(cross_data: Path) -> Path:
    """`cross_data` with its report. Do not change it."""
    return reported(cross_data)


@pytest.fixture(scope="session")
def old_data(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older result: two seeds, the published protocol, one failed and one missing run."""
    config = CompareConfig.model_validate(
        {
            "seeds": (42, 43),
            "split": {"protocol": "reference"},
            "training": {"checkpoint": "best", "batch_size": 8},
        }
    )
    return drawn.build(
        tmp_path_factory.mktemp("broken"),
        config,
        failed={"fpn-seed43": "RuntimeError: out of memory\nafter 3 epochs <b>"},
        missing=["deeplabv3plus-seed43"],
        validation_is_test=True,
        older=True,
    )


@pytest.fixture(scope="session")
def broken(old_data: Path) -> Path:
    """`old_data` with its report. Do not change it."""
    return reported(old_data)


@pytest.fixture(scope="session")
def evaluation_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of one model, two pictures without anyone. Do not change it."""
    shown = Drawn(9, ids=[NASTY], empty=["nobody/1", "nobody/2"])
    return shown.evaluate(tmp_path_factory.mktemp("evaluated"))


@pytest.fixture(scope="session")
def evaluated(evaluation_data: Path) -> Path:
    """`evaluation_data` with its report. Do not change it."""
    return reported(evaluation_data)


StudyMaker = Callable[..., Study]


@pytest.fixture
def study_of() -> StudyMaker:
    """Makes a study without files from IoU by network, seed and picture."""

    def make(
        scores: Mapping[str, Sequence[Sequence[float]]],
        *,
        floor: float = 0.4,
        analysed: bool = True,
        **changes: object,
    ) -> Study:
        most = max((len(one) for one in scores.values()), default=1)
        seeds = tuple(range(1, 1 + max(most, 1)))
        config = CompareConfig.model_validate({"archs": tuple(scores), "seeds": seeds, **changes})
        floors = {"mean_mask": summarise([plain_score("1", floor)])}
        runs = [
            run_result(
                f"{arch}-seed{seed}",
                config.runs()[f"{arch}-seed{seed}"],
                [plain_score(str(place), value) for place, value in enumerate(values)],
                floors=floors,
            )
            for arch, by_seed in scores.items()
            for seed, values in zip(seeds, by_seed, strict=False)
        ]
        networks = {
            arch: (arch, [run for run in runs if run.config.model.arch == arch]) for arch in scores
        }
        result = ComparisonResult(
            config=config,
            runs=tuple(runs),
            failed=(),
            missing=(),
            analysis=analyse(networks) if analysed and runs else None,
        )
        return comparison_study(Path("nowhere"), result)

    return make


def plain_score(id_: str, iou: float) -> ImageScore:
    found = round(1000 * iou)
    return ImageScore(
        id=id_,
        height=40,
        width=50,
        tp=found,
        fp=0,
        fn=1000 - found,
        tn=1000,
        boundary_intersection=found,
        boundary_union=1000,
    )


@pytest.fixture
def finished_copy(finished: Path, tmp_path: Path) -> Path:
    """The finished comparison, to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))
