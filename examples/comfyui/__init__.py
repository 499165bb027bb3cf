"""A node for ComfyUI: the people in images, as a mask and cut out.

Copy this folder to `ComfyUI/custom_nodes/humanseg` and run `pip install humanseg` in ComfyUI's
environment. The network runs on the CPU beside whatever occupies the graphics card; nothing is
downloaded.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from humanseg import Segmenter


@cache
def _segmenter(model: str) -> Segmenter:
    return Segmenter(model)


class HumansegPeople:
    """IMAGE in, float (N, H, W, 3) from 0 to 1; MASK and IMAGE (RGBA) out."""

    CATEGORY = "mask"
    FUNCTION = "segment"
    RETURN_TYPES = ("MASK", "IMAGE")
    RETURN_NAMES = ("people", "cutout")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What ComfyUI offers as inputs."""
        return {
            "required": {
                "image": ("IMAGE",),
                "model": ("STRING", {"default": "bundled"}),
                "refine": ("BOOLEAN", {"default": False}),
            }
        }

    def segment(
        self, image: torch.Tensor, model: str, refine: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Soft mask, float (N, H, W), and cut-out, float (N, H, W, 4)."""
        cutouts = []
        for pixels in image:
            eight_bits = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
            prediction = _segmenter(model).predict(eight_bits, full_size=True)
            cutouts.append(prediction.cutout(refine=refine))
        cutout = torch.from_numpy(np.stack(cutouts)).float() / 255
        return cutout[..., 3], cutout


NODE_CLASS_MAPPINGS = {"HumansegPeople": HumansegPeople}
NODE_DISPLAY_NAME_MAPPINGS = {"HumansegPeople": "People (humanseg)"}
