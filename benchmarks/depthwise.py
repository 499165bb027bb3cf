"""Depthwise convolutions of EfficientNet-B0 at 320x320, batch 16, by precision.

.venv/bin/python benchmarks/depthwise.py --output benchmarks/results/NAME.json
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from humanseg.results import Environment, Record, write_record
from humanseg.system.malloc import keep_freed_memory
from humanseg.training import describe_environment

# channels, input side, kernel, stride, dilation
SHAPES = (
    (96, 161, 3, 2, 1),
    (144, 83, 5, 2, 1),
    (240, 41, 3, 2, 1),
    (672, 23, 5, 2, 1),
    (144, 82, 3, 1, 1),
    (240, 44, 5, 1, 1),
    (672, 24, 5, 1, 1),
    (672, 28, 5, 1, 2),
    (256, 44, 3, 1, 12),
)
BATCH, REPEATS = 16, 5


class Row(Record):
    """Best of the repeats, in milliseconds; channels_last."""

    channels: int
    side: int
    kernel: int
    stride: int
    dilation: int
    float32_forward: float
    float32_backward: float
    bfloat16_forward: float
    bfloat16_backward: float


class Result(Record):
    """The result file."""

    environment: Environment
    rows: tuple[Row, ...]


def _time(shape: tuple[int, int, int, int, int], dtype: torch.dtype) -> tuple[float, float]:
    channels, side, kernel, stride, dilation = shape
    layer = nn.Conv2d(
        channels, channels, kernel, stride=stride, dilation=dilation, groups=channels, bias=False
    ).to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.randn(BATCH, channels, side, side).to(dtype, memory_format=torch.channels_last)
    images.requires_grad_()
    forward = backward = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        output = layer(images)
        middle = time.perf_counter()
        output.backward(torch.ones_like(output))
        forward = min(forward, middle - start)
        backward = min(backward, time.perf_counter() - middle)
    return round(forward * 1e3, 2), round(backward * 1e3, 2)


def main() -> None:
    """Measure, print, and write the result file if asked to."""
    parser = argparse.ArgumentParser(description="Depthwise convolutions by precision.")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    with keep_freed_memory():
        for shape in SHAPES:
            times = [*_time(shape, torch.float32), *_time(shape, torch.bfloat16)]
            names = list(Row.model_fields)
            rows.append(Row(**dict(zip(names, [*shape, *times], strict=True))))
            print(rows[-1], flush=True)
    if arguments.output:
        record = Result(environment=describe_environment("cpu"), rows=tuple(rows))
        write_record(arguments.output, record)


if __name__ == "__main__":
    main()
