"""Names of what a data check can find; `data.accept` takes them."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "unreadable-image", "unreadable-mask", "missing-partner", "size-differs", "mask-values",
    "empty-mask", "full-mask", "empty-outline", "no-person", "exact-duplicate", "near-duplicate",
    "single-channel", "sixteen-bit", "lossy-mask",
    "mirrored-masks", "upside-down-masks", "turned-masks", "shifted-masks", "inverted-masks",
    "shuffled-masks", "offset-masks", "scaled-masks", "coarse-masks", "doubtful-masks",
    "unmarked-people",
]  # fmt: skip
"""The last three lines are of pairs that can be read but may not belong together."""
