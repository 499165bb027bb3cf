from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch

from humanseg.config.schema import LossConfig
from humanseg.training.losses import SegmentationLoss, lovasz_loss, soft_dice_loss


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


@pytest.mark.parametrize(
    ("share", "expected"),
    [(None, 0.8369882), (0.5, 0.8369882), (0.25, 0.5623351), (1.0, 1.3862944)],
)
def test_cross_entropy__takes_a_share_of_its_target_from_a_teacher(
    share: float | None, expected: float
) -> None:
    """Where network and mask say a person, at 0.75, and the teacher does not.

    -t ln 0.75 - (1 - t) ln 0.25 for t = 0.5, 0.75 and 0.
    """
    config = LossConfig(dice=0.0, teacher="some", teacher_share=share)
    logits = torch.full((2, 1, 3, 5), 1.0986123)
    loss = SegmentationLoss(config)(logits, torch.ones(2, 1, 3, 5), torch.zeros(2, 1, 3, 5))
    assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_teacher__has_no_say_where_pixels_are_ignored() -> None:
    config = LossConfig(dice=0.0, teacher="some", teacher_share=1.0)
    masks = torch.tensor([[[[1.0, 1.0]], [[0.0, 1.0]]]])  # the second pixel is ignored
    taught = torch.tensor([[[[1.0, 0.0]]]])
    loss = SegmentationLoss(config)(torch.full((1, 1, 1, 2), 1.0986123), masks, taught)
    assert loss.item() == pytest.approx(0.2876821, abs=1e-6)  # -ln 0.75


@pytest.mark.parametrize("per_image", [False, True])
def test_dice__empty_masks_are_finite(per_image: bool) -> None:
    logits = torch.full((2, 1, 4, 4), -200.0, requires_grad=True)
    loss = soft_dice_loss(logits, torch.zeros(2, 1, 4, 4), per_image=per_image)
    loss.backward()
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("ignoring", [False, True])
def test_lovasz__is_the_mean_over_pictures(ignoring: bool) -> None:
    """By hand, for a picture with a person in its first pixel and one without anybody.

    Errors of the first are -1 and 1.5. From the largest on, IoU falls from 1 to 1/2 and to 0, so
    1.5 counts one half: 0.75. Without a person the largest error counts wholly: 1.2.
    """
    logits = torch.tensor([[2.0, 0.5, 9.0], [0.2, -3.0, 9.0]])[:, None, None]
    masks = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])[:, None, None]
    if ignoring:
        ignored = torch.tensor([0.0, 0.0, 1.0]).expand(2, 1, 1, 3)
        masks = torch.cat([masks, ignored], dim=1)
    else:
        logits, masks = logits[..., :2], masks[..., :2]
    assert lovasz_loss(logits, masks).item() == pytest.approx(0.975)
    config = LossConfig(dice=0.0, bce=0.0, lovasz=2.0)
    assert SegmentationLoss(config)(logits, masks).item() == pytest.approx(1.95)


def test_loss__accepts_bf16_logits() -> None:
    logits, masks = _batch()
    loss = SegmentationLoss(LossConfig())(logits.bfloat16(), masks)
    assert loss.dtype == torch.float32
