from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tests.builders.formula_model import GRID, brightness, brightness_onnx, write_model

from humanseg.config.architectures import model_settings
from humanseg.config.schema import AugmentationConfig, DataConfig, TrainConfig, TrainingConfig
from humanseg.config.split_config import HoldoutSplit

MakeModel = Callable[..., Path]

TINY_ENCODER = "tu-test_efficientnet"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in a shell's background
    signal.signal(signal.SIGINT, signal.default_int_handler)
# On a busy machine any example may take long; half of the usual number finds the same here.
settings.register_profile("suite", deadline=None, max_examples=50)
settings.load_profile("suite")
LONG = ("training", "docs", "browser", "simulation")
TIERS = ("unit", "contract", "command", "fault", "data", *LONG)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test is of a tier: `unit` unless its file or itself names another.

    Files with tests that take long come first, so that no process waits for the other in the end.
    """
    for item in items:
        if not any(item.get_closest_marker(tier) for tier in TIERS):
            item.add_marker("unit")
    long = {item.path for item in items if any(map(item.get_closest_marker, LONG))}
    items.sort(key=lambda item: item.path not in long)


def draw_pair(seed: int, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """A bright ellipse on a noisy ground, and its mask: learnt within a few epochs."""
    rng = np.random.default_rng(seed)
    height, width = size
    image = Image.fromarray(rng.integers(0, 120, (height, width, 3), dtype=np.uint8))
    mask = Image.new("L", (width, height), 0)
    left, top = int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2))
    box = (left, top, left + width // 3 + seed % 5, top + height // 2)
    ImageDraw.Draw(image).ellipse(box, fill=(250, 230, 200))
    ImageDraw.Draw(mask).ellipse(box, fill=255)
    return image, mask


def draw_folder(root: Path, count: int, size: tuple[int, int] = (72, 56)) -> Path:
    """A data set of `count` drawn pairs in the `folders` layout."""
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, mask = draw_pair(number, size)
        image.save(root / "images" / f"{number:03}.png")
        mask.save(root / "masks" / f"{number:03}.png")
    return root


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("drawn"), 20)


@pytest.fixture
def tiny(drawn: Path) -> TrainConfig:
    """A configuration that trains in about a second."""
    return TrainConfig(
        data=DataConfig(root=drawn),
        split=HoldoutSplit(validation=0.2, test=0.2),
        model=model_settings(
            encoder_name=TINY_ENCODER, encoder_weights="none", image_size=(64, 64)
        ),
        augmentation=AugmentationConfig(affine=0.3),
        training=TrainingConfig(
            epochs=3,
            batch_size=4,
            precision="fp32",
            memory_format="contiguous",
            ema_decay=0.8,
            onnx=False,  # seconds per run; one test writes it
        ),
    )


@pytest.fixture(scope="session")
def grid() -> tuple[int, int]:
    """(height, width) of the network's grid."""
    return GRID


@pytest.fixture(scope="session", name="brightness")
def _brightness() -> Callable[..., NDArray[np.float32]]:
    return brightness


@pytest.fixture(scope="session", name="brightness_onnx")
def _brightness_onnx() -> Callable[..., bytes]:
    return brightness_onnx


@pytest.fixture(scope="session")
def brightness_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with model.onnx, in which bright pixels are people."""
    return write_model(tmp_path_factory.mktemp("models") / "bright", onnx=brightness_onnx())


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Write model directories into the test's own folder."""
    made = iter(range(1000))

    def make(**settings: object) -> Path:
        return write_model(tmp_path / f"model-{next(made)}", **settings)  # type: ignore[arg-type]

    return make
