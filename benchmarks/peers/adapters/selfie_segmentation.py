"""MediaPipe selfie segmentation, as `mediapipe==0.10.14` still carries it; see `..worker`.

The argument is its `model_selection`: 0, the general model, or 1, the one for landscape pictures.
It resizes and infers inside `process`, on a thread of its own, and gives probabilities at the
picture's size.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

PACKAGES = ("mediapipe", "numpy")


def load(argument: str) -> Callable[[Any], Any]:
    """The network for `model_selection` 0 or 1."""
    os.environ["GLOG_minloglevel"] = "3"  # noqa: SIM112  read on import, like the next
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import mediapipe

    solution = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(
        model_selection=int(argument)
    )
    return lambda image: solution.process(image).segmentation_mask
