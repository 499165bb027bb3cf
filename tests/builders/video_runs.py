"""Whole runs of the video pipeline, through stub segmenters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.builders.segmenters import BrightIsPerson

from humanseg.effects.effect import CutoutEffect, Effect, MaskEffect, ReplaceEffect
from humanseg.video.pipeline import VideoReport, process_video
from humanseg.video.smoothing import Smoother

GREEN = (0, 255, 0)
MASK = MaskEffect(threshold=0.5)
REPLACE = ReplaceEffect(background=GREEN, threshold=0.5, decontaminate=False)
CUTOUT = CutoutEffect(threshold=0.5, decontaminate=False)


class Stub(BrightIsPerson):
    """Takes bright pixels for people; remembers how many pictures it saw."""

    def __init__(self) -> None:
        super().__init__((32, 32))
        self.seen = 0

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.seen += 1
        return np.where(image.min(axis=2) > 130, 0.98, 0.02).astype(np.float32)


class Everyone(Stub):
    """Takes everything for people, so that `replace` leaves pictures as they are."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.ones(image.shape[:2], np.float32)


class Nobody(Stub):
    """Finds nobody."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.zeros(image.shape[:2], np.float32)


def run(
    source: Path | int,
    target: Path,
    effect: Effect = MASK,
    *,
    segmenter: Stub | None = None,
    smoothing: Smoother | None = None,
    overwrite: bool = False,
) -> VideoReport:
    return process_video(
        segmenter or Stub(), source, target, effect=effect, smoothing=smoothing, overwrite=overwrite
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
