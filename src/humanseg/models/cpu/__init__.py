"""Faster training on CPUs with the same sums; nothing else in the package knows how.

`optimise_for_cpu_training` before a training and `restore` after it: what is saved and exported is
the plain network, and weights keep their names throughout.

Each trick says why, and its share of a step's time (forward and backward without it against with
all, EfficientNet-B0, 160x160, batch 4, one core of an EPYC Zen 5, CPU seconds, 2026-11-29). All of
them together took the training loop from 11.1, 11.0 and 9.6 to 13.6, 13.9 and 12.9 images per
second (U-Net, FPN and DeepLabV3+ with EfficientNet-B0, 320x320, two such cores; CHANGELOG,
"Numbers"). They work around slow kernels of torch 2.15: try without, one by one, from 2.16 on.

Some hook classes of segmentation-models-pytorch. Where these have changed, training goes on without
the trick, slower, and a note says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import segmentation_models_pytorch as smp
from torch import nn

from humanseg.models.cpu.depthwise import keep_depthwise_in_float32, split_dilated
from humanseg.models.cpu.patching import restore
from humanseg.models.cpu.smp_blocks import add_one_by_one, pad_inside
from humanseg.models.cpu.upsample2x import double_in_convolutions, double_quickly

__all__ = ["optimise_for_cpu_training", "restore"]

_log = logging.getLogger(__name__)

_TRICKS: tuple[tuple[str, Callable[[nn.Module], None]], ...] = (
    ("padding inside convolutions", pad_inside),
    ("adding up feature maps one by one", add_one_by_one),
    ("doubling inside the U-Net's convolutions", double_in_convolutions),
    ("doubling feature maps quickly", double_quickly),
    ("splitting dilated convolutions", split_dilated),
)


def optimise_for_cpu_training(network: nn.Module, *, bf16: bool = False) -> None:
    """Have a network that is to be trained on a CPU compute the same sums in a faster order.

    `restore` takes it back, but for padding, which stays inside convolutions. A second time changes
    nothing. `bf16` says that it will be trained under bf16 autocast.
    """
    tricks = [*_TRICKS]
    if bf16:
        tricks.append(("slow depthwise convolutions in float32", keep_depthwise_in_float32))
    for name, trick in tricks:
        try:
            trick(network)
        except (ImportError, AttributeError, LookupError, TypeError) as error:
            _note_once(name, str(error))


@cache
def _note_once(trick: str, reason: str) -> None:
    _log.warning(
        "training on CPUs is slower than it could be: %s does not fit segmentation-models-pytorch "
        "%s (%s).",
        trick,
        smp.__version__,
        reason,
    )
