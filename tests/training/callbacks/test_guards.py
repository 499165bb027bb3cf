"""Every guard is shown the mistake that it is there for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from benchmarks.planted_training import LaterMistake
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from tests.builders.configurations import changed

from humanseg.config.schema import TrainConfig
from humanseg.data.resized import Pixels, ResizedImages
from humanseg.evaluation.metrics import score_image, summarise
from humanseg.models import SegmentationNetwork, build_network
from humanseg.system.errors import GuardError
from humanseg.training.batches import Batch, batches_of_parts
from humanseg.training.callbacks.guards import (
    TrainingGuards,
    check_augmentation,
    check_moved,
    check_optimiser,
    check_scored,
    copy_weights,
)
from humanseg.training.module import SegmentationModule

pytestmark = pytest.mark.training


def _network(config: TrainConfig, arch: str = "unet") -> SegmentationNetwork:
    return build_network(changed(config, model={"arch": arch}).model)


class _Squares(ResizedImages):
    """Bright squares on a noisy ground, as `ResizedImages`."""

    size = (64, 64)
    ignoring = False
    ids = tuple(f"picture-{number}" for number in range(8))

    def __init__(self) -> None:
        pass

    def prepare(self, rows: Sequence[int], progress: object = None) -> None:
        pass

    def get(self, rows: Sequence[int]) -> Pixels:
        rng = np.random.default_rng(0)
        masks = np.zeros((len(rows), *self.size), dtype=bool)
        masks[:, 16:48, 16:48] = True
        images = rng.integers(0, 100, (len(rows), *self.size, 3), dtype=np.uint8)
        images[masks] += 150
        return Pixels(images, masks)


def _fit(module: SegmentationModule, config: TrainConfig, folder: Path, *, epochs: int = 1) -> None:
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        default_root_dir=folder,
        callbacks=[TrainingGuards()],
    )
    trainer.fit(module, *batches_of_parts(_Squares(), config, train=range(8)))


class _PublishedMistake(SegmentationModule):
    """`optimizer_deeplab = torch.optim.Adam(model_fpn.parameters(), ...)`."""

    def __init__(
        self, network: SegmentationNetwork, fpn: SegmentationNetwork, config: TrainConfig
    ) -> None:
        super().__init__(network, config)
        self._others = list(fpn.parameters())

    def configure_optimizers(self) -> OptimizerLRScheduler:
        return torch.optim.Adam(self._others, lr=0.003)


class _AtRest(SegmentationModule):
    """At the end of its schedule from the beginning."""

    def rate_share(self, step: int) -> float:
        return 0.0


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:`isinstance")
class TestInTraining:
    @pytest.mark.parametrize(
        ("mistake", "sentence"),
        [
            ("another optimiser", "not the network's"),
            ("parameters dropped", "it lacks"),
            ("rate of zero", "learning rate is 0 after 2 steps, where the schedule says"),
            ("encoder frozen", r"Only [\d,]+ of [\d,]+ weights are trained"),
            ("loss times 0", "got no gradient in epoch 2"),
            ("wrong sign", "its sign is wrong"),
            ("average not updated", "moving average of the weights did not move in epoch 2"),
            ("evaluation mode", r"\d+ layers are in evaluation mode"),
            ("images flipped alone", "Augmentation moves images and masks apart"),
            ("masks one pixel off", r"\d.\d% of the pixels .* labelled wrongly in epoch 2"),
            ("masks of other images", "Augmentation moves images and masks apart"),
        ],
    )
    def test_later_mistake__is_caught(
        self, mistake: str, sentence: str, tiny: TrainConfig, tmp_path: Path
    ) -> None:
        module = LaterMistake(_network(tiny), tiny, mistake)
        with pytest.raises(GuardError, match=sentence):
            _fit(module, tiny, tmp_path, epochs=3)

    def test_honest_epochs__pass(self, tiny: TrainConfig, tmp_path: Path) -> None:
        _fit(LaterMistake(_network(tiny), tiny, "none"), tiny, tmp_path, epochs=3)

    def test_frozen_from_the_start__is_caught(self, tiny: TrainConfig, tmp_path: Path) -> None:
        network = _network(tiny)
        network.network.get_submodule("encoder").requires_grad_(False)
        with pytest.raises(GuardError, match="which no setting asks for"):
            _fit(SegmentationModule(network, tiny), tiny, tmp_path)

    def test_published_mistake__is_caught(self, tiny: TrainConfig, tmp_path: Path) -> None:
        deeplab, fpn = _network(tiny, "deeplabv3plus"), _network(tiny, "fpn")
        with pytest.raises(GuardError, match="not the network's; it lacks"):
            _fit(_PublishedMistake(deeplab, fpn, tiny), tiny, tmp_path)

    def test_honest_run__passes(self, tiny: TrainConfig, tmp_path: Path) -> None:
        _fit(SegmentationModule(_network(tiny), tiny), tiny, tmp_path)

    @pytest.mark.parametrize("count", [3, 5, 16])
    def test_augmentation_of_smaller_images__passes(self, count: int, tiny: TrainConfig) -> None:
        """Whatever the number of images: no edge of what is shown lies within a pixel."""
        smaller = {"epochs": 2, "early_size": (32, 32), "early_share": 0.5}
        changes = {"affine": 1.0, "scale": (0.3, 3.0), "rotate": 180.0}
        config = changed(tiny, training=smaller, augmentation=changes)
        module = SegmentationModule(_network(config), config)
        images = torch.zeros(count, 3, 64, 64, dtype=torch.uint8)
        batch = Batch(image=images, mask=images[:, :1] > 0, ids=[], shard=(0, count))
        for epoch in range(1, 21):
            check_augmentation(module, batch, epoch=epoch)

    def test_epoch_without_a_rate_to_speak_of__need_not_move(
        self, tiny: TrainConfig, tmp_path: Path
    ) -> None:
        _fit(_AtRest(_network(tiny), tiny), tiny, tmp_path)

    def test_detached_decoder__is_caught(self, tiny: TrainConfig, tmp_path: Path) -> None:
        """Parameters that the optimiser holds but that no gradient reaches do not move."""
        network = _network(tiny)
        for block in network.network.get_submodule("decoder").parameters():
            block.register_hook(torch.zeros_like)
        with pytest.raises(GuardError, match="did not move in epoch 1"):
            _fit(SegmentationModule(network, tiny), tiny, tmp_path)

    def test_weight_decay_alone__is_caught(self, tiny: TrainConfig, tmp_path: Path) -> None:
        """Decay moves weights that no gradient reaches."""
        values = tiny.model_dump()
        values["optimiser"] |= {"name": "adamw", "weight_decay": 0.1}
        config = TrainConfig.model_validate(values)
        network = _network(config)
        for parameter in network.network.get_submodule("decoder").parameters():
            parameter.register_hook(torch.zeros_like)
            parameter.data += 0.01  # decay leaves zeros where they are
        with pytest.raises(GuardError, match="got no gradient in epoch 1"):
            _fit(SegmentationModule(network, config), config, tmp_path)

    def test_not_finite_gradient__names_the_pictures(
        self, tiny: TrainConfig, tmp_path: Path
    ) -> None:
        network = _network(tiny)
        first = next(iter(network.parameters()))
        first.register_hook(lambda g: g * float("nan"))
        with pytest.raises(GuardError, match=r"not finite in the batch of picture-\d"):
            _fit(SegmentationModule(network, tiny), tiny, tmp_path)

    def test_not_finite_loss__names_the_pictures(self, tiny: TrainConfig, tmp_path: Path) -> None:
        network = _network(tiny)
        with torch.no_grad():
            next(iter(network.network.get_submodule("segmentation_head").parameters())).fill_(
                float("inf")
            )
        with pytest.raises(GuardError, match=r"not finite in the batch of picture-\d"):
            _fit(SegmentationModule(network, tiny), tiny, tmp_path)


class TestOptimiser:
    def test_missing_parameters(self, tiny: TrainConfig) -> None:
        network = _network(tiny)
        encoder = network.network.get_submodule("encoder")
        with pytest.raises(GuardError, match="it lacks"):
            check_optimiser(network, torch.optim.Adam(encoder.parameters()))

    def test_frozen_parameters_must_not_be_held(self, tiny: TrainConfig) -> None:
        network = _network(tiny)
        optimiser = torch.optim.Adam(network.parameters())
        check_optimiser(network, optimiser)
        next(iter(network.parameters())).requires_grad_(False)
        with pytest.raises(GuardError, match="1 parameters that are not the network's"):
            check_optimiser(network, optimiser)


def test_moved__counts_what_stood_still(tiny: TrainConfig) -> None:
    network = _network(tiny)
    before = copy_weights(network)
    with torch.no_grad():
        for parameter in list(network.parameters())[1:]:
            parameter.add_(1.0)
    with pytest.raises(GuardError, match=r"^1 trainable parameters did not move"):
        check_moved(network, before, epoch=1)


def test_scored__nobody_to_find_fails() -> None:
    empty = np.zeros((10, 10), dtype=bool)
    summary = summarise([score_image("a", empty, empty)])
    with pytest.raises(GuardError, match="No test picture has a person"):
        check_scored(summary)
