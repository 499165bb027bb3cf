"""Padding and sums of segmentation-models-pytorch's blocks with fewer passes over memory."""

from __future__ import annotations

from torch import Tensor, nn

from humanseg.models.cpu.patching import check_arguments, mix_in


def pad_inside(network: nn.Module) -> None:
    """Have convolutions of EfficientNets pad by themselves where SMP pads before them.

    Saves a copy of the feature map per convolution, 3 to 5 % of a step. Only where both sides are
    padded alike; stays for good, as the results are the same to the last bit.
    """
    from segmentation_models_pytorch.encoders._efficientnet import Conv2dStaticSamePadding

    for module in network.modules():
        if isinstance(module, Conv2dStaticSamePadding) and isinstance(
            module.static_padding, nn.ZeroPad2d
        ):
            left, right, top, bottom = module.static_padding.padding
            if (left, top) == (right, bottom) and module.padding == (0, 0):
                module.padding = (top, left)
                module.static_padding = nn.Identity()


def add_one_by_one(network: nn.Module) -> None:
    """Have FPN's merging add feature maps up instead of copying all into one tensor first.

    `torch.stack(maps).sum(0)` writes and reads every map once more than their sum needs: 2 to 4 %
    of a step.
    """
    from segmentation_models_pytorch.decoders.fpn.decoder import MergeBlock

    check_arguments(MergeBlock.forward, "x")
    mix_in(network, MergeBlock, _Added, where=lambda block: block.policy == "add")


class _Added:
    """Adds feature maps up, all (N, C, H, W); stands before `MergeBlock`."""

    def forward(self, x: list[Tensor]) -> Tensor:
        total = x[0] + x[1] if len(x) > 1 else x[0]
        for maps in x[2:]:
            total = total + maps
        return total
