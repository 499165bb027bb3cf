"""Checks that make a meaningless training fail instead of being published.

They exist because it happened: a published comparison gave DeepLabV3+'s training loop an optimiser
that held another network's parameters. Nothing failed, the network never moved, and its score of
0.2068 was reported as a property of the architecture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from humanseg.errors import GuardError
from humanseg.results import ScoreSummary
from humanseg.training.batches import Batch
from humanseg.training.module import SegmentationModule

_SHOWN = 3  # names in one message


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def check_optimiser(network: nn.Module, optimiser: Optimizer) -> None:
    """The optimiser holds exactly the network's trainable parameters, each once.

    Raises:
        GuardError: it holds parameters of something else, misses some, or holds one twice.
    """
    held = [id(p) for group in optimiser.param_groups for p in group["params"]]
    wanted = {id(p): name for name, p in network.named_parameters() if p.requires_grad}
    foreign = len(set(held) - set(wanted))
    missing = [name for key, name in wanted.items() if key not in set(held)]
    problems = []
    if foreign:
        problems.append(f"it holds {foreign} parameters that are not the network's")
    if missing:
        problems.append(f"it lacks {len(missing)} of the network's ({_some(missing)})")
    if len(held) != len(set(held)):
        problems.append("it holds some parameters twice")
    if problems:
        raise GuardError(
            f"The optimiser would not train this network: {'; '.join(problems)}. "
            "Build it from the parameters of the network that is trained."
        )


def check_moved(network: nn.Module, before: dict[str, Tensor]) -> None:
    """Every trainable parameter differs from its copy in `before`.

    Raises:
        GuardError: some did not move.
    """
    still = [
        name
        for name, parameter in network.named_parameters()
        if parameter.requires_grad and torch.equal(parameter.detach().cpu(), before[name])
    ]
    if still:
        raise GuardError(
            f"{len(still)} trainable parameters did not move in the first epoch "
            f"({_some(still)}): the network is not being trained."
        )


def check_scored(summary: ScoreSummary) -> None:
    """Some test picture has a person, so that there is a per-image score.

    Raises:
        GuardError: none has.
    """
    if summary.iou_mean is None:
        raise GuardError(
            "No test picture has a person in its mask, so the result would mean nothing. Use "
            "pictures with people, or another split.seed."
        )


class TrainingGuards(lightning.Callback):
    """Watches a run; raises `GuardError` as soon as its result could mean nothing."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._before: dict[str, Tensor] | None = None
        self._watched: dict[str, nn.Parameter] = {}
        self._had_gradient: Tensor | None = None
        self._pending: list[tuple[Tensor, list[str]]] = []
        self._ids: list[str] = []

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Check the optimiser and remember the weights."""
        network = _network(module)
        for optimiser in trainer.optimizers:
            check_optimiser(network, optimiser)
        if trainer.current_epoch == 0:
            self._before = {
                name: parameter.detach().cpu().clone()
                for name, parameter in network.named_parameters()
            }
            self._watched = {
                name: parameter
                for name, parameter in network.named_parameters()
                if parameter.requires_grad
            }

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Remember whose batch it is."""
        self._ids = batch["ids"]

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, module: lightning.LightningModule, optimizer: Optimizer
    ) -> None:
        """Check gradients before they reach the weights."""
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        if gradients:
            norm = nn.utils.get_total_norm(gradients)
            self._watch(norm, module)
        if self._watched:
            self._note_gradients(module.device)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        module: lightning.LightningModule,
        outputs: Any,  # noqa: ANN401  Lightning's own type
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Check the loss."""
        self._watch(outputs["loss"], module)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, module: lightning.LightningModule
    ) -> None:
        """Read what was put off, and after the first epoch see that the weights moved."""
        self._read()
        if self._before is not None:
            check_moved(_network(module), self._before)
            self._before = None
        missing = self._without_gradient()
        self._watched = {}
        if missing:
            raise GuardError(
                f"{len(missing)} trainable parameters got no gradient in the first epoch "
                f"({_some(missing)}): they are cut off from the loss."
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

    def _watch(self, value: Tensor, module: lightning.LightningModule) -> None:
        self._pending.append((torch.isfinite(value.detach()), self._ids))
        # On a GPU, reading a flag makes the host wait; once an epoch is enough there.
        if module.device.type == "cpu":
            self._read()

    def _read(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        finite = torch.stack([flag for flag, _ in pending]).tolist()
        for good, (_, ids) in zip(finite, pending, strict=True):
            if not good:
                raise GuardError(
                    "Loss or gradient is not finite in the batch of "
                    f"{', '.join(ids)}. Lower optimiser.learning_rate or train with "
                    "training.precision fp32; check these pictures."
                )


def _network(module: lightning.LightningModule) -> nn.Module:
    if not isinstance(module, SegmentationModule):
        raise TypeError("TrainingGuards watches a SegmentationModule.")
    return module.network
