"""Where guards begin to speak, and what they say, by hand and without a training."""

from __future__ import annotations

import math
from typing import cast

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import nn

from humanseg.models import SegmentationNetwork
from humanseg.system.errors import GuardError
from humanseg.training.callbacks.guards import (
    TrainingGuards,
    check_moved,
    check_optimiser,
    check_rates,
    check_trainable,
    copy_weights,
)


def _two_layers() -> nn.Module:
    """Parameters 0.weight (3, 2), 0.bias (3,), 1.weight (1, 3), 1.bias (1,): 13 weights."""
    return nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))


def _sentence(caught: pytest.ExceptionInfo[GuardError]) -> str:
    return str(caught.value)


def test_optimiser__says_everything_that_is_wrong_with_it() -> None:
    network, other = _two_layers(), _two_layers()
    held = list(network.parameters())
    check_optimiser(network, torch.optim.SGD(held, lr=0.1))
    optimiser = torch.optim.SGD([held[0], *other.parameters()], lr=0.1)
    optimiser.param_groups[0]["params"].append(held[0])
    with pytest.raises(GuardError) as caught:
        check_optimiser(network, optimiser)
    assert _sentence(caught) == (
        "The optimiser would not train this network: it holds 4 parameters that are not the "
        "network's; it lacks 3 of the network's (0.bias, 1.weight, 1.bias); it holds some "
        "parameters twice. Build it from the parameters of the network that is trained."
    )


def test_trainable__counts_weights_and_knows_the_unused() -> None:
    network = cast(SegmentationNetwork, _two_layers())
    network.unused_parameters = frozenset({"1.bias"})
    network.get_parameter("1.bias").requires_grad_(False)
    check_trainable(network)
    network.get_parameter("0.weight").requires_grad_(False)
    with pytest.raises(GuardError) as caught:
        check_trainable(network)
    assert _sentence(caught) == (
        "Only 7 of 13 weights are trained: 1 parameters are frozen (0.weight), which no setting "
        "asks for. Leave requires_grad True."
    )


def test_moved__one_weight_of_a_parameter_is_enough() -> None:
    network = _two_layers()
    network.get_parameter("1.bias").requires_grad_(False)
    before = copy_weights(network)
    assert list(before) == ["0.weight", "0.bias", "1.weight"]
    with torch.no_grad():
        network.get_parameter("0.weight")[2, 1] += 1
        network.get_parameter("1.weight")[0, 0] -= 1
    with pytest.raises(GuardError) as caught:
        check_moved(network, before, epoch=4)
    assert _sentence(caught) == (
        "1 trainable parameters did not move in epoch 4 (0.bias): the network is not being trained."
    )
    with torch.no_grad():
        network.get_parameter("0.bias")[0] += 1
    check_moved(network, before, epoch=4)


def test_rates__may_differ_by_a_thousandth() -> None:
    layers = [{"params": layer.parameters()} for layer in _two_layers().children()]
    optimiser = torch.optim.SGD(layers, lr=0.1)
    optimiser.param_groups[1]["lr"] = 0.02
    check_rates(optimiser, [0.1, 0.02], step=7)
    check_rates(optimiser, [0.10009, 0.019981], step=7)
    for expected in ([0.1002, 0.02], [0.1, 0.01996]):
        with pytest.raises(GuardError, match="after 7 steps, where the schedule says"):
            check_rates(optimiser, expected, step=7)
    with pytest.raises(GuardError) as caught:
        check_rates(optimiser, [0.1, 0.03], step=7)
    assert _sentence(caught) == (
        "The learning rate is 0.02 after 7 steps, where the schedule says 0.03: something else "
        "changes the optimiser. Leave it to the schedule."
    )
    optimiser.param_groups[0]["lr"] = 0.0
    check_rates(optimiser, [1e-13, 0.02], step=7)
    with pytest.raises(GuardError, match=r"is 0 after 7 steps, where the schedule says 1e-11"):
        check_rates(optimiser, [1e-11, 0.02], step=7)


def _after_batches(*losses: float) -> TrainingGuards:
    """Guards that have seen batches of pictures a0 and b0, a1 and b1, and so on."""
    guards, trainer = TrainingGuards(), cast(Trainer, None)
    module = LightningModule()
    for number, loss in enumerate(losses):
        batch = {"ids": [f"a{number}", f"b{number}"]}
        later = number + 1  # than the first of an epoch, with which the augmentation is tried
        guards.on_train_batch_start(trainer, module, batch, later)  # type: ignore[arg-type]
        guards.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, batch, number)
    return guards


def test_loss__of_zero_is_fine_and_below_it_is_not() -> None:
    _after_batches(2.5, 0.0)
    with pytest.raises(GuardError) as caught:
        _after_batches(0.5, -0.25)
    assert _sentence(caught) == (
        "The loss is -0.25 in the batch of a1, b1, and no loss here can be below zero: its sign is "
        "wrong, so the network learns the opposite."
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_loss__that_is_not_finite_names_the_pictures(value: float) -> None:
    with pytest.raises(GuardError) as caught:
        _after_batches(0.5, 0.5, value)
    assert _sentence(caught) == (
        "Loss or gradient is not finite in the batch of a2, b2. Lower optimiser.learning_rate or "
        "train with training.precision fp32; check these pictures."
    )
