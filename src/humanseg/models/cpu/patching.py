"""Other ways to compute a layer, for the time of a training."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode


def mix_in(module: nn.Module, mixin: type) -> None:
    """Have a module, and copies of it, compute by `mixin.forward`, which may call `super()`.

    Its weights and their names stay; a second time changes nothing. Not a new `forward` on the
    instance: a deep copy of that would call the original's weights.
    """
    kind = type(module)
    if issubclass(kind, mixin):
        return
    module.__class__ = type(kind.__name__, (mixin, kind), {"swapped": kind})


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


class RedirectFunction(TorchFunctionMode):
    """Inside this block, calls of one torch function go to another with the same arguments."""

    def __init__(self, function: Callable[..., Any], target: Callable[..., Any]) -> None:
        """Send calls of `function` to `target`."""
        super().__init__()
        self._function = function
        self._target = target

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401  torch's own types
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Redirect the one function, let everything else through."""
        chosen = self._target if func is self._function else func
        return chosen(*args, **(kwargs or {}))
