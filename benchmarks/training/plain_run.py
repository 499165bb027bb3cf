"""Write a job for `plain.py`, run it, and read what it prints."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from benchmarks.training.record import Epoch
from benchmarks.training.task import Task, failure, run_process
from safetensors.torch import save_file
from torch import nn

from humanseg.config.architectures import decoder_arguments
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.data.splits import make_split
from humanseg.models import build_network
from humanseg.results import Record

PROGRAM = Path(__file__).with_name("plain.py")


class Ending(Record):
    """The last line of the plain loop."""

    peak_memory_bytes: int
    parameters: int


@dataclass(frozen=True)
class PlainEnd:
    """What one run of the plain loop gave."""

    seconds: float
    epochs: tuple[Epoch, ...]
    ending: Ending


def opencv_version() -> str:
    """Version of OpenCV.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        return str(importlib.import_module("cv2").__version__)
    except ModuleNotFoundError:
        raise SystemExit(
            "The plain loop reads pictures with OpenCV, which is not installed. Install it with: "
            "pip install opencv-python-headless (dependency group benchmark)."
        ) from None


def parts(task: Task) -> tuple[list[Sample], list[Sample]]:
    """Training and validation pictures of the split that ours makes too."""
    samples = discover(task.data)
    split = make_split(samples, task.split)
    by_id = {sample.id: sample for sample in samples}
    train, validation = (
        [by_id[name] for name in names] for names in (split.train, split.validation)
    )
    return train, validation


def write_job(task: Task, folder: Path) -> Path:
    """Leave the initial weights that ours starts from too, and the job."""
    torch.manual_seed(task.seed)
    network = build_network(task.model)
    weights = folder / "start.safetensors"
    state = network.network.state_dict()
    tensors = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(tensors, weights)
    train, validation = parts(task)
    job: dict[str, Any] = {
        "arch": task.arch,
        "encoder": task.encoder,
        "arguments": decoder_arguments(task.model),
        "weights": str(weights),
        "momenta": _momenta(network.network) if task.plain_batch_norm == "ours" else {},
        "mean": network.mean.flatten().tolist(),
        "std": network.std.flatten().tolist(),
        "train": _files(train),
        "validation": _files(validation),
        "size": task.size,
        "batch": task.batch,
        "epochs": task.epochs,
        "device": task.device,
        "seed": task.seed,
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job), encoding="utf-8")
    return file


def _momenta(network: nn.Module) -> dict[str, float]:
    """Momentum of every batch normalisation that has one, by name of the module."""
    return {
        name: module.momentum
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.momentum is not None
    }


def _files(samples: Sequence[Sample]) -> list[list[str]]:
    if any(sample.mask is None for sample in samples):
        raise SystemExit("The plain loop needs mask files; this data set has outlines only.")
    return [[str(sample.image), str(sample.mask)] for sample in samples]


def parse(text: str) -> tuple[tuple[Epoch, ...], Ending]:
    """Epochs and ending from what the plain loop printed."""
    *epochs, last = text.splitlines()
    return tuple(Epoch.model_validate_json(line) for line in epochs), Ending.model_validate_json(
        last
    )


def run_plain(task: Task, folder: Path) -> PlainEnd:
    """Run the plain loop in a process of its own; `folder` is for its files.

    Raises:
        SystemExit: it failed.
    """
    job = write_job(task, folder)
    log, output = folder / "plain.log", folder / "plain.jsonl"
    began = time.monotonic()
    command = [sys.executable, "-P", str(PROGRAM), str(job), "--began", str(began)]
    code, seconds = run_process(command, log, output=output)
    if code != 0:
        raise failure(f"The plain loop of {task.arch}", code, log)
    return PlainEnd(seconds, *parse(output.read_text(encoding="utf-8")))
