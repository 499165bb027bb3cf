from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.builders.records import plain_score, run_result, summarise

from humanseg.config.schema import TrainConfig
from humanseg.data.samples import Sample
from humanseg.data.signatures import image_bits
from humanseg.evaluation import external
from humanseg.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt_pair
from humanseg.results import CorruptedScores, Evaluation, read_record, write_record


def _bright(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bright pixels are a person, on a grid of the image's own size."""
    return np.asarray(image.mean(axis=2) / 255, dtype=np.float32)


def _pair(folder: Path, name: str, rng: np.random.Generator, *, person: bool = True) -> Sample:
    truth = np.zeros((40, 48), dtype=bool)
    if person:
        truth[8:32, 12:36] = True
    noise = rng.normal(0, 30, (40, 48, 3))
    pixels = np.clip(np.where(truth[..., None], 170, 90) + noise, 0, 255).astype(np.uint8)
    image, mask = folder / f"{name}.png", folder / f"{name}-mask.png"
    Image.fromarray(pixels).save(image)
    Image.fromarray((255 * truth).astype(np.uint8)).save(mask)
    return Sample(id=name, image=image, mask=mask)


@pytest.fixture
def samples(tmp_path: Path) -> dict[str, Sample]:
    rng = np.random.default_rng(2)
    both = [_pair(tmp_path, "a", rng), _pair(tmp_path, "nobody", rng, person=False)]
    return {sample.id: sample for sample in both}


@pytest.fixture
def scored(
    samples: dict[str, Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CorruptedScores:
    stub = SimpleNamespace(
        predict=lambda image: SimpleNamespace(grid=_bright(image)), threshold=0.5
    )
    monkeypatch.setattr(external, "_segmenter", lambda _: stub)
    result = run_result(
        "unet-seed42",
        TrainConfig(),
        [plain_score(name, 0.9) for name in samples],
        baselines={"mean_mask": summarise([plain_score("a", 0.4)])},
    )
    run = tmp_path / "run"
    run.mkdir()
    return external.score_corrupted(run, result, samples, list(samples))


def test_external_data__copies_are_one_group_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scored before without groups, they are added, and nothing is scored again."""
    for part in ("images", "masks"):
        (tmp_path / "other" / part).mkdir(parents=True)
    rng = np.random.default_rng(4)
    for name in "abc":
        source = _pair(tmp_path, name if name != "c" else "a", rng if name == "b" else _again())
        assert source.mask is not None
        shutil.copy(source.image, tmp_path / "other" / "images" / f"{name}.png")
        shutil.copy(source.mask, tmp_path / "other" / "masks" / f"{name}.png")
    data = external.find_external_data(tmp_path / "other", image_bits([]))
    assert data.groups == {"a": "a", "b": "b", "c": "a"}
    stub = SimpleNamespace(
        predict=lambda image: SimpleNamespace(grid=_bright(image)),
        threshold=0.5,
        record=None,
        engine=SimpleNamespace(name="torch", precision="fp32", device="cpu"),
    )
    monkeypatch.setattr(external, "_segmenter", lambda _: stub)
    monkeypatch.setattr(external, "seen_in_training", lambda *_: ())
    result = run_result("unet-seed42", TrainConfig(), [plain_score("a", 0.9)], baselines={})
    first = external.score_external(tmp_path / "run", result, data)
    assert first.groups == {"a": "a", "b": "b", "c": "a"}
    file = tmp_path / "run" / "external" / "other.json"
    write_record(file, first.model_copy(update={"groups": {}}))
    monkeypatch.setattr(external, "_segmenter", None)
    assert external.score_external(tmp_path / "run", result, data) == first
    assert read_record(file, Evaluation) == first


def _again() -> np.random.Generator:
    """The same picture every time."""
    return np.random.default_rng(9)


def _iou(image: NDArray[np.uint8], truth: NDArray[np.bool_]) -> float:
    found = image.astype(np.float64).mean(axis=2) >= 127.5
    return float((found & truth).sum() / (found | truth).sum())


def test_score_corrupted__scores_what_was_corrupted(
    scored: CorruptedScores, samples: dict[str, Sample]
) -> None:
    """Every value against a prediction on the very copy, made here, not on the clean image."""
    image, truth = samples["a"].read_image(), samples["a"].read_mask()
    clean = _iou(image, truth)
    assert scored.images == ("a", "nobody")
    assert scored.clean[0] == pytest.approx(clean)
    assert set(scored.ious) == set(CORRUPTIONS)
    for corruption, levels in scored.ious.items():
        for severity, level in zip(SEVERITIES, levels, strict=True):
            changed, moved = corrupt_pair(image, truth, corruption, severity, seed=crc32(b"a"))
            assert level[0] == pytest.approx(_iou(changed, moved), abs=0.01), corruption
    worst = {name: levels[-1][0] for name, levels in scored.ious.items()}
    assert sum(abs((value or 0.0) - clean) > 0.02 for value in worst.values()) >= 5


def test_score_corrupted__nobody_there_has_no_score(scored: CorruptedScores) -> None:
    assert scored.clean[1] is None
    assert all(level[1] is None for levels in scored.ious.values() for level in levels)
