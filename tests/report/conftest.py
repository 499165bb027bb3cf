"""Believable comparisons from drawn pictures, and bare ones from given scores."""

from __future__ import annotations

import json
import math
import shutil
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from humanseg.config import CompareConfig, TrainConfig
from humanseg.report import write_report
from humanseg.report.summary import Study
from humanseg.results import (
    ComparisonResult,
    Cost,
    Environment,
    EpochRecord,
    FailedRun,
    ImageScore,
    Resolved,
    RunResult,
    ScoreSummary,
    SplitRecord,
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


def band(mask: Mask) -> Mask:
    """Boundary band as Cheng et al. define it."""
    width = max(1, round(0.02 * math.hypot(*mask.shape)))
    image = Image.fromarray(np.pad(mask, 1).astype(np.uint8) * 255)
    for _ in range(width):
        image = image.filter(ImageFilter.MinFilter(3))
    # The filter repeats the edge, where erosion sees background: the frame keeps that apart.
    return np.asarray(mask & (np.asarray(image)[1:-1, 1:-1] == 0))


def score(id_: str, truth: Mask, predicted: Mask) -> ImageScore:
    first, second = band(truth), band(predicted)
    return ImageScore(
        id=id_,
        height=truth.shape[0],
        width=truth.shape[1],
        tp=int((truth & predicted).sum()),
        fp=int((~truth & predicted).sum()),
        fn=int((truth & ~predicted).sum()),
        tn=int((~truth & ~predicted).sum()),
        boundary_intersection=int((first & second).sum()),
        boundary_union=int((first | second).sum()),
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
            train=tuple(f"train-{place}" for place in range(40)),
            validation=test if validation_is_test else ("val-1", "val-2", "val-3"),
            test=test,
            validation_is_test=validation_is_test,
        ),
        data_fingerprint="9f" * 32,
        epochs=epochs(epoch_count, SKILL[config.model.arch], config.training.seed),
        kept_epoch=epoch_count,
        scores=tuple(scores),
        summary=summarise(scores),
        floors=dict(floors),
        cost=Cost(
            parameters=parameters,
            macs=macs,
            train_seconds=seconds * wobble,
            wall_seconds=seconds * wobble + 38,
            images_per_second=5800 / seconds,
            peak_memory_bytes=2_900_000_000,
        ),
        environment=Environment(
            command="humanseg compare",
            date="2026-11-23T09:00:00+00:00",
            humanseg="0.1.0",
            commit="0123abc",
            python="3.11.7",
            platform="Linux-6.1-x86_64",
            processor="Example CPU",
            cores=2,
            device="cpu",
            versions={"torch": "2.9.0", "lightning": "2.6.6"},
        ),
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
    rows, columns = np.nonzero(truth)
    for fill in (1, 0):
        place = int(random.integers(len(rows)))
        radius = abs(random.normal(0, 2.2 * badness))
        x, y = float(columns[place]), float(rows[place])
        x += fill * random.normal(0, width / 8)
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)
    return np.asarray(image)


def save_mask(path: Path, mask: Mask) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(path)


class Drawn:
    """Builds comparison folders on disk."""

    def __init__(self, pictures: int = 9, ids: Sequence[str] = ()) -> None:
        random = np.random.default_rng(7)
        names = [*ids, *(f"street/{place}" for place in range(1, pictures + 1))][:pictures]
        self.drawn = {name: draw(random) for name in names}

    def build(
        self,
        folder: Path,
        config: CompareConfig,
        *,
        failed: Mapping[str, str] | None = None,
        missing: Sequence[str] = (),
        validation_is_test: bool = False,
        epoch_count: int = 12,
    ) -> Path:
        files = {}
        for place, (id_, (picture, truth)) in enumerate(self.drawn.items()):
            files[id_] = str((folder / "pictures" / f"{place}.png").absolute())
            Path(files[id_]).parent.mkdir(parents=True, exist_ok=True)
            enlarged = Image.fromarray(picture).resize(
                (picture.shape[1] * 5 // 2, picture.shape[0] * 5 // 2)
            )
            enlarged.save(files[id_])
            save_mask(folder / "truth" / f"{id_}.png", truth)
        (folder / "pictures.json").write_text(json.dumps(files), encoding="utf-8")
        gone = {*(failed or {}), *missing}
        runs = [
            self._run(folder, name, one, validation_is_test, epoch_count)
            for name, one in config.runs().items()
            if name not in gone
        ]
        result = ComparisonResult(
            config=config,
            runs=tuple(runs),
            failed=tuple(FailedRun(name=name, error=text) for name, text in (failed or {}).items()),
            missing=tuple(missing),
        )
        write_record(folder / "results.json", result)
        return folder

    def _run(
        self, folder: Path, name: str, config: TrainConfig, validation_is_test: bool, count: int
    ) -> RunResult:
        random = np.random.default_rng([len(name), config.training.seed])
        scores = []
        for place, (id_, (_, truth)) in enumerate(self.drawn.items()):
            badness = SKILL[config.model.arch] * (0.7 + 2.5 * (place % 7 == 3))
            predicted = guess(truth, badness, random)
            save_mask(folder / "runs" / name / "predictions" / f"{id_}.png", predicted)
            scores.append(score(id_, truth, predicted))
        nobody = [score(id_, truth, ~truth & truth) for id_, (_, truth) in self.drawn.items()]
        middle = np.zeros((5, 5), dtype=bool)
        middle[1:, 1:4] = True
        average = [
            score(id_, truth, np.asarray(Image.fromarray(middle).resize(truth.shape[::-1])))
            for id_, (_, truth) in self.drawn.items()
        ]
        floors = {"mean_mask": summarise(average), "all_background": summarise(nobody)}
        return run_result(
            name,
            config,
            scores,
            floors=floors,
            validation_is_test=validation_is_test,
            epoch_count=count,
        )


@pytest.fixture(scope="session")
def drawn() -> Drawn:
    return Drawn(ids=[NASTY])


@pytest.fixture(scope="session")
def finished(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three networks with one seed, with its report. Do not change it."""
    folder = drawn.build(tmp_path_factory.mktemp("finished"), CompareConfig())
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def broken(drawn: Drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds, the published protocol, one failed and one missing run. Do not change it."""
    config = CompareConfig.model_validate(
        {
            "seeds": (42, 43),
            "split": {"protocol": "reference"},
            "training": {"checkpoint": "best", "batch_size": 8},
        }
    )
    folder = drawn.build(
        tmp_path_factory.mktemp("broken"),
        config,
        failed={"fpn-seed43": "RuntimeError: out of memory\nafter 3 epochs <b>"},
        missing=["deeplabv3plus-seed43"],
        validation_is_test=True,
    )
    write_report(folder)
    return folder


StudyMaker = Callable[..., Study]


@pytest.fixture
def study_of() -> StudyMaker:
    """Makes a study without files from IoU by network, seed and picture."""

    def make(
        scores: Mapping[str, Sequence[Sequence[float]]], *, floor: float = 0.4, **changes: object
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
        result = ComparisonResult(config=config, runs=tuple(runs), failed=(), missing=())
        return Study(Path("nowhere"), result)

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
