"""Torch as an engine: for a network in memory, and for one loaded from a model directory.

Registered in pyproject.toml as the entry point `torch` of the group `humanseg.engines`.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.images.resize import Size
from humanseg.inference.engines.engine import Engine, Precision
from humanseg.models.network import SegmentationNetwork
from humanseg.models.saved import load_network
from humanseg.system.errors import UsageError


@dataclass(frozen=True)
class TorchEngine(Engine):
    """A network in torch."""

    network: SegmentationNetwork = field(repr=False)

    @classmethod
    def of_network(
        cls,
        network: SegmentationNetwork,
        image_size: Size,
        *,
        device: str = "cpu",
        precision: Precision = "fp32",
        reason: str = "a network in memory",
    ) -> TorchEngine:
        """Take a network itself, whose grid is of `image_size`, to a device, in evaluation mode."""
        return cls(
            name="torch",
            precision=precision,
            device=device,
            threads=torch.get_num_threads(),
            image_size=image_size,
            reason=reason,
            network=network.to(torch.device(device)).eval(),
        )

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch; see `Engine`."""
        device = torch.device(self.device)
        # A copy: decoded images may be read-only, which PyTorch does not know.
        batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(device)
        autocast = torch.autocast(device.type, dtype=torch.bfloat16)
        with torch.inference_mode(), autocast if self.precision == "bf16" else nullcontext():
            probabilities = torch.sigmoid(self.network(batch).float())[:, 0]
        return np.asarray(probabilities.cpu().numpy(), dtype=np.float32)


def open_torch(
    directory: Path,
    *,
    precision: Precision = "fp32",
    device: Literal["cpu", "cuda"] | None = None,
    threads: int | None = None,
    image_size: Size | None = None,
    reason: str = "asked for",
) -> TorchEngine:
    """Load a model directory's weights into torch; in bf16 by autocast.

    The device is by default cuda where there is one, else cpu. Threads are for the whole process,
    as torch knows no other; they are left as they are if None. The image size,
    (height, width) of the grid, is the model's own if None.

    Raises:
        ModelError: the directory cannot be loaded.
        UsageError: torch has no CUDA device.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError(
            "device cuda: torch finds no CUDA device; check the driver and that torch was built "
            "with CUDA (`humanseg doctor` says), or give device cpu."
        )
    network, record = load_network(directory)
    if threads is not None:
        torch.set_num_threads(threads)
    return TorchEngine.of_network(
        network,
        image_size or record.preprocessing.image_size,
        device=device or ("cuda" if available else "cpu"),
        precision=precision,
        reason=reason,
    )
