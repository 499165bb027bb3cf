"""Finished folders on disk, from drawn pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from tests.builders.analyses import CEILINGS, analyse, generalisation, near
from tests.builders.records import (
    FINGERPRINT,
    SKILL,
    TRAIN,
    environment,
    run_result,
    scoring_setup,
    summarise,
)

from humanseg.config.comparison_config import CompareConfig
from humanseg.config.schema import EvaluationConfig, TrainConfig
from humanseg.images.resize import resize_probability
from humanseg.images.stored_maps import write_probability
from humanseg.results import (
    Analysis,
    Calibration,
    ComparisonResult,
    DataRecord,
    Evaluation,
    FailedRun,
    ImageScore,
    RunResult,
    write_record,
)

Mask = NDArray[np.bool_]
NASTY = "<b>&\"x'"


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
        pixels = {name: int(value) for name, value in counts.items()}
        return {**pixels, "contour_near_05": 0, "contour_near_10": 0}
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


def calibration(pairs: Iterable[tuple[Mask, NDArray[np.float32]]]) -> Calibration:
    """Bins of equal width over all pixels."""
    both = list(pairs)
    truth = np.concatenate([array.ravel() for array, _ in both])
    values = np.concatenate([array.ravel() for _, array in both]).astype(np.float64)
    bins = np.minimum((values * 15).astype(np.intp), 14)
    return Calibration(
        pixels=tuple(np.bincount(bins, minlength=15).tolist()),
        probability=tuple(np.bincount(bins, values, 15).tolist()),
        person=tuple(np.bincount(bins, truth, 15).astype(int).tolist()),
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
        index = int(random.integers(len(rows)))
        radius = abs(random.normal(0, 2.2 * badness))
        x, y = float(columns[index]), float(rows[index])
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


class Drawn:
    """Builds finished folders on disk."""

    def __init__(
        self, pictures: int = 9, ids: Sequence[str] = (), empty: Sequence[str] = ()
    ) -> None:
        random = np.random.default_rng(7)
        names = [*ids, *(f"street/{number}" for number in range(1, pictures + 1))][:pictures]
        self.drawn = {name: draw(random) for name in names}
        for name in empty:
            picture, truth = draw(random)
            self.drawn[name] = (picture, np.zeros_like(truth))

    @property
    def sources(self) -> dict[str, str]:
        """Half of the pictures of one source, half of another."""
        return {id_: ("graz", "web")[number % 2] for number, id_ in enumerate(self.drawn)}

    def build(
        self,
        folder: Path,
        config: CompareConfig,
        *,
        failed: Mapping[str, str] | None = None,
        missing: Sequence[str] = (),
        validation_is_test: bool = False,
        epoch_count: int = 12,
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
            everything: with generalisation, ceilings and checks in the analysis.
        """
        self._draw_pictures(folder)
        gone = {*(failed or {}), *missing}
        plan = config.runs(sorted(set(self.sources.values())))
        runs = [
            self._run(folder, name, run_config, validation_is_test, epoch_count)
            for name, run_config in plan.items()
            if name not in gone
        ]
        unfinished = {plan[name].model.arch for name in gone}
        whole = [run for run in runs if run.config.model.arch not in unfinished]
        result = ComparisonResult(
            config=config,
            runs=tuple(runs),
            failed=tuple(FailedRun(name=name, error=text) for name, text in (failed or {}).items()),
            missing=tuple(missing),
            sources=self.sources,
            groups={},
            analysis=self._analysis(whole, everything=everything) if whole else None,
        )
        write_record(folder / "results.json", result)
        return folder

    def _draw_pictures(self, folder: Path) -> None:
        files = {}
        for number, (id_, (picture, truth)) in enumerate(self.drawn.items()):
            files[id_] = str((folder / "pictures" / f"{number}.png").absolute())
            Path(files[id_]).parent.mkdir(parents=True, exist_ok=True)
            size = (picture.shape[1] * 5 // 2, picture.shape[0] * 5 // 2)
            Image.fromarray(picture).resize(size).save(files[id_])
            save_mask(folder / "truth" / f"{id_}.png", truth)
        record = DataRecord(
            fingerprint=FINGERPRINT, images=files, sources=self.sources, groups={}, copies=()
        )
        write_record(folder / "data.json", record)

    def _analysis(self, runs: Sequence[RunResult], *, everything: bool) -> Analysis:
        main = [run for run in runs if run.config.split.protocol != "source"]
        archs = dict.fromkeys(run.config.model.arch for run in main)
        networks: dict[str, tuple[str, list[RunResult]]] = {
            arch: (arch, [run for run in main if run.config.model.arch == arch]) for arch in archs
        }
        more = generalisation(networks, self.sources) if everything else {}
        analysis = analyse(networks, self.sources, **more)
        return analysis.model_copy(update={"bounds": (*analysis.bounds, *CEILINGS)})

    @cache  # noqa: B019 - a builder lives as long as its session
    def _baselines(self, id_: str) -> tuple[ImageScore, ImageScore]:
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
            return [id_ for index, id_ in enumerate(ids) if index % split.folds == split.fold - 1]
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
    ) -> RunResult:
        test = self.tested(config)
        run_folder = folder / "runs" / name
        random = np.random.default_rng([len(name), config.training.seed])
        scores, bins = self.predict(run_folder, test, config.model.arch, random)
        nobody, average = zip(*(self._baselines(id_) for id_ in test), strict=True)
        baselines = {"mean_mask": summarise(average), "all_background": summarise(nobody)}
        better = summarise(scores).model_copy(update={"iou_mean": 0.97})
        return run_result(
            name,
            config,
            scores,
            baselines=baselines,
            validation_is_test=validation_is_test,
            epoch_count=count,
            train=[id_ for id_ in self.drawn if id_ not in test] or TRAIN,
            train_summary=better,
            bins=bins,
        )

    def predict(
        self,
        run_folder: Path,
        ids: Sequence[str],
        arch: str,
        random: np.random.Generator,
    ) -> tuple[list[ImageScore], tuple[Calibration, Calibration]]:
        """Draw, store and score predictions."""
        scores, pixels = [], []
        for number, id_ in enumerate(ids):
            truth = self.drawn[id_][1]
            predicted = guess(truth, SKILL[arch] * (0.7 + 2.5 * (number % 7 == 3)), random)
            file = run_folder / "predictions" / f"{id_}.png"
            stored = write_probability(file, blurred(predicted))
            probability = resize_probability(stored, (truth.shape[0], truth.shape[1]))
            pixels.append((truth, probability))
            scores.append(score(id_, truth, np.asarray(probability >= 0.5)))
        curve = calibration(pixels)
        return scores, (curve, curve)

    def evaluate(self, folder: Path, arch: str = "unet") -> Path:
        """An evaluation of one saved model."""
        self._draw_pictures(folder)
        random = np.random.default_rng(5)
        scores, bins = self.predict(folder, list(self.drawn), arch, random)
        record = Evaluation.model_validate(
            {
                "model": f"models/{arch}",
                "arch": arch,
                "encoder_name": "efficientnet-b0",
                "trained_on": "ab" * 32,
                "also_trained_on": (),
                "data_fingerprint": FINGERPRINT,
                "seen_images": (),
                "evaluation": EvaluationConfig(),
                "setup": scoring_setup(),
                "scores": scores,
                "summary": summarise(scores),
                "calibration": bins[0],
                "band_calibration": bins[1],
                "sources": self.sources,
                "groups": {},
                "environment": environment(),
            }
        )
        analysis = analyse({arch: (arch, [record])}, self.sources)
        (network,) = analysis.networks
        counted = {"false_positive_images": near(0.5), "false_positive_area": near(0.012)}
        network = network.model_copy(update={"metrics": network.metrics | counted})
        analysis = analysis.model_copy(update={"networks": (network,)})
        write_record(folder / "evaluation.json", record.model_copy(update={"analysis": analysis}))
        return folder
