"""The interface of what runs a network, and the way to the engine that stands above: torch's.

There is one class per runtime: `OnnxRuntimeEngine` and `OpenVinoEngine` beside this module, and
`TorchEngine` in `humanseg.models`, which needs the extra `train` and so is not imported from here.
It is registered as an entry point of the group `humanseg.engines` instead, and is looked up only
when torch is asked for or chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.system.errors import UsageError, first_line

EngineName = Literal["onnxruntime", "openvino", "torch"]
Precision = Literal["fp32", "bf16", "int8"]

BatchFunction: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From uint8 (N, H, W, 3) RGB on the network's grid to float32 (N, H, W), 0 to 1."""


@dataclass(frozen=True)
class Engine:
    """What runs the network, as it really is, not as it was asked for.

    May be called from several threads at once, the first time too.
    """

    name: str
    """The runtime: `onnxruntime`, `openvino`, `torch`, or `function`."""
    precision: Precision
    device: str
    """`cpu`, `cuda`, or as torch names one, such as `cuda:1`."""
    threads: int
    """Processor threads for one image."""
    image_size: Size
    """(height, width) of the network's grid."""
    reason: str
    """Why this engine, in words."""

    @property
    def way(self) -> dict[str, Any]:
        """By what `open_engine` opens it again: backend, precision, device, threads."""
        return {
            "backend": self.name,
            "precision": self.precision,
            "device": self.device,
            "threads": self.threads,
        }

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities (N, H, W), float32, of uint8 RGB (N, H, W, 3) on the network's grid.

        From 0 to 1, in an array of the caller's own.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class FunctionEngine(Engine):
    """A network that is any function: somebody else's, or a file that no other engine opens."""

    function: BatchFunction = field(repr=False)

    @classmethod
    def of(cls, function: BatchFunction, image_size: Size) -> FunctionEngine:
        """Wrap a function, which computes on the CPU in float32; see `BatchFunction`.

        It must be thread-safe if the engine is used by several threads.
        """
        return cls("function", "fp32", "cpu", 1, image_size, "given", function)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        return self.function(images)


def torch_opener() -> Callable[..., Engine]:
    """`humanseg.models.torch_engine.open_torch`, by its entry point."""
    registered = entry_points(group="humanseg.engines", name="torch")
    if not registered:
        raise UsageError(
            "backend torch: this installation of humanseg does not register it, as when it runs "
            "from its sources without having been installed; install it: pip install "
            '"humanseg[train]", or pip install -e ".[train]" in a checkout.'
        )
    try:
        opener: Callable[..., Engine] = next(iter(registered)).load()
    except ModuleNotFoundError as error:
        raise UsageError(
            f"backend torch: {error.name} is not installed; install it with: "
            'pip install "humanseg[train]"'
        ) from error
    return opener


def cannot_run(file: str, runtime: str, error: Exception) -> str:
    """The sentence for a file that a runtime refuses."""
    return (
        f"{file}: {runtime} cannot run it ({first_line(error)}). Copy the file again, or make it "
        "anew with `humanseg export`."
    )
