"""One network in training: steps, optimiser, schedule, moving average. Writes and draws nothing."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, cast

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor

from humanseg.config.schema import OptimiserConfig, TrainConfig, TrainingConfig
from humanseg.models import SegmentationNetwork
from humanseg.results.scores import iou_of
from humanseg.training.augmentation import augment, shrink
from humanseg.training.batches import Batch
from humanseg.training.distributed import all_reduce_sum
from humanseg.training.losses import SegmentationLoss, split_masks

_RANK_STRIDE = 0x9E3779B97F4A7C15  # far from any step of another process


class RunningScore:
    """Loss and dataset IoU summed on the device; reading them is the only synchronisation."""

    def __init__(self) -> None:
        self._sums: Tensor | None = None

    def add(self, loss: Tensor, logits: Tensor, masks: Tensor) -> None:
        """Count a batch: its mean loss, logits (N, 1, H, W), persons where positive, and masks.

        Masks are bool, as `split_masks` takes them.
        """
        predicted = logits.detach() > 0
        masks, counted = split_masks(masks)
        if counted is not None:
            predicted, masks = predicted & counted, masks & counted
        intersection = (predicted & masks).sum()
        union = (predicted | masks).sum()
        count = intersection.new_full((), len(masks))
        sums = torch.stack([loss.detach().double() * count, intersection, union, count])
        self._sums = sums if self._sums is None else self._sums + sums

    def read(self) -> tuple[float, float] | None:
        """Mean loss and pooled IoU since the last call, None if nothing was counted; then empty.

        Over the batches of all processes, which must all call it.
        """
        sums, self._sums = self._sums, None
        return None if sums is None else _figures(all_reduce_sum(sums))

    def peek(self) -> tuple[float, float] | None:
        """The same so far, over this process's batches, without emptying."""
        return None if self._sums is None else _figures(self._sums)


def _figures(sums: Tensor) -> tuple[float, float]:
    loss, intersection, union, count = sums.tolist()
    return loss / max(count, 1), iou_of(int(intersection), int(union - intersection), 0) or 0.0


def rate_factor(step: int, total: int, config: OptimiserConfig) -> float:
    """Share of the peak learning rate at an optimiser step, counted from 0.

    Linear rise over the first `warmup` share of all steps, then constant or half a cosine to zero
    (Loshchilov and Hutter 2017, without restarts).
    """
    rising = round(config.warmup * total)
    if step < rising:
        return (step + 1) / (rising + 1)
    if config.schedule == "constant":
        return 1.0
    progress = (step - rising) / max(1, total - rising)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


def early_epochs(config: TrainingConfig) -> int:
    """Number of epochs at the smaller size (Howard 2018, "progressive resizing")."""
    return int((config.early_share or 0.0) * config.epochs)


