"""The training loss, of the pictures of all processes that train together."""

from __future__ import annotations

import torch
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor, nn

from humanseg.config.schema import LossConfig
from humanseg.training.distributed import all_reduce_sum

_EPSILON = 1e-7
_TEACHER_SHARE = 0.5
_IGNORED = 255


def soft_dice_loss(logits: Tensor, masks: Tensor, *, per_image: bool = False) -> Tensor:
    """One minus the soft Dice score (Milletari et al. 2016, linear denominator), 0 to 1.

    Of logits (N, 1, H, W) and masks as `split_masks` takes them, 1 person and 0 background;
    `per_image` averages over pictures instead of pooling the batch. A scalar, the same in every
    process. Pictures (or batches) without a person contribute 0, as in segmentation-models-pytorch.
    """
    # Dice = 2 |A and B| / (|A| + |B|), with probabilities for A. Over a batch it is no mean of
    # its parts, so the three sums, not their quotients, are added up over the processes.
    dims = (1, 2, 3) if per_image else (0, 1, 2, 3)
    probabilities = torch.sigmoid(logits)
    masks, counted = split_masks(masks)
    if counted is not None:
        probabilities, masks = probabilities * counted, masks * counted
    sums = [
        (probabilities * masks).sum(dims),
        (probabilities + masks).sum(dims),
        masks.sum(dims),
    ]
    intersection, cover, person = sums if per_image else all_reduce_sum(torch.stack(sums))
    loss = 1.0 - 2.0 * intersection / cover.clamp_min(_EPSILON)
    loss = loss * (person > 0).to(loss.dtype)
    return mean(loss) if per_image else loss


def lovasz_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Lovász hinge, the mean over pictures: a scalar, the same in every process.

    Berman, Triki and Blaschko, The Lovász-Softmax loss, CVPR 2018, as segmentation-models-pytorch
    computes it, of logits (N, 1, H, W) and masks as `split_masks` takes them.
    """
    masks, counted = split_masks(masks)
    if counted is not None:
        masks = masks.masked_fill(counted == 0, _IGNORED)
    of_picture = LovaszLoss("binary", per_image=False, ignore_index=_IGNORED)
    pairs = zip(logits.split(1), masks.split(1), strict=True)
    return mean(torch.stack([of_picture(*pair) for pair in pairs]))


def split_masks(masks: Tensor) -> tuple[Tensor, Tensor | None]:
    """Where there is a person, and which pixels count, both (N, 1, H, W); None: all.

    Of masks (N, 1, H, W), or (N, 2, H, W), whose second channel marks pixels that are ignored.
    """
    ignored = masks[:, 1:]
    return masks[:, :1], (ignored == 0).to(masks.dtype) if ignored.shape[1] else None


def mean(values: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean over the values of all processes, which need not have equally many.

    Of those that are `counted`, 1 or 0 each; all without it.
    """
    count = values.new_full((), values.numel()) if counted is None else counted.sum()
    total = values.sum() if counted is None else (values * counted).sum()
    sums = all_reduce_sum(torch.stack([total, count]))
    return sums[0] / sums[1]


class SegmentationLoss(nn.Module):
    """Weighted sum of soft Dice loss, binary cross-entropy and the Lovász hinge."""

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self._config = config
        share = config.teacher_share
        self._teacher_share = _TEACHER_SHARE if share is None else share

    def forward(self, logits: Tensor, masks: Tensor, taught: Tensor | None = None) -> Tensor:
        """Loss of logits (N, 1, H, W) and masks, see `split_masks`, of any dtype, in float32.

        `taught` are a teacher's probabilities, (N, 1, H, W): a share of what cross-entropy is
        measured against (Hinton et al. 2015, at temperature 1).
        """
        logits, masks = logits.float(), masks.float()
        dice = soft_dice_loss(logits, masks, per_image=self._config.dice_per_image)
        target, counted = split_masks(masks)
        if taught is not None:
            target = torch.lerp(target, taught.float(), self._teacher_share)
        entropy = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        bce = mean(entropy, counted)
        loss: Tensor = self._config.dice * dice + self._config.bce * bce
        if self._config.lovasz > 0:
            loss = loss + self._config.lovasz * lovasz_loss(logits, masks)
        return loss
