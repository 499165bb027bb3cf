"""Checks that make a meaningless training fail instead of being published.

They exist because it happened: a published comparison gave DeepLabV3+'s training loop an optimiser
that held another network's parameters. Nothing failed, the network never moved, and its score of
0.2068 was reported as a property of the architecture.

Each `check_...` raises `GuardError` where what its first line says does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.optim import Optimizer

from humanseg.data.training_images import some
from humanseg.models import SegmentationNetwork
from humanseg.results import ScoreSummary
from humanseg.system.errors import GuardError
from humanseg.training.batches import Batch
from humanseg.training.module import SegmentationModule, as_segmentation

_RATE_TOLERANCE = 1e-3  # relative difference from the schedule
_APART = 0.3  # of the pixels that a shift by one column sets apart; rounding makes at most 0.1
_LEAST_RATE = 1e-3  # of the peak: below, single weights may be too large to show a step


def check_optimiser(network: nn.Module, optimiser: Optimizer) -> None:
    """The optimiser holds exactly the network's trainable parameters, each once."""
    held = [id(p) for group in optimiser.param_groups for p in group["params"]]
    wanted = {id(p): name for name, p in network.named_parameters() if p.requires_grad}
    foreign = len(set(held) - set(wanted))
    missing = [name for key, name in wanted.items() if key not in set(held)]
    problems = []
    if foreign:
        problems.append(f"it holds {foreign} parameters that are not the network's")
    if missing:
        problems.append(f"it lacks {len(missing)} of the network's ({some(missing)})")
    if len(held) != len(set(held)):
        problems.append("it holds some parameters twice")
    if problems:
        raise GuardError(
            f"The optimiser would not train this network: {'; '.join(problems)}. "
            "Build it from the parameters of the network that is trained."
        )


def check_trainable(network: SegmentationNetwork) -> None:
    """No parameter that the output depends on is frozen: no setting asks for it."""
    parameters = dict(network.named_parameters())
    frozen = [
        name
        for name, parameter in parameters.items()
        if not parameter.requires_grad and name not in network.unused_parameters
    ]
    if frozen:
        total = sum(parameter.numel() for parameter in parameters.values())
        trained = total - sum(parameters[name].numel() for name in frozen)
        raise GuardError(
            f"Only {trained:,} of {total:,} weights are trained: {len(frozen)} parameters are "
            f"frozen ({some(frozen)}), which no setting asks for. Leave requires_grad True."
        )


def check_training_mode(network: nn.Module) -> None:
    """All layers are in training mode: `load` and `predict` leave networks in the other."""
    resting = [name or "all" for name, layer in network.named_modules() if not layer.training]
    if resting:
        raise GuardError(
            f"{len(resting)} layers are in evaluation mode while the network is trained "
            f"({some(resting)}): their batch statistics stand still. Call network.train()."
        )


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """Every trainable parameter, copied, to see later whether it moved.

    All of it: on a small grid only the middle of a dilated kernel ever gets a gradient, which a
    sample of its weights would miss.
    """
    return {
        name: parameter.detach().clone()
        for name, parameter in network.named_parameters()
        if parameter.requires_grad
    }


def check_moved(network: nn.Module, before: dict[str, Tensor], *, epoch: int) -> None:
    """Every trainable parameter differs from what `copy_weights` copied before the epoch."""
    parameters = dict(network.named_parameters())
    moved = torch.stack(
        [(parameters[name].detach() != weights).any() for name, weights in before.items()]
    ).tolist()  # read at once: on a GPU every reading makes the host wait
    still = [name for name, has_moved in zip(before, moved, strict=True) if not has_moved]
    if still:
        raise GuardError(
            f"{len(still)} trainable parameters did not move in epoch {epoch} "
            f"({some(still)}): the network is not being trained."
        )


def check_rates(optimiser: Optimizer, expected: Sequence[float], *, step: int) -> None:
    """The optimiser's learning rates, one by group, are what the schedule says."""
    for group, rate in zip(optimiser.param_groups, expected, strict=True):
        if not math.isclose(group["lr"], rate, rel_tol=_RATE_TOLERANCE, abs_tol=1e-12):
            raise GuardError(
                f"The learning rate is {group['lr']:.3g} after {step} steps, where the schedule "
                f"says {rate:.3g}: something else changes the optimiser. Leave it to the schedule."
            )


