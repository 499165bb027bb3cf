"""The training loop of a notebook, as a program of its own: what ours is measured against.

    python benchmarks/training/plain.py JOB.json

fp32, contiguous NCHW, a DataLoader that decodes, resizes, flips and normalises every picture with
OpenCV and NumPy in every epoch, a plain network of segmentation-models-pytorch, Adam, Dice + BCE,
`loss.item()` at every step, validation after every epoch. It imports nothing of humanseg, so its
start costs what a notebook's start costs. `benchmarks.training.plain_run` writes the job.

Prints one line of JSON per epoch and one at the end.
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

LEARNING_RATE = 0.003
Job = dict[str, Any]


def read_pair(
    image: str, mask: str, size: tuple[int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A picture, RGB (H, W, 3), and its mask (H, W) at `size`, which is (height, width)."""
    cv2: Any = importlib.import_module("cv2")
    wanted = size[1], size[0]
    picture = cv2.cvtColor(cv2.imread(image, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    grey = cv2.imread(mask, cv2.IMREAD_GRAYSCALE)
    person = grey >= (1 if grey.max() <= 1 else 128)
    small = cv2.resize(person.astype(np.uint8), wanted, interpolation=cv2.INTER_NEAREST)
    return cv2.resize(picture, wanted), small > 0


class PlainDataset(Dataset[tuple[Tensor, Tensor]]):
    """Decode, resize, flip and normalise one picture at a time, every time."""

    def __init__(self, pairs: Sequence[tuple[str, str]], job: Job, *, flips: bool) -> None:
        """Read `pairs` of picture and mask files by the size, mean and deviation of `job`."""
        self._pairs = pairs
        self._size = (int(job["size"][0]), int(job["size"][1]))
        self._mean = np.array(job["mean"], dtype=np.float32)
        self._std = np.array(job["std"], dtype=np.float32)
        self._flips = flips

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, truth = self._pairs[index]
        image, mask = read_pair(picture, truth, self._size)
        for axis in (0, 1) if self._flips else ():
            if torch.rand(()) < 0.5:  # torch gives every worker a seed of its own
                image, mask = np.flip(image, axis), np.flip(mask, axis)
        values = (image.astype(np.float32) / 255.0 - self._mean) / self._std
        target = np.ascontiguousarray(mask, dtype=np.float32)
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1))), torch.from_numpy(
            target
        )[None]


class PlainLoss(nn.Module):
    """Dice + BCE, both of libraries."""

    def __init__(self) -> None:
        super().__init__()
        self._dice = smp.losses.DiceLoss(mode="binary")
        self._bce = nn.BCEWithLogitsLoss()

    def forward(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Loss of a batch; both (N, 1, H, W)."""
        total: Tensor = self._dice(logits, masks) + self._bce(logits, masks)
        return total


def build(job: Job) -> nn.Module:
    """The network with the initial weights of the job's file, and its batch norms' momenta."""
    network: nn.Module = smp.create_model(
        job["arch"],
        encoder_name=job["encoder"],
        encoder_weights=None,
        classes=1,
        **job["arguments"],
    )
    network.load_state_dict(load_file(job["weights"]), strict=True)
    for name, momentum in job["momenta"].items():
        network.get_submodule(name).momentum = momentum
    return network.to(job["device"])


def loaders(job: Job) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Of the training and of the validation pictures."""
    cuda = job["device"] == "cuda"
    common: dict[str, Any] = {
        "batch_size": job["batch"],
        "num_workers": 2 if cuda else 0,
        "pin_memory": cuda,
    }
    train = PlainDataset(job["train"], job, flips=True)
    validation = PlainDataset(job["validation"], job, flips=False)
    single = len(train) % int(job["batch"]) == 1  # batch statistics of one picture fail
    return (
        DataLoader(train, shuffle=True, drop_last=single, **common),
        DataLoader(validation, **common),
    )


def train_epoch(
    network: nn.Module,
    batches: DataLoader[Any],
    criterion: nn.Module,
    optimiser: torch.optim.Optimizer,
    device: str,
) -> tuple[int, float]:
    """Number of pictures and mean loss of one pass over the training pictures."""
    network.train()
    count, total = 0, 0.0
    for images, masks in batches:
        images, masks = images.to(device), masks.to(device)
        optimiser.zero_grad()
        loss = criterion(network(images), masks)
        loss.backward()
        optimiser.step()
        total += loss.item() * len(images)  # notebooks show it; it waits for the device
        count += len(images)
    return count, total / count


@torch.no_grad()
def validate(
    network: nn.Module, batches: DataLoader[Any], criterion: nn.Module, device: str
) -> tuple[float, float]:
    """Mean loss and pooled IoU (threshold 0.5) of the validation pictures."""
    network.eval()
    total, count, intersection, union = 0.0, 0, 0, 0
    for images, masks in batches:
        images, masks = images.to(device), masks.to(device)
        logits = network(images)
        total += criterion(logits, masks).item() * len(images)
        count += len(images)
        predicted, truth = torch.sigmoid(logits) > 0.5, masks > 0.5
        intersection += int((predicted & truth).sum())
        union += int((predicted | truth).sum())
    return total / count, intersection / union if union else 0.0


def peak_memory(device: str) -> int:
    """Largest device memory (CUDA) or resident memory (elsewhere) of this process, in bytes."""
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        peak_line = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak_line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def run(job: Job, began: float) -> None:
    """Train, validate and print."""
    torch.manual_seed(job["seed"])
    device = str(job["device"])
    network = build(job)
    train, validation = loaders(job)
    criterion = PlainLoss()
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    for epoch in range(1, int(job["epochs"]) + 1):
        start = time.monotonic()
        images, train_loss = train_epoch(network, train, criterion, optimiser, device)
        train_seconds = time.monotonic() - start
        validation_loss, iou = validate(network, validation, criterion, device)
        line = {
            "epoch": epoch,
            "images": images,
            "train_seconds": train_seconds,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
            "validation_iou": iou,
            "seconds": time.monotonic() - began,
        }
        print(json.dumps(line), flush=True)
    parameters = sum(tensor.numel() for tensor in network.parameters())
    last = {"peak_memory_bytes": peak_memory(device), "parameters": parameters}
    print(json.dumps(last), flush=True)


def main() -> None:
    """Run the job of the command line."""
    here = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("job", type=Path)
    parser.add_argument(
        "--began",
        type=float,
        default=here,
        help="the system's monotonic clock when this process was started",
    )
    options = parser.parse_args()
    run(json.loads(options.job.read_text(encoding="utf-8")), options.began)


if __name__ == "__main__":
    main()
