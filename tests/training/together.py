"""Train as one of several processes; a program for torchrun.

    together.py RUN DATA CONFIG CACHE SEEN [kill RANK EPOCH]

Appends to SEEN/RANK.txt the epoch, batch and images that this process trained on. With
FROZEN_STATISTICS in the environment, batch normalisation takes no statistics from batches.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from humanseg.cli import main
from humanseg.training.batches import Batch
from humanseg.training.module import SegmentationModule

run, data, config, cache, seen, *kill = sys.argv[1:]
rank = os.environ.get("RANK", "0")
step = SegmentationModule.training_step


def noting(module: SegmentationModule, batch: Batch, index: int) -> Tensor:
    if kill == ["kill", rank, str(module.current_epoch)]:
        os.kill(os.getpid(), signal.SIGKILL)
    with Path(seen, f"{rank}.txt").open("a") as stream:
        stream.write(f"{module.current_epoch} {index} {','.join(batch['ids'])}\n")
    frozen = "FROZEN_STATISTICS" in os.environ
    layers = [each for each in module.network.modules() if isinstance(each, _BatchNorm) and frozen]
    for layer in layers:
        layer.eval()
    loss = step(module, batch, index)
    for layer in layers:  # a guard would end a training with layers in evaluation mode
        layer.train()
    return loss


SegmentationModule.training_step = noting  # type: ignore[method-assign,assignment]
if Path(run).exists():
    sys.exit(main(["train", "--resume", run, "--cache", cache]))
sys.exit(main(["train", "--data", data, "--config", config, "--cache", cache, "-o", run]))
