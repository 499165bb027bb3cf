"""The training loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from humanseg.config import LossConfig

_EPSILON = 1e-7


def soft_dice_loss(logits: Tensor, masks: Tensor, *, per_image: bool = False) -> Tensor:
    """One minus the soft Dice score (Milletari et al. 2016, linear denominator).

    Args:
        logits: (N, 1, H, W).
        masks: (N, 1, H, W), 1 person, 0 background.
        per_image: average over pictures instead of pooling the batch.

    Returns:
        Scalar, 0 to 1. Pictures (or batches) without a person contribute 0, as in
        segmentation-models-pytorch.
    """
    dims = (1, 2, 3) if per_image else (0, 1, 2, 3)
    probabilities = torch.sigmoid(logits)
    intersection = (probabilities * masks).sum(dims)
    total = (probabilities + masks).sum(dims)
    loss = 1.0 - 2.0 * intersection / total.clamp_min(_EPSILON)
    present = (masks.sum(dims) > 0).to(loss.dtype)
    return (loss * present).mean()


class SegmentationLoss(nn.Module):
    """Weighted sum of soft Dice loss and binary cross-entropy."""

    def __init__(self, config: LossConfig) -> None:
        """Take the weights of both terms."""
        super().__init__()
        self._config = config

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Loss of a batch, in float32 whatever the logits' dtype.

        Args:
            logits: (N, 1, H, W).
            masks: (N, 1, H, W), 1 person, 0 background, any dtype.
        """
        logits, masks = logits.float(), masks.float()
        dice = soft_dice_loss(logits, masks, per_image=self._config.dice_per_image)
        bce = nn.functional.binary_cross_entropy_with_logits(logits, masks)
        return self._config.dice * dice + self._config.bce * bce
