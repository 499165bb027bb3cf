"""Plant mistakes in drawn data and see whether they are named; then look for false alarms.

    python -m benchmarks.planted --machine NAME [--weights FILE] [--data FOLDER ...]

Draws 60 scenes of 96x96 pixels, plants one mistake at a time in their masks and runs the data check
on each, as `humanseg data check` does; mistakes that only a trained network can tell are trained
on for eight epochs where `--weights` names encoder weights (EfficientNet-Lite0). Sound sets follow:
20 drawn ones, and the folders of `--data`. Then mistakes in the training itself, from its second
epoch on (`benchmarks.planted_training`). Every row is written as soon as it is known, and rows that
are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.planted_training import MISTAKES as TRAINING_MISTAKES
from numpy.typing import NDArray
from PIL import Image

from humanseg.data import audit, synthesize
from humanseg.results.provenance import describe_environment

COUNT, SIZE, SEED, SOUND_SETS = 60, (96, 96), 1, 20
RESULTS = Path(__file__).parent / "results"

Masks = NDArray[np.uint8]
Plant = Callable[[Masks], Masks]


def _some(step: int, change: Plant) -> Plant:
    def plant(masks: Masks) -> Masks:
        masks = masks.copy()
        masks[::step] = change(masks[::step])
        return masks

    return plant


def _shift(pixels: int) -> Plant:
    return lambda masks: np.pad(masks, ((0, 0), (0, 0), (pixels, 0)))[:, :, : masks.shape[2]]


def _shuffle(masks: Masks) -> Masks:
    return masks[np.random.default_rng(0).permutation(len(masks))]


def _unknown(masks: Masks) -> Masks:
    masks = masks.copy()
    masks[:, : masks.shape[1] // 5] = 127
    return masks


def _classes(masks: Masks) -> Masks:
    classes = (masks > 0).astype(np.uint8)
    classes[:, : masks.shape[1] // 2] *= 2
    return classes


MISTAKES: dict[str, Plant] = {
    "masks mirrored": lambda masks: masks[:, :, ::-1],
    "every second mask mirrored": _some(2, lambda masks: masks[:, :, ::-1]),
    "masks upside down": lambda masks: masks[:, ::-1],
    "masks inverted": lambda masks: 255 - masks,
    "every second mask inverted": _some(2, lambda masks: 255 - masks),
    "every tenth mask inverted": _some(10, lambda masks: 255 - masks),
    "masks shifted by 5 of 96 pixels": _shift(5),
    "masks shifted by 20 of 96 pixels": _shift(20),
    "pairs shuffled": _shuffle,
    "every fifth pair shuffled": _some(5, _shuffle),
    "masks moved on by one": lambda masks: np.roll(masks, 1, axis=0),
    "masks turned by 90": lambda masks: np.rot90(masks, 1, axes=(1, 2)),
    "masks 0/127/255": _unknown,
    "masks 0/1/2": _classes,
}
_TINY = ["--quiet", "--training.no-onnx", "--batch-size", "4", "--model.image-size", "64", "64"]
_TINY += ["--model.encoder-name", "tu-test_efficientnet", "--model.encoder-weights", "none"]
EXIF = "EXIF orientation 3 in every second image"
LEARNED = ("every tenth mask inverted",)
"""Told by a trained network alone, where the bundled model does not know the images."""


def _planted(sound: Path, folder: Path, mistake: str) -> None:
    shutil.copytree(sound, folder)
    files = sorted((folder / "masks").iterdir())
    if mistake != EXIF:
        masks = np.stack([np.asarray(Image.open(file)) for file in files])
        for file, mask in zip(files, MISTAKES[mistake](masks), strict=True):
            Image.fromarray(np.ascontiguousarray(mask)).save(file)
        return
    for file in sorted((folder / "images").iterdir())[::2]:
        with Image.open(file) as image:
            image.load()
            exif = Image.Exif()
            exif[0x0112] = 3
            image.save(file, exif=exif)


def _checked(folder: Path) -> list[str]:
    """Sentences of errors and of warnings about labels, each kind once."""
    said = {
        finding.code: f"{finding.severity}: {finding.message}"
        for finding in reversed(audit(folder).findings)
        if finding.severity == "error" or finding.code.endswith("-masks")
    }
    return list(said.values())


def _trained(folder: Path, weights: Path, run: Path) -> list[str]:
    """What a short training says on standard error."""
    words = ["--arch", "unet", "--epochs", "8", "--batch-size", "4", "--quiet"]
    words += ["--model.image-size", "96", "96", "--model.encoder-weights", str(weights)]
    words += ["--model.encoder-name", "timm-tf_efficientnet_lite0"]
    command = [sys.executable, "-m", "humanseg", "train", "--data", str(folder), "-o", str(run)]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if "masks" in line]


def _trained_wrongly(sound: Path, mistake: str) -> dict[str, object]:
    """What three epochs say with a mistake in the loop; none of `training.MISTAKES`: nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        words = ["train", "--data", str(sound), "-o", f"{scratch}/run", "--epochs", "3", *_TINY]
        command = [sys.executable, "-m", "benchmarks.planted_training", mistake, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "no better than" not in line]
    return {
        "mistake": f"{mistake} from the second epoch on",
        "command": "humanseg train --data SET --epochs 3",
        "caught": bool(done.returncode and said),
        "sentence": " ".join(said).replace(str(sound), "SET"),
    }


