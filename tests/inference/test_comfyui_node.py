"""The node for ComfyUI, called as ComfyUI calls it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from humanseg.inference.segmenter import Segmenter

NODE = Path(__file__).parents[2] / "examples" / "comfyui" / "__init__.py"


def test_node__gives_masks_and_cutouts_of_a_batch(brightness_model: Path) -> None:
    torch = pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location("comfyui_node", NODE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    node = module.NODE_CLASS_MAPPINGS["HumansegPeople"]
    assert set(node.INPUT_TYPES()["required"]) == {"image", "model", "refine"}
    images = torch.zeros(2, 48, 64, 3)
    images[1, 8:40, 16:48] = 1.0
    masks, cutouts = getattr(node(), node.FUNCTION)(images, str(brightness_model), False)
    assert (tuple(masks.shape), tuple(cutouts.shape)) == ((2, 48, 64), (2, 48, 64, 4))
    assert masks[0].max() == 0
    assert (masks[1, 24, 32], masks[1, 2, 2]) == (1, 0)
    pixels = (images[1].numpy() * 255).astype(np.uint8)
    own = Segmenter(brightness_model).cutout(pixels)
    assert np.array_equal((cutouts[1].numpy() * 255).round().astype(np.uint8), own)
