"""Errors of the data check stop a training before it begins."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from tests.builders.configurations import changed

from humanseg.config.schema import TrainConfig
from humanseg.data import synthesize
from humanseg.data.inspection import Finding
from humanseg.system.errors import DataError
from humanseg.training.data_gate import refuse_errors
from humanseg.training.preparation import find_data


@pytest.fixture
def mirrored(tiny: TrainConfig, tmp_path: Path) -> TrainConfig:
    """A configuration whose data set has mirrored masks."""
    synthesize(tmp_path / "set", count=30, size=(96, 96), seed=3)
    for path in (tmp_path / "set" / "masks").iterdir():
        with Image.open(path) as mask:
            ImageOps.mirror(mask).save(path)
    return changed(tiny, data={"root": tmp_path / "set"})


def test_mirrored_masks__stop_before_training(mirrored: TrainConfig) -> None:
    with pytest.raises(DataError, match=r"masks are mirrored .* --accept mirrored-masks\.$"):
        find_data(mirrored)


def test_accepted__go_on(mirrored: TrainConfig, caplog: pytest.LogCaptureFixture) -> None:
    accepted = mirrored.data.model_copy(update={"accept": ("mirrored-masks",)})
    with caplog.at_level(logging.WARNING):
        find_data(mirrored.model_copy(update={"data": accepted}))
    assert "masks are mirrored against their images" in caplog.text


def test_mask_values__are_counted_and_named() -> None:
    findings = [
        Finding(code="mask-values", severity="error", file=f"masks/{name}.png", message="odd.")
        for name in "ab"
    ]
    expected = (
        r"^set: masks/a\.png: odd \(1 more errors like this\)\. Mend the data \(`humanseg data "
        r"check set` lists everything\), or train all the same with --accept mask-values\.$"
    )
    with pytest.raises(DataError, match=expected):
        refuse_errors(findings, (), Path("set"))
    refuse_errors(findings, ("mask-values",), Path("set"))