class SegmentationModule(lightning.LightningModule):
    """Configure network, loss and optimiser; then short steps."""

    def __init__(
        self,
        network: SegmentationNetwork,
        config: TrainConfig,
        teacher: SegmentationNetwork | None = None,
    ) -> None:
        """Train `network` in place by `config`, and by what `teacher` sees."""
        super().__init__()
        self.network = network
        self._config = config
        # In a tuple: it is neither trained nor saved.
        self._teachers = () if teacher is None else (teacher.eval().requires_grad_(False),)
        self._loss = SegmentationLoss(config.loss)
        self.training_score = RunningScore()
        self.validation_score = RunningScore()
        self.average: ModelEmaV3 | None = None
        if config.training.ema_decay is not None:
            # torch's `AveragedModel` would wait for a GPU at every step: it asks a counter there.
            self.average = ModelEmaV3(network).requires_grad_(False)
            self.average.train()  # Lightning remarks on what is in evaluation mode at the start

    @property
    def kept(self) -> SegmentationNetwork:
        """The network that would be kept: the moving average, or the raw weights without one."""
        if self.average is None:
            return self.network
        return cast(SegmentationNetwork, self.average.module)

    def on_train_epoch_start(self) -> None:
        """Derive an epoch's randomness from seed and epoch alone, so a resumed run repeats it."""
        self._epoch_seed = (self._config.training.seed * 1_000_003 + self.current_epoch) % 2**48
        self._generator = torch.Generator().manual_seed(self._epoch_seed + 1)
        self.training_score.read()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Loss of one augmented batch."""
        # Dropout draws from the global generator; a resumed run must draw the same. Processes drop
        # different things: each has other pictures.
        step_seed = self._epoch_seed * 65_536 + index + self.global_rank * _RANK_STRIDE
        torch.manual_seed(step_seed % 2**63)
        images, masks = self.augmented(batch, self._generator)
        logits = self.network(images)
        loss: Tensor = self._loss(logits, masks, self._taught(images))
        self.training_score.add(loss, logits, masks)
        return loss

    @torch.no_grad()
    def _taught(self, images: Tensor) -> Tensor | None:
        """The teacher's probabilities, of the changed images that the network sees.

        Beyer et al., Knowledge distillation: a good teacher is patient and consistent, 2022.
        """
        if not self._teachers:
            return None
        (teacher,) = self._teachers
        return torch.sigmoid(teacher(images).float())

    def augmented(
        self, batch: Batch, generator: torch.Generator, **settings: float
    ) -> tuple[Tensor, Tensor]:
        """What network and loss get of a batch, with other settings: see `augment`."""
        config = self._config.augmentation.model_copy(update=settings)
        # In bf16, sampling positions would be off by a quarter of a pixel.
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            images, masks = batch["image"], batch["mask"]
            size = self._config.training.early_size
            if size is not None and self.current_epoch < early_epochs(self._config.training):
                images, masks = shrink(images, masks, size)
            return augment(images, masks, config, generator, shard=batch["shard"])

    def on_train_batch_end(self, *_: object) -> None:
        """Move the average after every optimiser step.

        Early averages follow closely, or they would remember the random decoder for long.
        """
        decay, step = self._config.training.ema_decay, self.global_step
        if self.average is not None and decay is not None:
            early = (1 + step) / (10 + step) if step > 1 else 0.0
            self.average.decay = min(decay, early)
            self.average.update(self.network)

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Score the weights that would be kept."""
        logits = self.kept(batch["image"])
        self.validation_score.add(self._loss(logits, batch["mask"]), logits, batch["mask"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Name the configuration in the checkpoint."""
        checkpoint["config"] = self._config.model_dump(mode="json")

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam or AdamW; the encoder moves at its own share of the rate."""
        config = self._config.optimiser
        encoder = list(self.network.network.encoder.parameters())  # type: ignore[union-attr]
        ids = {id(parameter) for parameter in encoder}
        rest = [parameter for parameter in self.network.parameters() if id(parameter) not in ids]
        groups = [
            {
                "params": [parameter for parameter in parameters if parameter.requires_grad],
                "lr": config.learning_rate * factor,
            }
            for parameters, factor in ((rest, 1.0), (encoder, config.encoder_rate_factor))
        ]
        kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
        optimiser = kind(groups, weight_decay=config.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, self.rate_share)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def rate_share(self, step: int) -> float:
        """Share of the peak learning rate that the schedule gives after so many steps."""
        return rate_factor(step, self._total_steps, self._config.optimiser)

    @cached_property
    def _total_steps(self) -> int:
        return int(self.trainer.estimated_stepping_batches)

    def scheduled_rates(self) -> list[float]:
        """What the schedule says for the decoder and for the encoder now."""
        share = self.rate_share(self.trainer.global_step)
        config = self._config.optimiser
        peaks = (config.learning_rate, config.learning_rate * config.encoder_rate_factor)
        return [peak * share for peak in peaks]


def as_segmentation(module: lightning.LightningModule) -> SegmentationModule:
    """The module that a callback is called with, which Lightning types more widely."""
    if not isinstance(module, SegmentationModule):
        raise TypeError("This callback is for a SegmentationModule.")
    return module
