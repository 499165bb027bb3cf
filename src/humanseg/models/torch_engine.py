"""Run a network for the predictor."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.models.network import SegmentationNetwork


class TorchBackend:
    """A network as the predictor wants it: uint8 pictures in, float32 probabilities out."""

    def __init__(self, network: SegmentationNetwork, *, device: str = "cpu") -> None:
        """Take a network to `device`, in evaluation mode and full precision."""
        self._device = torch.device(device)
        self._network = network.to(self._device).eval()

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch.

        Args:
            images: uint8 (N, H, W, 3) RGB on the network's grid.

        Returns:
            float32 (N, H, W), 0 to 1.
        """
        # A copy: decoded pictures may be read-only, which PyTorch does not know.
        batch = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            logits = self._network(batch.to(self._device))
            probabilities = torch.sigmoid(logits.float())[:, 0]
        return np.asarray(probabilities.cpu().numpy(), dtype=np.float32)
