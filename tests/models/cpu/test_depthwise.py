from __future__ import annotations

import copy

import torch
from torch import nn

from humanseg.models.cpu import optimise_for_cpu_training
from humanseg.models.cpu.depthwise import keep_depthwise_in_float32


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(4, 4, 3, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4),
        nn.Conv2d(4, 4, 5, padding=2, groups=4),
        nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=4),
    )


def test_keep__changes_only_the_slow_ones() -> None:
    network = _network()
    keep_depthwise_in_float32(network)
    changed = [number for number, module in enumerate(network) if type(module) is not nn.Conv2d]
    assert changed == [2, 3, 4]
    images = torch.rand(1, 4, 16, 16).bfloat16()
    for number, module in enumerate(network):
        with torch.autocast("cpu", torch.bfloat16):
            found = module(images)
        exact = module(images.float())  # without autocast, all compute in float32
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, exact.bfloat16()) == (number in (2, 3, 4))


def test_keep__leaves_weights_names_and_float32_results() -> None:
    network, untouched = _network(), _network()
    keep_depthwise_in_float32(network)
    assert list(network.state_dict()) == list(untouched.state_dict())
    images = torch.rand(1, 4, 16, 16)
    assert torch.equal(network(images), untouched(images))


def test_keep__a_copy_uses_its_own_weights() -> None:
    network = _network()
    keep_depthwise_in_float32(network)
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    images = torch.rand(1, 4, 16, 16)
    assert network(images).abs().sum() > 0
    assert twin(images).abs().sum() == 0


def test_keep__gradients_reach_every_weight() -> None:
    network = _network()
    keep_depthwise_in_float32(network)
    with torch.autocast("cpu", torch.bfloat16):
        network(torch.rand(1, 4, 16, 16)).float().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_keep__subgrids_are_computed_in_float32_too() -> None:
    torch.manual_seed(0)
    dilated = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=4)
    images = torch.rand(2, 4, 8, 8).bfloat16()
    wanted = dilated(images.float()).bfloat16()
    network = nn.Sequential(dilated)
    optimise_for_cpu_training(network, bf16=True)
    odd = torch.rand(1, 4, 7, 8).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(images), wanted)
        assert network(odd).dtype == torch.bfloat16
