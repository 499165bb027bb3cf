"""What all records share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION: Literal[1] = 1
"""Fields may be added with a default; anything else needs a new number."""


class Record(BaseModel):
    """Frozen and strict: no unknown keys, and no NaN or infinity, for which JSON has no word."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
