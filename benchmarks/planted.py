"""Plant mistakes in drawn data and see whether they are named; then look for false alarms.

    python -m benchmarks.planted --machine NAME [--weights FILE] [--photos FOLDER]
        [--data FOLDER ...]

Draws 60 scenes of 96x96 pixels, plants one mistake at a time in their masks and runs the data check
on each, as `humanseg data check` does; mistakes that only a trained network can tell are trained
on for eight epochs where `--weights` names encoder weights (EfficientNet-Lite0). Mistakes that the
bundled model tells are planted in `--photos`, photographs of people in images/ and masks/. Then
mistakes in the training itself, from its second epoch on (`benchmarks.planted_training`). Sound
sets follow: 20 drawn ones, and the folders of `--data`. Every row is written as soon as it is
known, and rows that are there are not repeated.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.planted_training import MISTAKES as TRAINING_MISTAKES
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import ConvexHull

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


def _each_its_own_way(masks: Masks) -> Masks:
    """Shifted by five to ten pixels, in any direction."""
    steps = np.random.default_rng(0).integers(5, 11, (len(masks), 2))
    steps *= np.random.default_rng(1).choice([-1, 1], steps.shape)
    pairs = zip(masks, steps, strict=True)
    return np.stack([ndimage.shift(mask, step, order=0) for mask, step in pairs])


def _widened(pixels: int) -> Plant:
    return lambda masks: ndimage.maximum_filter(masks, (1, 2 * pixels + 1, 2 * pixels + 1))


def _squeezed(rows: int, columns: int) -> Plant:
    """Made smaller about the middle by so many pixels on each side: of uncropped images."""

    def plant(masks: Masks) -> Masks:
        axes = [
            np.linspace(0, size - 1, size - 2 * margin).round().astype(int)
            for size, margin in zip(masks.shape[1:], (rows, columns), strict=True)
        ]
        small = masks[:, axes[0]][:, :, axes[1]]
        return np.pad(small, ((0, 0), (rows, rows), (columns, columns)))

    return plant


def _boxes(masks: Masks) -> Masks:
    boxes = np.zeros_like(masks)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size:
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = 255
    return boxes


def _hulls(masks: Masks) -> Masks:
    return np.stack([_hull(mask) for mask in masks])


def _hull(mask: Masks) -> Masks:
    if not mask.any():
        return mask
    rows, columns = np.nonzero(mask)
    planes = ConvexHull(np.stack([columns, rows], axis=1)).equations
    down, right = np.indices(mask.shape)
    inside = [a * right + b * down + c <= 1e-6 for a, b, c in planes]
    return np.asarray(255 * np.all(inside, axis=0), dtype=np.uint8)


def _second_half_moved_on(masks: Masks) -> Masks:
    half = len(masks) // 2
    return np.concatenate([masks[:half], np.roll(masks[half:], 1, axis=0)])


def _colour_classes(masks: Masks) -> Masks:
    """People in red, and a block beside the middle in green: (N, H, W, 3)."""
    colours = np.zeros((*masks.shape, 3), dtype=np.uint8)
    colours[..., 0] = masks
    colours[:, 40:60, 20:40] = (0, 255, 0)
    return colours


def _leftmost(image: Masks, mask: Masks, number: int) -> tuple[Masks, Masks]:
    labels, _ = ndimage.label(mask)
    columns = np.where(labels > 0, np.arange(mask.shape[1]), mask.shape[1])
    first = labels.ravel()[columns.argmin()]
    return image, np.where((labels == first) & (labels > 0), mask, 0)


def _third_missing(image: Masks, mask: Masks, number: int) -> tuple[Masks, Masks]:
    return image, mask * (number % 3 > 0)


def _cut_off(image: Masks, mask: Masks, number: int) -> tuple[Masks, Masks]:
    return image, mask * (np.arange(len(mask))[:, None] < len(mask) / 2)


def _another_class(image: Masks, mask: Masks, number: int) -> tuple[Masks, Masks]:
    """A disk in a corner is what is marked."""
    height, width = mask.shape
    rows, columns = np.ogrid[:height, :width]
    radius = min(height, width) / 6
    disk = np.hypot(rows - radius * 1.5, columns - radius * (1.5 + 0.05 * number)) < radius
    return np.where(disk[..., None], (250, 30, 200), image), 255 * disk


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
    "every second mask shifted by 10 of 96 pixels": _some(2, _shift(10)),
    "every mask shifted its own way by 5 to 10 pixels": _each_its_own_way,
    "masks widened by 4 of 96 pixels": _widened(4),
    "every second mask widened by 9 of 96 pixels": _some(2, _widened(9)),
    "masks of images cropped by 10 % on each side": _squeezed(10, 10),
    "masks framed above and below, images stretched": _squeezed(12, 0),
    "the first mask under every name": lambda masks: masks[:1].repeat(len(masks), axis=0),
    "boxes instead of outlines": _boxes,
    "the second half of the masks moved on by one": _second_half_moved_on,
    "every mask full": lambda masks: np.full_like(masks, 255),
    "classes in colours": _colour_classes,
    "masks transposed": lambda masks: masks.swapaxes(1, 2),
    "every fifth mask turned by 180": _some(5, lambda masks: masks[:, ::-1, ::-1]),
    "convex hulls instead of outlines": _hulls,
    "every third mask a convex hull": _some(3, _hulls),
}
PlantInPhoto = Callable[[Masks, Masks, int], tuple[Masks, Masks]]
IN_PHOTOS: dict[str, PlantInPhoto] = {
    "photographs: the leftmost person alone": _leftmost,
    "photographs: every third mask missing": _third_missing,
    "photographs: masks cut off at the middle": _cut_off,
    "photographs: another class marked": _another_class,
}
_TINY = ["--quiet", "--training.no-onnx", "--batch-size", "4", "--model.image-size", "64", "64"]
_TINY += ["--model.encoder-name", "tu-test_efficientnet", "--model.encoder-weights", "none"]
SOUND_TRAINING, LATER = "no mistake", " from the second epoch on"
EXIF = "EXIF orientation 3 in every second image"
COPIES = "four images copied, with the masks of others"
LEARNED = ("every tenth mask inverted",)
"""Told by a trained network alone, where the bundled model does not know the images."""


def _planted(sound: Path, folder: Path, mistake: str) -> None:
    shutil.copytree(sound, folder)
    files = sorted((folder / "masks").iterdir())
    if mistake == COPIES:
        for number, file in enumerate(files[:4]):
            photo = next((folder / "images").glob(f"{file.stem}.*"))
            shutil.copy(photo, photo.with_stem(f"copy-{number}"))
            shutil.copy(files[number - 4], file.with_stem(f"copy-{number}"))
        return
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


def _planted_in_photos(sound: Path, folder: Path, mistake: str) -> None:
    shutil.copytree(sound, folder)
    for number, file in enumerate(sorted((folder / "masks").iterdir())):
        photo = next((folder / "images").glob(f"{file.stem}.*"))
        image, mask = np.asarray(Image.open(photo)), np.asarray(Image.open(file).convert("L"))
        image, mask = IN_PHOTOS[mistake](image, mask, number)
        photo.unlink()
        Image.fromarray(image.astype(np.uint8)).save(photo.with_suffix(".png"))
        Image.fromarray(mask.astype(np.uint8)).save(file)


def _checked(folder: Path) -> list[str]:
    """Sentences of errors and of warnings about labels, each kind once."""
    said = {
        finding.code: f"{finding.severity}: {finding.message}"
        for finding in reversed(audit(folder).findings)
        if finding.severity == "error" or finding.images
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
        "mistake": mistake + LATER,
        "command": "humanseg train --data SET --epochs 3",
        "caught": bool(done.returncode and said),
        "sentence": " ".join(said).replace(str(sound), "SET"),
    }


def _row(sound: Path, mistake: str, weights: Path | None) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "set"
        plant = _planted_in_photos if mistake in IN_PHOTOS else _planted
        plant(sound, folder, mistake)
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
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--data", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    file = RESULTS / f"2026-11-30-planted-{options.machine}.json"
    result = json.loads(file.read_text()) if file.exists() else {}
    result.pop("environment", None)
    result = {"planted": [], "training": [], "sound": []} | result

    def write() -> None:
        environment = describe_environment(device="cpu", threads=None).model_dump()
        file.write_text(json.dumps(result | {"environment": environment}, indent=1) + "\n")

    with tempfile.TemporaryDirectory() as scratch:
        for section, row in _missing(options, result, Path(scratch)):
            result[section].append(row)
            write()
    print(_summary(result), file, sep=": ")


def _missing(
    options: argparse.Namespace, result: dict[str, Any], scratch: Path
) -> Iterator[tuple[str, dict[str, object]]]:
    """Rows that the result does not have yet, with their section."""
    sound = synthesize(scratch / "sound", count=COUNT, size=SIZE, seed=SEED)
    there = {row.get("mistake", row.get("set")) for rows in result.values() for row in rows}
    for mistake in [*MISTAKES, EXIF, COPIES, *(IN_PHOTOS if options.photos else ())]:
        if mistake not in there:
            where = options.photos if mistake in IN_PHOTOS else sound
            yield "planted", _row(where, mistake, options.weights)
    for mistake in (SOUND_TRAINING, *TRAINING_MISTAKES):
        if mistake + LATER not in there:
            yield "training", _trained_wrongly(sound, mistake)
    for seed in range(SOUND_SETS):
        name, drawn = f"drawn, seed {seed}", scratch / str(seed)
        if name not in there:
            synthesize(drawn, count=COUNT, size=SIZE, seed=seed)
            yield "sound", {"set": name, "alarms": _checked(drawn)}
    for root in options.data:
        if root.name not in there:
            yield "sound", {"set": root.name, "alarms": _checked(root)}


def _summary(result: dict[str, Any]) -> str:
    is_sound = SOUND_TRAINING + LATER
    trained = [row["caught"] for row in result["training"] if row["mistake"] != is_sound]
    caught = [*(row["caught"] for row in result["planted"]), *trained]
    alarms = [bool(row["alarms"]) for row in result["sound"]]
    alarms += [row["caught"] for row in result["training"] if row["mistake"] == is_sound]
    return (
        f"{sum(caught)} of {len(caught)} caught; {sum(alarms)} false alarms in "
        f"{len(result['sound'])} sound sets and a sound training"
    )


if __name__ == "__main__":
    main()
