"""Other ways to compute a layer, for the time of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.overrides import TorchFunctionMode


def stand_before(module: nn.Module, mixin: type) -> None:
    """Have a module compute by `mixin.forward`, which may call its own by `super()`.

    Its weights and their names stay; a second time changes nothing. Not a new `forward` on the
    instance: a deep copy of that would call the original's weights.

    Args:
        module: changed in place; copies of it are changed too.
        mixin: a class with a `forward`.
    """
    kind = type(module)
    if issubclass(kind, mixin):
        return
    module.__class__ = type(kind.__name__, (mixin, kind), {"swapped": kind})


def restore(network: nn.Module) -> None:
    """Take back every `stand_before`, so that what is saved and exported is the plain network."""
    for module in network.modules():
        while "swapped" in vars(type(module)):
            module.__class__ = vars(type(module))["swapped"]


class Calling(TorchFunctionMode):
    """Inside this block, calls of one torch function go to another with the same arguments."""

    def __init__(self, instead_of: Callable[..., Any], function: Callable[..., Any]) -> None:
        super().__init__()
        self._instead_of = instead_of
        self._function = function

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,  # noqa: ANN401  torch's own types
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Divert the one function, let everything else through."""
        chosen = self._function if func is self._instead_of else func
        return chosen(*args, **(kwargs or {}))
