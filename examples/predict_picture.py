"""Draw the picture of the README: what `humanseg predict` makes of a drawn scene.

    .venv/bin/python examples/predict_picture.py docs/predict.jpg

Nobody is photographed: the scene is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from humanseg import Segmenter
from humanseg.data.synthesis import draw_scene

SIZE = (360, 480)
SEED = (5, 31)
CHECKS = 12
"""Side of the squares that stand for transparency, in pixels."""


def main() -> None:
    """Segment a drawn scene and lay five outputs side by side."""
    scene, _ = draw_scene(np.random.default_rng(SEED), SIZE, clutter=0.5)
    found = Segmenter().predict(scene)
    rows, columns = np.indices(SIZE) // CHECKS
    checks = np.where((rows + columns) % 2 == 0, 200, 240).astype(np.uint8)
    tiles = [
        scene,
        np.repeat((found.mask * np.uint8(255))[..., None], 3, axis=2),
        found.composite(np.repeat(checks[..., None], 3, axis=2)),
        found.blur(),
        found.composite((36, 122, 86)),
    ]
    Image.fromarray(np.concatenate(tiles, axis=1)).resize((1500, 225)).save(
        Path(sys.argv[1]), quality=90
    )


if __name__ == "__main__":
    main()