def _row(sound: Path, mistake: str, weights: Path | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "set"
        _planted(sound, folder, mistake)
        command, said = "humanseg data check SET", _checked(folder)
        if not said and mistake in LEARNED and weights is not None:
            command = "humanseg train --data SET --epochs 8"
            said = _trained(folder, weights, Path(scratch) / "run")
    sentence = " ".join(said).replace(str(folder), "SET")
    return {"mistake": mistake, "command": command, "caught": bool(said), "sentence": sentence}


def main() -> None:
    """Plant, look, and write what was said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    file = RESULTS / f"2026-11-29-planted-{options.machine}.json"
    result = json.loads(file.read_text()) if file.exists() else {}
    result = {"planted": [], "training": [], "sound": []} | result

    def write() -> None:
        result["environment"] = describe_environment(device="cpu", threads=None).model_dump()
        file.write_text(json.dumps(result, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as scratch:
        sound = synthesize(Path(scratch) / "sound", count=COUNT, size=SIZE, seed=SEED)
        done = {row["mistake"] for row in result["planted"]}
        for mistake in [*MISTAKES, EXIF]:
            if mistake not in done:
                result["planted"].append(_row(sound, mistake, options.weights))
                write()
        for mistake in ("no mistake", *TRAINING_MISTAKES):
            if not any(row["mistake"].startswith(mistake) for row in result["training"]):
                result["training"].append(_trained_wrongly(sound, mistake))
                write()
        done = {row["set"] for row in result["sound"]}
        sets = {f"drawn, seed {seed}": seed for seed in range(SOUND_SETS)}
        for name, seed in sets.items():
            if name not in done:
                drawn = Path(scratch) / str(seed)
                synthesize(drawn, count=COUNT, size=SIZE, seed=seed)
                result["sound"].append({"set": name, "alarms": _checked(drawn)})
                write()
        for root in options.data:
            if root.name not in done:
                result["sound"].append({"set": root.name, "alarms": _checked(root)})
                write()
    sound_training, *wrong = result["training"]
    rows = [*result["planted"], *wrong]
    caught = sum(row["caught"] for row in rows)
    alarms = sum(bool(row["alarms"]) for row in result["sound"]) + sound_training["caught"]
    print(f"{caught} of {len(rows)} caught; {alarms} false alarms in {len(result['sound'])} sound "
          f"sets and a sound training: {file}")  # fmt: skip


if __name__ == "__main__":
    main()
