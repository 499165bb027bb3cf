"""What an encoder sees in a picture, as one vector."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from humanseg.images.resize import Size, resize_image
from humanseg.models.network import SegmentationNetwork


@torch.inference_mode()
def pooled_features(
    network: SegmentationNetwork, image: NDArray[np.uint8], size: Size
) -> NDArray[np.float32]:
    """Mean over places of the encoder's deepest features, float32 (channels,).

    Pictures of one scene have features that point the same way, if the encoder was pretrained. The
    network is on the CPU in evaluation mode, with an input of `size`; the image is uint8 RGB.
    """
    grid = torch.from_numpy(resize_image(image, size).copy()).permute(2, 0, 1)[None]
    normalised = (grid.float() / 255.0 - network.mean) / network.std
    deepest = network.network.get_submodule("encoder")(normalised)[-1]
    return np.asarray(deepest.mean(dim=(2, 3))[0].numpy(), dtype=np.float32)
