"""Other ways to compute a layer, for the time of a training."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Any

from torch import nn


def mix_in(
    network: nn.Module,
    kind: type[nn.Module] | UnionType,
    mixin: type,
    *,
    where: Callable[[Any], bool] = lambda _: True,
) -> None:
    """Have modules of a kind, and copies of them, compute by `mixin.forward`.

    It may call `super()`, which is the module's own class. Weights and their names stay; a second
    time changes nothing. Not a new `forward` on the instance: a deep copy of that would call the
    original's weights.
    """
    for module in network.modules():
        if isinstance(module, kind) and not isinstance(module, mixin) and where(module):
            own = type(module)
            module.__class__ = type(own.__name__, (mixin, own), {"swapped": own})


def check_arguments(method: Callable[..., Any], *names: str) -> None:
    """See that a library's method still takes what its replacement takes.

    Raises:
        TypeError: it takes others.
    """
    taken = list(inspect.signature(method).parameters)[1:]
    if taken != [*names]:
        raise TypeError(f"{method.__qualname__} takes {', '.join(taken)}, not {', '.join(names)}")


def restore(network: nn.Module) -> None:
    """Take back every `mix_in`, so that what is saved and exported is the plain network."""
    for module in network.modules():
        while "swapped" in vars(type(module)):
            module.__class__ = vars(type(module))["swapped"]
