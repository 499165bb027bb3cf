"""Training throughput of the preset `default` against a plain loop, alternating in one process.

The plain loop is what notebooks do: a DataLoader that decodes, resizes and flips every picture in
every epoch, fp32, NCHW, Adam. Ours is the product's own training step, without Lightning's loop
around it: pictures decoded once, augmentation in batches, the arithmetic and memory layout that its
own timing chooses, the guard's check of loss and gradients, a moving average of the weights. Both
train the same network from the same initial weights with Dice + BCE.

    make benchmark
    .venv/bin/python benchmarks/training_throughput.py --output benchmarks/results/NAME.json

Run it on a quiet machine: the answer is the ratio of the medians.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from humanseg.config import Arch, DataConfig, ModelConfig, TrainConfig
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.synthesis import synthesize
from humanseg.datamodule import SegmentationDataModule, load_grid
from humanseg.models import SegmentationNetwork, build_network
from humanseg.results import write_record
from humanseg.segmentation_module import SegmentationModule
from humanseg.training.allocator import keep_freed_memory
from humanseg.training.environment import describe_environment
from humanseg.training.mode import Mode, choose_mode

if __package__:
    from benchmarks.throughput_record import ArchResult, Result
else:
    from throughput_record import ArchResult, Result  # type: ignore[no-redef,import-not-found]

ARCHS: tuple[Arch, ...] = ("unet", "fpn", "deeplabv3plus")
BATCH = 16
PICTURES = 64


class _PlainDataset(Dataset[tuple[Tensor, Tensor]]):
    """Decode, resize, flip and scale one picture at a time, every time."""

    def __init__(self, samples: list[Sample], size: tuple[int, int]) -> None:
        self._samples = samples
        self._size = (size[1], size[0])
        self._rng = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = self._samples[index]
        with Image.open(sample.image) as picture:
            image = np.asarray(picture.convert("RGB").resize(self._size, Image.Resampling.BILINEAR))
        soft = Image.fromarray(sample.read_mask().astype(np.uint8))
        mask = np.asarray(soft.resize(self._size, Image.Resampling.NEAREST))
        for axis in (0, 1):
            if self._rng.random() < 0.5:
                image, mask = np.flip(image, axis), np.flip(mask, axis)
        image = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32) / 255.0
        return torch.from_numpy(image), torch.from_numpy(np.array(mask, dtype=np.float32))[None]


def _endless(loader: DataLoader[Any]) -> Iterator[Any]:
    while True:
        yield from loader


def _plain_steps(
    network: nn.Module, samples: list[Sample], size: tuple[int, int]
) -> Callable[[], None]:
    loader = DataLoader(_PlainDataset(samples, size), BATCH, shuffle=True, drop_last=True)
    batches = _endless(loader)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.003)
    dice = smp.losses.DiceLoss(mode="binary")
    network.train()

    def step() -> None:
        images, masks = next(batches)
        logits = network(images)
        loss = dice(logits, masks) + nn.functional.binary_cross_entropy_with_logits(logits, masks)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss.item()  # notebooks add it up for their progress bar

    return step


def _our_steps(
    network: SegmentationNetwork, samples: list[Sample], config: TrainConfig, mode: Mode
) -> Callable[[], None]:
    grid = load_grid(samples, config.model.image_size, config.data.mask_resize)
    batches = _endless(SegmentationDataModule(grid, None, config).train_dataloader())
    module = SegmentationModule(mode.place(network), config).train()
    module.on_train_epoch_start()
    optimiser = torch.optim.Adam(module.network.parameters(), lr=0.003, fused=True)

    def step() -> None:
        batch = next(batches)
        with torch.autocast("cpu", torch.bfloat16, enabled=mode.precision == "bf16"):
            loss = module.training_step(batch, 0)
        optimiser.zero_grad()
        loss.backward()
        finite = nn.utils.get_total_norm(p.grad for p in network.parameters() if p.grad is not None)
        if not torch.isfinite(finite) or not torch.isfinite(loss):
            raise SystemExit("The loss or a gradient is not finite.")
        optimiser.step()
        module.on_train_batch_end()
        module.training_score.peek()

    return step


def _measure(arch: Arch, samples: list[Sample], arguments: argparse.Namespace) -> ArchResult:
    config = TrainConfig(
        model=ModelConfig(arch=arch, encoder_name=arguments.encoder, encoder_weights="none"),
    )
    torch.manual_seed(0)
    network = build_network(config.model)
    with keep_freed_memory():
        mode = choose_mode(network, config)
    loops = {
        "plain": _plain_steps(copy.deepcopy(network.network), samples, config.model.image_size),
        "ours": _our_steps(network, samples, config, mode),
    }
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(arguments.rounds + 1):
        for name, step in loops.items():
            keeping = name == "ours" and not arguments.return_memory
            with keep_freed_memory() if keeping else nullcontext():
                step()  # the first step after the other loop refills caches and memory
                start = time.perf_counter()
                for _ in range(arguments.steps):
                    step()
                rate = BATCH * arguments.steps / (time.perf_counter() - start)
            if number > 0:  # the first round warms up
                rates[name].append(round(rate, 3))
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["plain"])
    return ArchResult(
        arch=arch,
        mode=f"{mode.precision} {mode.memory_format}",
        plain=tuple(rates["plain"]),
        ours=tuple(rates["ours"]),
        ratio=round(ratio, 3),
    )


def main() -> None:
    """Measure, print a table, and write the result file if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--archs", nargs="+", default=ARCHS, choices=ARCHS)
    parser.add_argument("--encoder", default="efficientnet-b0")
    parser.add_argument("--data", type=Path, help="data set; generated pictures by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument(
        "--return-memory",
        action="store_true",
        help="leave out what keeps freed memory in the process, to see what it brings",
    )
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.data or synthesize(Path(scratch), count=PICTURES, size=(480, 640), seed=0)
        samples = discover(DataConfig(root=root).root or root)[:PICTURES]
        results = []
        for arch in arguments.archs:
            result = _measure(arch, samples, arguments)
            results.append(result)
            print(
                f"{arch:14} plain {statistics.median(result.plain):6.2f} images/s   "
                f"ours {statistics.median(result.ours):6.2f} images/s ({result.mode})   "
                f"ratio {result.ratio:.2f}",
                flush=True,
            )
    if arguments.output:
        record = Result(
            encoder_name=arguments.encoder,
            batch_size=BATCH,
            image_size=(320, 320),
            steps_per_round=arguments.steps,
            environment=describe_environment("cpu"),
            archs=tuple(results),
        )
        write_record(arguments.output, record)
        print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
