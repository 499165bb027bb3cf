"""Pixels whose truth nobody knows: VOC's 255 counts neither in the loss nor in scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.builders import tool_files as tools
from tests.conftest import draw_pair

from humanseg.cli import main
from humanseg.config.loading import to_yaml
from humanseg.config.schema import AugmentationConfig, LossConfig, TrainConfig
from humanseg.data.cache import Cache
from humanseg.data.fingerprint import fingerprint
from humanseg.data.layouts import discover
from humanseg.data.resized import ImagesInMemory
from humanseg.evaluation.bounds import grid_ceiling
from humanseg.evaluation.corruptions import corrupt_pair
from humanseg.evaluation.external import _copies
from humanseg.evaluation.metrics import calibrate, count_pixels, score_image
from humanseg.results import Evaluation, RunResult, read_record
from humanseg.training.augmentation import augment
from humanseg.training.batches import batches_of_parts
from humanseg.training.losses import SegmentationLoss
from humanseg.training.module import RunningScore

TRUTH = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.bool_)
PREDICTED = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=np.bool_)
IGNORED = np.array([[1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0]], dtype=np.bool_)

SIZE = (48, 64)
PERSON, VOID = 15, 255


def write_voc(root: Path, name: str, image: Image.Image, indices: np.ndarray) -> None:
    for folder in ("JPEGImages", "SegmentationClass"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    image.save(root / "JPEGImages" / f"{name}.png")
    tools.voc(indices).save(root / "SegmentationClass" / f"{name}.png")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Two pictures of which 620 pixels are of no class; white is a person to the network."""
    for name, bright, person, void in (
        ("a", (10, 40), (10, 30), (30, 40)),
        ("b", (10, 25), (10, 40), (10, 15)),
    ):
        pixels = np.zeros((*SIZE, 3), dtype=np.uint8)
        pixels[10:30, slice(*bright)] = 255
        indices = np.zeros(SIZE, dtype=np.uint8)
        indices[10:30, slice(*person)] = PERSON
        indices[10:30, slice(*void)] = VOID
        if name == "a":
            indices[:5] = VOID
        write_voc(tmp_path / "voc", name, Image.fromarray(pixels), indices)
    return tmp_path / "voc"


def test_score_image__by_hand() -> None:
    score = score_image("a", PREDICTED, TRUTH, IGNORED)
    assert (score.tp, score.fp, score.fn, score.tn) == (2, 1, 1, 7)
    assert (score.iou, score.dice) == (0.5, 4 / 6)
    assert (score.boundary_intersection, score.boundary_union) == (2, 4)
    assert (score.pixels, score.pixel_accuracy) == (11, 9 / 11)
    assert (score.false_alarm, score.foreground_share) == (1 / 11, 3 / 11)
    assert (score.contour_true, score.contour_predicted) == (3, 3)
    assert count_pixels(PREDICTED, TRUTH, IGNORED) == (2, 1, 1, 7)
    everything = score_image("a", PREDICTED, TRUTH, np.ones_like(TRUTH))
    assert (everything.iou, everything.pixels, everything.pixel_accuracy) == (None, 0, 0.0)


