from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.builders.colour_profiles import rgb_profile
from tests.builders.formula_model import GRID, brightness
from tests.builders.stored_scores import score_stored

from humanseg.data.layouts import discover
from humanseg.evaluation.evaluate_model import evaluate
from humanseg.images import read_mask
from humanseg.images.stored_maps import read_probability, write_probability
from humanseg.inference.engines.engine import FunctionEngine
from humanseg.inference.segmenter import Segmenter
from humanseg.model_directory import read_model_record
from humanseg.results import DataRecord, Evaluation, ScoringSetup, read_record, write_record
from humanseg.system.errors import DataError, UsageError

open_model = partial(Segmenter, backend="onnxruntime", precision="fp32")


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    """Three drawn images, and one of nobody."""
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
        for number in range(3):
            file = f"{part}/{number:03}.png"
            (tmp_path / "data" / file).write_bytes((drawn / file).read_bytes())
    Image.new("RGB", (50, 40), (90, 80, 70)).save(tmp_path / "data" / "images" / "nobody.png")
    Image.new("L", (50, 40)).save(tmp_path / "data" / "masks" / "nobody.png")
    return tmp_path / "data"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often every file is decoded, by its name."""
    counts: Counter[str] = Counter()
    for name in ("humanseg.images.load_image", "humanseg.images.dataset"):
        module = sys.modules[name]
        decode = module.decode

        def count(stream: Any, name: str, *, decode: Any = decode, **options: Any) -> Any:  # noqa: ANN401
            counts["/".join(Path(name).parts[-2:])] += 1
            return decode(stream, name, **options)

        monkeypatch.setattr(module, "decode", count)
    return counts


def test_says_which_weights_and_what_threshold_were_its_own(
    brightness_model: Path, data: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(brightness_model, tmp_path / "model"))
    record = read_model_record(model)
    changes = {"files": {"model.safetensors": "ab" * 32}, "threshold": 0.4}
    write_record(model / "humanseg.json", record.model_copy(update=changes))
    result = evaluate(open_model(model, threshold=0.3), data=data)
    assert (result.weights, result.model_threshold) == ("ab" * 32, 0.4)


def test_describes_itself(brightness_model: Path, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("id,source\n000,web\n001,web\n002,street\nnobody,street\n")
    segmenter = open_model(brightness_model, threshold=0.3, flip_averaging=True)
    result = evaluate(segmenter, data=data, groups=table)
    assert (result.model, result.arch) == (str(brightness_model), "unet")
    assert result.trained_on == "none"
    assert result.sources == {"000": "web", "001": "web", "002": "street", "nobody": "street"}
    assert (result.evaluation.threshold, result.evaluation.flip_averaging) == (0.3, True)
    assert result.setup == ScoringSetup(
        backend="onnxruntime", precision="fp32", device="cpu", whole_files=False
    )
    assert result.environment is not None
    assert result.environment.threads == segmenter.engine.threads
    assert result.analysis is not None
    assert result.analysis.images == 4
    assert [score.id for score in result.scores] == ["000", "001", "002", "nobody"]
    assert result.scores[3].person_free
    assert result.calibration is not None
    assert sum(result.calibration.pixels) == sum(
        score.height * score.width for score in result.scores
    )
    assert result.band_calibration is not None
    assert 0 < sum(result.band_calibration.pixels) < sum(result.calibration.pixels)


def test_a_path_is_run_as_its_users_run_it(brightness_model: Path, data: Path) -> None:
    engine = Segmenter(brightness_model).engine
    setup = evaluate(brightness_model, data=data).setup
    assert (setup.backend, setup.precision, setup.device, setup.whole_files) == (
        engine.name,
        engine.precision,
        engine.device,
        False,
    )


@pytest.mark.parametrize("whole_files", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_every_file_is_decoded_once(
    brightness_model: Path,
    data: Path,
    tmp_path: Path,
    decoded: Counter[str],
    whole_files: bool,
    kept: bool,
) -> None:
    evaluate(
        open_model(brightness_model),
        data=data,
        whole_files=whole_files,
        output=tmp_path / "scored" if kept else None,
        by=("luminance",),
    )
    names = ("000.png", "001.png", "002.png", "nobody.png")
    assert decoded == {f"{part}/{name}": 1 for part in ("images", "masks") for name in names}


def test_scores_by_attributes_and_columns(
    brightness_model: Path, drawn: Path, tmp_path: Path
) -> None:
    table = tmp_path / "groups.csv"
    tones = ["", *["light"] * 10, *["dark"] * 9]
    rows = [f"{number:03},{number},{tone}" for number, tone in enumerate(tones)]
    table.write_text("\n".join(["id,group,tone", *rows]))
    result = evaluate(
        open_model(brightness_model), data=drawn, groups=table, by=["tone", "people", "tone"]
    )
    assert result.analysis is not None
    tone, people = result.analysis.attributes
    assert (tone.attribute, tone.unlabelled) == ("tone", 1)
    assert [(group.name, group.images) for group in tone.groups] == [("dark", 9), ("light", 10)]
    assert all(not group.metrics for group in tone.groups)  # fewer than 20
    assert sum(group.images for group in people.groups) == 20
    (whole,) = [group for group in people.groups if group.images == 20]
    assert whole.metrics["iou"].estimate == pytest.approx(result.summary.iou_mean)


def test_an_unknown_attribute_is_refused_before_anything_is_decoded(
    brightness_model: Path, data: Path, decoded: Counter[str]
) -> None:
    with pytest.raises(UsageError, match="by age: unknown"):
        evaluate(open_model(brightness_model), data=data, by=["age"])
    assert not decoded


def test_leaves_what_the_report_needs(brightness_model: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "scored"
    result = evaluate(open_model(brightness_model), data=data, output=output)
    assert read_record(output / "evaluation.json", Evaluation) == result
    described = read_record(output / "data.json", DataRecord)
    assert described.fingerprint == result.data_fingerprint
    assert described.sources == result.sources
    assert described.groups.keys() == described.images.keys() == result.sources.keys()
    samples = discover(data)
    assert described.images == {sample.id: str(sample.image.resolve()) for sample in samples}
    for sample in samples:
        np.testing.assert_array_equal(
            read_mask(output / "truth" / f"{sample.id}.png"), sample.read_mask()
        )
    again = score_stored(
        samples,
        lambda name: output / "predictions" / f"{name}.png",
        threshold=0.5,
        mask_resize="area",
    )
    assert (again.scores, again.summary) == (result.scores, result.summary)
    assert again.band_calibration == result.band_calibration
    assert not list(output.rglob(".*"))


def test_fills_its_own_folder_anew(brightness_model: Path, data: Path, tmp_path: Path) -> None:
    output, segmenter = tmp_path / "scored", open_model(brightness_model)
    first = evaluate(segmenter, data=data, output=output)
    write_probability(output / "predictions" / "000.png", np.zeros(GRID, dtype=np.float32))
    again = evaluate(segmenter, data=data, output=output)
    assert again.model_copy(update={"environment": first.environment}) == first
    assert read_probability(output / "predictions" / "000.png").any()


def test_goes_on_where_it_was_interrupted(
    brightness_model: Path, data: Path, tmp_path: Path
) -> None:
    output, segmenter = tmp_path / "scored", open_model(brightness_model)

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(segmenter, data=data, output=output, progress=stop)
    assert not (output / "data.json").exists()
    evaluate(segmenter, data=data, output=output)
    assert (output / "evaluation.json").is_file()


def test_refuses_a_folder_of_something_else(
    brightness_model: Path, data: Path, drawn: Path, tmp_path: Path
) -> None:
    segmenter = open_model(brightness_model)
    with pytest.raises(UsageError, match="not empty and no evaluation"):
        evaluate(segmenter, data=data, output=brightness_model)
    output = tmp_path / "scored"
    evaluate(segmenter, data=data, output=output)
    with pytest.raises(UsageError, match="on other pictures"):
        evaluate(segmenter, data=drawn, output=output)
    (output / "plan.yaml").touch()
    with pytest.raises(UsageError, match="not empty and no evaluation"):
        evaluate(segmenter, data=data, output=output)


def _of_function(model: Path, function: Callable[..., Any]) -> Segmenter:
    return Segmenter.of_engine(
        FunctionEngine.of(function, GRID), record=read_model_record(model), model=model
    )


def test_a_damaged_network_is_named_as_the_reason(brightness_model: Path, data: Path) -> None:
    broken = _of_function(brightness_model, lambda images: np.full(images.shape[:3], np.nan))
    with pytest.raises(DataError, match="weights are damaged"):
        evaluate(broken, data=data)


@pytest.mark.parametrize("recorded", [True, False])
def test_without_a_directory_it_needs_a_name(
    brightness_model: Path, data: Path, recorded: bool
) -> None:
    """With a record alone it was called `None`."""
    record = read_model_record(brightness_model) if recorded else None
    segmenter = Segmenter.of_engine(FunctionEngine.of(brightness, GRID), record=record)
    with pytest.raises(UsageError, match="without a model directory"):
        evaluate(segmenter, data=data)
    scored = evaluate(segmenter, data=data, name="mine")
    assert (scored.model, scored.arch) == ("mine", "mine")


def test_shipped_and_whole_files_agree_on_large_jpegs_with_a_profile(
    brightness_model: Path, tmp_path: Path
) -> None:
    """Three megapixels at a reduced scale and converted from P3, against the whole file."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for number in range(3):
        rng = np.random.default_rng(number)
        coarse = rng.integers(20, 110, (12, 16, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((2000, 1500), Image.Resampling.BICUBIC)
        mask = Image.new("L", image.size)
        box = (300 + 100 * number, 200, 1100 + 200 * number, 1300)
        ImageDraw.Draw(image).ellipse(box, fill=(230, 180, 150))
        ImageDraw.Draw(mask).ellipse(box, fill=255)
        image.save(tmp_path / "images" / f"{number}.jpg", icc_profile=rgb_profile(), quality=90)
        mask.save(tmp_path / "masks" / f"{number}.png")
    shipped = evaluate(open_model(brightness_model), data=tmp_path, output=tmp_path / "shipped")
    reference = _of_function(brightness_model, brightness)
    whole = evaluate(reference, data=tmp_path, whole_files=True, output=tmp_path / "whole")
    for first, second in zip(shipped.scores, whole.scores, strict=True):
        assert (first.iou or 0.0) > 0.95
        assert first.iou == pytest.approx(second.iou, abs=0.005)
        assert first.boundary_iou == pytest.approx(second.boundary_iou, abs=0.03)
        grids = [
            read_probability(tmp_path / kind / "predictions" / f"{first.id}.png")
            for kind in ("shipped", "whole")
        ]
        difference = np.abs(grids[0] - grids[1])
        assert difference.max() > 0.001  # or it would not have been read in two ways
        assert difference.mean() < 0.02
