"""The way of one image from file to mask: which modules it takes, and that it is one way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.builders.formula_model import GRID

from humanseg import Segmenter

pytestmark = pytest.mark.command

Run = Callable[..., tuple[int, str, str]]

_TRACE = """
import json, sys, threading
from pathlib import Path
import humanseg
from humanseg.cli import main
from humanseg.inference.segmenter import Segmenter

package = str(Path(humanseg.__file__).parent)
entered, parts = {}, {"open": Segmenter.__init__, "predict": Segmenter.predict}
stack = threading.local()

def tracer(frame, event, _):
    inside = stack.__dict__.setdefault("parts", [])
    name = next((n for n, f in parts.items() if f.__code__ is frame.f_code), None)
    if name and event == "call":
        inside.append(name)
    if event == "call" and frame.f_code.co_filename.startswith(package):
        part = inside[-1] if inside else "rest"
        entered.setdefault(part, set()).add(frame.f_code.co_filename[len(package) + 1:])
    if name and event == "return":
        inside.pop()

def traced(call):
    entered.clear()
    threading.setprofile(tracer)
    sys.setprofile(tracer)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {part: sorted(files) for part, files in entered.items()}

model, photo, out = sys.argv[1:]
words = ["predict", photo, "-o", out, "--model", model, "--overwrite", "--quiet"]
assert main(words) == 0  # imports everything: defining a class is not taking a way
video = sorted(name for name in sys.modules if name.startswith("humanseg.video"))
assert main(words) == 0
command = traced(lambda: main(words))
segmenter = Segmenter(model)
segmenter.predict(photo)
api = traced(lambda: segmenter.predict(photo).mask)
json.dump({"command": command, "api": api, "video": video}, sys.stdout)
"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A bright block on black, as a JPEG that is decoded at a reduced scale for a mask."""
    pixels = np.zeros((GRID[0] * 9, GRID[1] * 9, 3), dtype=np.uint8)
    pixels[100:300, 150:400] = 255
    path = tmp_path / "photo.jpg"
    Image.fromarray(pixels).save(path, quality=95)
    return path


def test_way__few_modules_from_file_to_mask_and_none_of_video(
    photo: Path, brightness_model: Path, tmp_path: Path
) -> None:
    words = (str(path) for path in (brightness_model, photo, tmp_path / "out"))
    command = [sys.executable, "-c", _TRACE, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    way = json.loads(done.stdout)
    assert way["video"] == []
    api = {module for modules in way["api"].values() for module in modules}
    assert len(api) <= 9, api
    assert len(way["command"]["open"]) <= 15, way["command"]["open"]
    rest = {*way["command"]["rest"], *way["command"]["predict"]}
    assert len(rest) <= 20, " ".join(sorted(rest))
    assert set(way["command"]["predict"]) <= api  # one way, whoever asks


@pytest.mark.parametrize("words", [(), ("--threshold", "0.8")])
def test_coverage__is_one_number_wherever_it_is_asked_for(
    run: Run, photo: Path, brightness_model: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Of a PNG: a JPEG is decoded at a reduced scale for a mask, which moves single pixels."""
    with Image.open(photo) as image:
        photo = photo.with_suffix(".png")
        image.save(photo)
    threshold = float(words[1]) if words else None
    prediction = Segmenter(brightness_model, threshold=threshold).predict(photo)
    told = {"api": prediction.coverage, "mask": float(prediction.mask.mean())}
    for output in ("mask", "cutout", "overlay"):
        target = tmp_path / output
        code, out, _ = run(
            "predict", str(photo), "-o", str(target), "--model", str(brightness_model),
            "--as", output, "--json", *words,
        )  # fmt: skip
        assert code == 0
        told[f"--json of {output}"] = json.loads(out)["coverage"]
    with Image.open(tmp_path / "mask" / "photo.png") as mask:
        told["mask file"] = float((np.asarray(mask) == 255).mean())
    assert {round(share, 6) for share in told.values()} == {round(prediction.coverage, 6)}, told
    assert 0.1 < prediction.coverage < 0.4
