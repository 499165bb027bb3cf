"""Errors of the data check stop a training before it begins."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from tests.builders.configurations import changed, find_data

from humanseg.config.schema import TrainConfig
from humanseg.data import synthesize
from humanseg.data.inspection import Finding
from humanseg.system.errors import DataError, GuardError
from humanseg.training.data_gate import check_learned_labels, refuse_errors


@pytest.fixture(scope="module")
def mirrored_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with mirrored masks."""
    folder = synthesize(
        tmp_path_factory.mktemp("mirrored") / "set", count=24, size=(96, 96), seed=3
    )
    for path in (folder / "masks").iterdir():
        with Image.open(path) as mask:
            ImageOps.mirror(mask).save(path)
    return folder


@pytest.fixture
def mirrored(tiny: TrainConfig, mirrored_set: Path) -> TrainConfig:
    """A configuration whose data set has mirrored masks."""
    return changed(tiny, data={"root": mirrored_set})


def test_mirrored_masks__stop_before_training(mirrored: TrainConfig) -> None:
    with pytest.raises(DataError, match=r"masks are mirrored .* --accept mirrored-masks\.$"):
        find_data(mirrored)


def test_accepted__go_on(mirrored: TrainConfig, caplog: pytest.LogCaptureFixture) -> None:
    accepted = mirrored.data.model_copy(update={"accept": ("mirrored-masks",)})
    with caplog.at_level(logging.WARNING):
        find_data(mirrored.model_copy(update={"data": accepted}))
    assert "masks are mirrored against their images" in caplog.text


def test_further_data__are_checked_too(
    tiny: TrainConfig, mirrored_set: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    extra = shutil.copytree(mirrored_set, tmp_path / "set")
    with Image.open(extra / "masks" / "00002.png") as mask:
        mask.resize((48, 96)).save(extra / "masks" / "00002.png")
    config = changed(tiny, data={"extra": (extra,)})
    refusal = rf"^{extra}: {extra}/masks/00002\.png: .* --accept mirrored-masks size-differs\.$"
    with pytest.raises(DataError, match=refusal):
        find_data(config)
    accepted = changed(tiny, data={"extra": (extra,), "accept": ("mirrored-masks", "size-differs")})
    first, second = find_data(accepted).data_set.label_doubts
    assert first.startswith(f"{extra}: ")
    assert "are mirrored against their images" in first
    assert first in caplog.text
    assert second == f"{extra}: 1 error of the kind size-differs accepted."


def test_further_data__have_every_mask_in_its_row(tiny: TrainConfig, tmp_path: Path) -> None:
    """Images that were decoded for the check are those that are trained on."""
    for seed, name in enumerate("ab"):
        synthesize(tmp_path / name, count=3, size=(64, 64), seed=seed)
    config = changed(tiny, data={"extra": (tmp_path / "a", tmp_path / "b")})
    pictures = find_data(config).data_set
    samples = [sample for data in pictures.extra for sample in data.samples]
    images, masks, _ = pictures.resized.get(pictures.further_rows)
    for sample, image, mask in zip(samples, images, masks, strict=True):
        assert (image == sample.read_image()).all()
        assert (mask == sample.read_mask()).all()


def test_learned_labels__accepted_errors_are_said() -> None:
    finding = Finding(code="inverted-masks", severity="error", file="set", message="look.")
    with pytest.raises(
        GuardError,
        match=(
            r"^set: look, or take what was trained all the same with humanseg train "
            r"--resume runs/a --accept inverted-masks\.$"
        ),
    ):
        check_learned_labels([finding], (), Path("runs/a"))
    assert check_learned_labels([finding], ("inverted-masks",), Path()) == ("set: look.",)


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
    accepted = refuse_errors(findings, ("mask-values",), Path("set"))
    assert accepted == ("set: 2 errors of the kind mask-values accepted.",)
