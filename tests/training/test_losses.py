from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch

from humanseg.config.schema import LossConfig
from humanseg.training.losses import SegmentationLoss, soft_dice_loss


def _batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 9, 11, generator=generator)
    return logits, (torch.rand(4, 1, 9, 11, generator=generator) < 0.3).float()


def test_dice__equals_smp_when_pooled() -> None:
    logits, masks = _batch()
    expected = smp.losses.DiceLoss(mode="binary")(logits, masks)
    torch.testing.assert_close(soft_dice_loss(logits, masks), expected)


def test_dice__per_image_averages_single_pictures() -> None:
    logits, masks = _batch()
    single = [soft_dice_loss(logits[i : i + 1], masks[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(
        soft_dice_loss(logits, masks, per_image=True), torch.stack(single).mean()
    )


def test_loss__is_the_published_sum() -> None:
    logits, masks = _batch()
    expected = smp.losses.DiceLoss(mode="binary")(
        logits, masks
    ) + torch.nn.functional.binary_cross_entropy_with_logits(logits, masks)
    torch.testing.assert_close(SegmentationLoss(LossConfig())(logits, masks.bool()), expected)


@pytest.mark.parametrize("per_image", [False, True])
def test_dice__empty_masks_are_finite(per_image: bool) -> None:
    logits = torch.full((2, 1, 4, 4), -200.0, requires_grad=True)
    loss = soft_dice_loss(logits, torch.zeros(2, 1, 4, 4), per_image=per_image)
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_loss__accepts_bf16_logits() -> None:
    logits, masks = _batch()
    loss = SegmentationLoss(LossConfig())(logits.bfloat16(), masks)
    assert loss.dtype == torch.float32