def test_calibrate__leaves_ignored_pixels_out() -> None:
    probability = np.full((4, 4), 0.5, dtype=np.float32)
    probability[IGNORED] = 0.99
    whole, band = calibrate(probability, TRUTH, IGNORED)
    assert whole.pixels == (*[0] * 7, 11, *[0] * 7)
    assert whole.person == (*[0] * 7, 3, *[0] * 7)
    assert sum(band.pixels) == 3  # the contour of the four less the one that is ignored


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("ignored", [5.0, -3.0])
def test_loss__and_gradient_by_hand(per_image: bool, ignored: float) -> None:
    logits = torch.tensor([[[[0.0, 0.0], [ignored, ignored]]]], requires_grad=True)
    masks = torch.tensor([[[[1, 0], [0, 0]], [[0, 0], [1, 1]]]]).bool()
    loss = SegmentationLoss(LossConfig(dice_per_image=per_image))(logits, masks)
    loss.backward()
    # ln 2, and 1 - 2 * 0.5 / (0.5 + 0.5 + 1).
    assert loss.item() == pytest.approx(0.693147 + 0.5, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.ravel().tolist() == pytest.approx([-0.4375, 0.3125, 0.0, 0.0])


def test_running_score__leaves_ignored_pixels_out() -> None:
    score = RunningScore()
    masks = torch.from_numpy(np.stack([TRUTH, IGNORED]))[None]
    score.add(torch.tensor(1.0), torch.from_numpy(PREDICTED)[None, None].float() - 0.5, masks)
    assert score.read() == (1.0, 0.5)


def test_augment__moves_what_is_ignored_with_the_mask() -> None:
    plane = torch.rand(3, 1, 24, 20) > 0.5
    images = torch.zeros(3, 3, 24, 20, dtype=torch.uint8)
    config, generator = AugmentationConfig(affine=1.0), torch.Generator().manual_seed(1)
    _, masks = augment(images, torch.cat([plane, plane], dim=1), config, generator)
    assert torch.equal(masks[:, 0], masks[:, 1])
    assert not torch.equal(masks[:, :1], plane)


@pytest.mark.parametrize("cached", [False, True])
def test_batches__have_a_second_channel(
    cached: bool, labels: Path, tiny: TrainConfig, tmp_path: Path
) -> None:
    samples = discover(labels)
    samples = [*samples, *discover(tiny.data.root)[:2]] if tiny.data.root else samples
    memory = ImagesInMemory(samples, SIZE, "area")
    store = Cache(tmp_path / "cache", note=print).resized(samples, size=SIZE, mask_resize="area")
    batches, _ = batches_of_parts(store if cached else memory, tiny, train=range(4))
    (batch,) = batches
    masks = dict(zip(batch["ids"], batch["mask"], strict=True))
    assert batch["mask"].shape == (4, 2, *SIZE)
    assert [int(masks[name][1].sum()) for name in ("a", "b", "000", "001")] == [520, 100, 0, 0]
    assert [int(masks[name][0].sum()) for name in ("a", "b")] == [400, 500]
    assert masks["b"][1, 10:30, 10:15].all()


def test_fingerprint__changes_with_what_is_ignored(labels: Path) -> None:
    before = fingerprint(discover(labels))
    indices = np.asarray(Image.open(labels / "SegmentationClass/a.png")).copy()
    indices[0, 0] = 0
    tools.voc(indices).save(labels / "SegmentationClass/a.png")
    assert fingerprint(discover(labels)) != before


def test_ceiling__and_corrupted_copies_leave_out_the_same(labels: Path) -> None:
    samples = discover(labels)
    assert grid_ceiling(samples, SIZE, ()).iou == 1.0
    for copy in _copies(samples[:1]):
        if copy.corruption == "rotation" and copy.severity == 4:  # a quarter turn
            _, turned = copy.make()
            assert turned.ignored is not None
            assert (turned.truth.shape, turned.ignored.sum()) == ((64, 48), 520)
            wanted = corrupt_pair(copy.image, copy.truth, "rotation", 4, seed=3904355907)[1]
            assert np.array_equal(turned.truth, wanted)
            return
    raise AssertionError("no turned copy")


@pytest.mark.command
def test_evaluate__by_hand(labels: Path, brightness_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "scored"
    assert main(["evaluate", str(brightness_model), "--data", str(labels), "-o", str(out)]) == 0
    result = read_record(out / "evaluation.json", Evaluation)
    first, second = result.scores
    assert (first.tp, first.fp, first.fn, first.tn) == (400, 0, 0, 2152)
    assert (second.tp, second.fp, second.fn, second.tn) == (200, 0, 300, 2472)
    assert (first.boundary_iou, first.surface_dice_05) == (1.0, 1.0)
    assert result.summary.iou_mean == pytest.approx(0.7)
    assert result.summary.batch_iou == pytest.approx(600 / 900)
    assert result.calibration is not None
    assert sum(result.calibration.pixels) == 2 * 48 * 64 - 620


@pytest.mark.command
def test_data_check__says_how_many(labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "check", str(labels)])
    said = (
        "620 pixels of no class (10.1%) are ignored: they count neither in the loss nor in scores"
    )
    assert said in capsys.readouterr().out


@pytest.mark.training
def test_train__scores_without_ignored_pixels(tiny: TrainConfig, tmp_path: Path) -> None:
    for seed in range(12):
        image, mask = draw_pair(seed, SIZE)
        indices = np.asarray(mask) // 255 * np.uint8(PERSON)
        indices[:6] = VOID
        write_voc(tmp_path / "voc", f"{seed:02}", image, indices)
    config = tmp_path / "train.yaml"
    config.write_text(to_yaml(tiny))
    words = ["--config", str(config), "--data", str(tmp_path / "voc"), "-o", str(tmp_path / "run")]
    assert main(["train", *words, "--training.epochs", "1"]) == 0
    result = read_record(tmp_path / "run/result.json", RunResult)
    assert {score.pixels for score in result.scores} == {48 * 64 - 6 * 64}
    assert len(result.scores) == 2