def check_augmentation(module: SegmentationModule, batch: Batch, *, epoch: int) -> None:
    """Image and mask are flipped, turned, scaled and shifted together.

    Shown are images that are their own masks: an L in a place of its own in each, with all changes
    of colour off. Both are sampled alike, so what comes back may only differ by rounding.

    Args:
        module: as it is trained.
        batch: gives number, size and device of the images; its pixels are not used.
        epoch: counted from 1, for the message and the randomness.
    """
    masks = torch.zeros_like(batch["mask"])
    height, width = masks.shape[2:]
    masks[:, 0, height // 8 : height // 2, width // 8 : width // 4] = True
    masks[:, 0, height // 2 : height * 5 // 8, width // 8 : width * 5 // 8] = True
    for index in range(len(masks)):  # by eighths: an edge within a pixel shrinks to either side
        masks[index, 0] = masks[index, 0].roll(index % 8 * (width // 8), dims=1)
    images = 255 * masks[:, :1].expand(-1, 3, -1, -1).to(torch.uint8)
    shown: Batch = {**batch, "image": images, "mask": masks}
    changed, labels = module.augmented(
        shown, torch.Generator().manual_seed(epoch), colour=0.0, grey=0.0, blur=0.0, noise=0.0
    )
    apart = (changed[:, 0] >= 127.5) != labels[:, 0]
    share = apart.float().mean().item()
    if share * apart.shape[2] > _APART:
        raise GuardError(
            f"Augmentation moves images and masks apart: {share:.1%} of the pixels of test images "
            f"were labelled wrongly in epoch {epoch}. Change both in the same way."
        )


def check_scored(summary: ScoreSummary) -> None:
    """Some test picture has a person, so that there is a per-image score."""
    if summary.iou_mean is None:
        raise GuardError(
            "No test picture has a person in its mask, so the result would mean nothing. Use "
            "pictures with people, or another split.seed."
        )


def _sums(network: nn.Module | None) -> Tensor | None:
    """Sums of all parameters, one by one: enough to see that any moved."""
    if network is None:
        return None
    return torch.stack([each.detach().double().sum() for each in network.parameters()])


class TrainingGuards(Callback):
    """Watches a run in every epoch; raises `GuardError` once its result could mean nothing."""

    def __init__(self) -> None:
        self._before: dict[str, Tensor] = {}
        self._watched: dict[str, nn.Parameter] = {}
        self._checked: Optimizer | None = None
        self._had_gradient: Tensor | None = None
        self._pending: list[tuple[Tensor, list[str]]] = []
        self._ids: list[str] = []
        self._average: Tensor | None = None

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Remember the weights."""
        network = as_segmentation(module).network
        check_trainable(network)
        self._checked = self._had_gradient = None
        self._before = copy_weights(network)
        self._average = _sums(as_segmentation(module).average)
        parameters = dict(network.named_parameters())
        self._watched = {name: parameters[name] for name in self._before}

    def on_train_batch_start(
        self, trainer: Trainer, module: LightningModule, batch: Batch, batch_index: int
    ) -> None:
        """Remember whose batch it is, and try the augmentation once an epoch."""
        self._ids = batch["ids"]
        if not batch_index:
            epoch = trainer.current_epoch + 1
            check_augmentation(as_segmentation(module), batch, epoch=epoch)

    def on_before_optimizer_step(
        self, trainer: Trainer, module: LightningModule, optimizer: Optimizer
    ) -> None:
        """Check optimiser, rates and gradients before they reach the weights."""
        if optimizer is not self._checked:  # once an epoch, and whenever it is exchanged
            check_trainable(as_segmentation(module).network)
            check_training_mode(as_segmentation(module).network)
            check_optimiser(as_segmentation(module).network, optimizer)
            self._checked = optimizer
        expected = as_segmentation(module).scheduled_rates()
        check_rates(optimizer, expected, step=trainer.global_step)
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        if gradients:
            self._watch(nn.utils.get_total_norm(gradients), module)
        if self._watched:
            self._note_gradients(module.device)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        module: LightningModule,
        outputs: Any,  # noqa: ANN401  Lightning's own type
        *_: object,
    ) -> None:
        """Check the loss."""
        self._watch(outputs["loss"], module)

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Read what was put off, and see that the weights moved by gradients of their own."""
        epoch = trainer.current_epoch + 1
        self._read()
        network = as_segmentation(module).network
        check_trainable(network)
        if as_segmentation(module).rate_share(trainer.global_step - 1) > _LEAST_RATE:
            check_moved(network, self._before, epoch=epoch)
            average = _sums(as_segmentation(module).average)
            if average is not None and average.equal(cast(Tensor, self._average)):
                raise GuardError(
                    f"The moving average of the weights did not move in epoch {epoch}: what is "
                    "kept and scored is not what is trained. Update it after every step."
                )
        missing = self._without_gradient()
        self._watched = {}
        if missing:
            raise GuardError(
                f"{len(missing)} trainable parameters got no gradient in epoch {epoch} "
                f"({some(missing)}): they are cut off from the loss."
            )

    def _note_gradients(self, device: torch.device) -> None:
        """Remember who has had a gradient: weight decay moves parameters without one too."""
        none = torch.zeros((), dtype=torch.bool, device=device)
        grads = [parameter.grad for parameter in self._watched.values()]
        now = torch.stack([none if grad is None else grad.any() for grad in grads])
        self._had_gradient = now if self._had_gradient is None else self._had_gradient | now
        # Nearly all have one in the first step; on a GPU, asking would make the host wait.
        if device.type == "cpu" and not self._without_gradient():
            self._watched = {}

    def _without_gradient(self) -> list[str]:
        if self._had_gradient is None or not self._watched:
            return list(self._watched)
        had = self._had_gradient.tolist()
        return [name for name, moved in zip(self._watched, had, strict=True) if not moved]

    def _watch(self, value: Tensor, module: LightningModule) -> None:
        self._pending.append((value.detach(), self._ids))
        # On a GPU, reading a value makes the host wait; once an epoch is enough there.
        if module.device.type == "cpu":
            self._read()

    def _read(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        values = torch.stack([value for value, _ in pending]).tolist()
        for value, (_, ids) in zip(values, pending, strict=True):
            if not math.isfinite(value):
                raise GuardError(
                    "Loss or gradient is not finite in the batch of "
                    f"{', '.join(ids)}. Lower optimiser.learning_rate or train with "
                    "training.precision fp32; check these pictures."
                )
            if value < 0:
                raise GuardError(
                    f"The loss is {value:.3g} in the batch of {', '.join(ids)}, and no loss here "
                    "can be below zero: its sign is wrong, so the network learns the opposite."
                )
