"""`humanseg` with one mistake planted in its training, from the second epoch on.

    python -m benchmarks.planted_training MISTAKE train --data FOLDER -o RUN ...

Each is a mistake that somebody could make in a change to the loop; the guards on training are to
name it. `benchmarks.planted` runs them all.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from humanseg.cli import main
from humanseg.config.schema import TrainConfig
from humanseg.models import SegmentationNetwork, build_network
from humanseg.training import fitting
from humanseg.training.batches import Batch
from humanseg.training.module import SegmentationModule

MISTAKES = (
    "another optimiser",
    "parameters dropped",
    "rate of zero",
    "encoder frozen",
    "loss times 0",
    "wrong sign",
    "average not updated",
    "evaluation mode",
    "images flipped alone",
    "masks one pixel off",
    "masks of other images",
)


class LaterMistake(SegmentationModule):
    """Goes wrong from its second epoch on."""

    def __init__(self, network: SegmentationNetwork, config: TrainConfig, mistake: str) -> None:
        """One of `MISTAKES`, or none of them."""
        super().__init__(network, config)
        self._mistake = mistake

    def on_train_epoch_start(self) -> None:
        """See `SegmentationModule`; then spoil the optimiser or the network."""
        super().on_train_epoch_start()
        if self.current_epoch == 0:
            return
        optimiser = self.trainer.optimizers[0]
        if self._mistake == "another optimiser":
            weightless = self._config.model.model_copy(update={"encoder_weights": "none"})
            other = build_network(weightless)
            self.trainer.optimizers = [torch.optim.Adam(other.parameters(), lr=0.003)]
        elif self._mistake == "parameters dropped":
            optimiser.param_groups[1]["params"].clear()
        elif self._mistake == "rate of zero":
            for group in optimiser.param_groups:
                group["lr"] = 0.0
        elif self._mistake == "encoder frozen":
            self.network.network.get_submodule("encoder").requires_grad_(False)
        elif self._mistake == "evaluation mode":
            self.network.eval()

    def on_train_batch_end(self, *args: object) -> None:
        """See `SegmentationModule`; or leave the moving average as it is."""
        if self._mistake != "average not updated" or self.current_epoch == 0:
            super().on_train_batch_end(*args)

    def augmented(
        self, batch: Batch, generator: torch.Generator, **settings: float
    ) -> tuple[Tensor, Tensor]:
        """See `SegmentationModule`; then part images and masks."""
        images, masks = super().augmented(batch, generator, **settings)
        if self._mistake == "images flipped alone" and self.current_epoch:
            images = images.flip(3)
        elif self._mistake == "masks one pixel off" and self.current_epoch:
            masks = masks.roll(1, 3)
        elif self._mistake == "masks of other images" and self.current_epoch:
            masks = masks.roll(1, 0)
        return images, masks

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """See `SegmentationModule`; then spoil the loss."""
        loss = super().training_step(batch, index)
        factors = {"loss times 0": 0.0, "wrong sign": -1.0}
        return loss * (factors.get(self._mistake, 1.0) if self.current_epoch else 1.0)


def planted(mistake: str, words: list[str]) -> int:
    """Run the command line with the mistake; returns its exit code."""

    def module(network: SegmentationNetwork, config: TrainConfig) -> SegmentationModule:
        return LaterMistake(network, config, mistake)

    vars(fitting)["SegmentationModule"] = module
    return main(words)


if __name__ == "__main__":
    sys.exit(planted(sys.argv[1], sys.argv[2:]))
