r"""How near a cut-out's alpha comes to the true one, on scenes composed so that it is known.

    pip install pymatting==1.1.16
    .venv/bin/python -m benchmarks.matting DATA GROUNDS --split FILE --output FILE.json

People of DATA are laid on pictures of GROUNDS, which show nobody, with strands of hair drawn about
their heads; alpha is the mask with an edge of about two pixels, and the strands. Compared are alpha
as the network gives it, the same after `--feather`, refined as in cut-outs, refined as in the paper
(in every window), and closed-form matting (Levin, Lischinski and Weiss, TPAMI 2008, by PyMatting)
in a band about the outline and wherever the network is unsure.

Scored in the band where the true alpha is neither 0 nor 1, `NEAR` pixels wider, after Rhemann et
al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009: the sum of absolute
differences (in thousands of pixels), the mean squared error, and the gradient error (in thousands;
first derivatives of a Gaussian, sigma 1.4). Of all three, less is better. The drawn strands stand
in for hair; they are no photograph of it.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarks.subset import of_part
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from humanseg import Segmenter
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.effects.compositing import soft_alpha
from humanseg.effects.effect import CutoutEffect
from humanseg.effects.foreground import estimate_foreground
from humanseg.effects.guided_filter import refine
from humanseg.evaluation.statistics import GroupBootstrap
from humanseg.images.resize import resize_image
from humanseg.results import Environment, Interval, Record, write_record
from humanseg.training import describe_environment

LONGEST = 800
"""Pixels of a scene's longer side."""
STRANDS = 160
NEAR = 10
BANDS = (0.005, 0.01)
"""Half widths of the band to be matted, as shares of the longer side."""
SURE = (0.05, 0.95)
"""What the network must say outside and inside the band."""
_FINER = 4  # strands are drawn so many times as large

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]


class Row(Record):
    """One scene, one method."""

    id: str
    method: str
    sad: float
    mse: float
    gradient: float


class Summary(Record):
    """A method over all scenes: means, and what it changes against `unrefined`."""

    method: str
    sad: Interval | None
    mse: Interval | None
    gradient: Interval | None
    sad_change: Interval | None
    gradient_change: Interval | None
    better: int
    """Scenes with a smaller sum of absolute differences than `unrefined`."""


class Result(Record):
    """The result file."""

    environment: Environment
    scenes: int
    longest: int
    strands: int
    near: int
    summaries: tuple[Summary, ...]
    rows: tuple[Row, ...]


def scene(sample: Sample, ground: Picture, rng: np.random.Generator) -> tuple[Picture, Floats]:
    """A person before another background, uint8 RGB, and its true alpha, 0 to 1, (H, W)."""
    image = Image.fromarray(sample.read_image())
    mask = Image.fromarray(sample.read_mask().astype(np.uint8) * 255)
    image.thumbnail((LONGEST, LONGEST))
    inside = np.asarray(mask.resize(image.size, Image.Resampling.BOX)) >= 128
    # The edge lies inside the mask: what the mask holds of the old background stays away.
    alpha = ndimage.gaussian_filter(ndimage.binary_erosion(inside).astype(np.float64), 0.8)
    pixels = np.asarray(image)
    person = estimate_foreground(pixels, (255 * alpha).astype(np.uint8)).astype(np.float64)
    strands, colours = _hair(inside, person, rng)
    both = alpha + strands * (1.0 - alpha)
    share = np.where(both > 0.0, alpha / np.maximum(both, 1e-9), 1.0)[..., None]
    front = share * person + (1.0 - share) * colours
    behind = resize_image(ground, inside.shape).astype(np.float64)
    shown = both[..., None] * front + (1.0 - both[..., None]) * behind
    noisy = shown + rng.normal(0.0, 2.0, shown.shape)
    return np.clip(noisy, 0.0, 255.0).astype(np.uint8), both


def _hair(
    inside: NDArray[np.bool_], person: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Coverage (H, W), 0 to 1, and colours (H, W, 3) of strands about the head's outline."""
    rows = np.flatnonzero(inside.any(axis=1))
    head = rows[0] + max(1, (rows[-1] - rows[0]) // 6)
    rim = np.argwhere(inside & ~ndimage.binary_erosion(inside, border_value=1))
    rim = rim[rim[:, 0] < head]
    height, width = inside.shape
    size = (width * _FINER, height * _FINER)
    cover, colours = Image.new("L", size), Image.new("RGB", (width, height))
    paint, tint = ImageDraw.Draw(cover), ImageDraw.Draw(colours)
    outward = np.stack(np.gradient(ndimage.gaussian_filter(inside.astype(float), 6.0)), axis=-1)
    for start in rim[rng.integers(0, len(rim), STRANDS)] if len(rim) else ():
        slope = -outward[tuple(start)]
        angle = math.atan2(slope[0], slope[1]) + rng.normal(0.0, 0.5)
        bend, length = rng.normal(0.0, 1.2), rng.uniform(0.02, 0.07) * max(height, width)
        steps = np.linspace(0.0, 1.0, 12)
        turned = angle + bend * steps
        path = start + np.cumsum(np.stack([np.sin(turned), np.cos(turned)], 1), 0) * length / 12
        points = [(float(x), float(y)) for y, x in path]
        root = np.clip(start - 4 * slope / max(np.hypot(*slope), 1e-9), 0, (height - 1, width - 1))
        colour = tuple(int(value) for value in person[tuple(root.astype(int))])
        finer = [(x * _FINER, y * _FINER) for x, y in points]
        paint.line(finer, fill=int(rng.uniform(120, 255)), width=int(rng.integers(2, 7)))
        tint.line(points, fill=colour, width=5)
    covered = np.asarray(cover.resize((width, height), Image.Resampling.BOX), dtype=np.float64)
    return covered / 255.0, np.asarray(colours, dtype=np.float64)


def trimap(probability: NDArray[np.float32], threshold: float, band: float) -> Floats:
    """1 for person, 0 for background, 0.5 in the band about the outline and where it is unsure."""
    person = probability >= threshold
    radius = max(1.0, band * max(person.shape))
    deep = ndimage.distance_transform_edt(person) > radius
    far = ndimage.distance_transform_edt(~person) > radius
    known = np.full(person.shape, 0.5)
    known[deep & (probability >= SURE[1])] = 1.0
    known[far & (probability <= SURE[0])] = 0.0
    return known


def scored(alpha: Floats, truth: Floats) -> tuple[float, float, float]:
    """Sum of absolute differences / 1000, mean squared error, gradient error / 1000."""
    mixed = (truth > 0.0) & (truth < 1.0)
    near = ndimage.binary_dilation(mixed, iterations=NEAR)
    wrong = (alpha - truth)[near]
    slopes = [ndimage.gaussian_gradient_magnitude(one, 1.4) for one in (alpha, truth)]
    steep = ((slopes[0] - slopes[1]) ** 2)[near]
    return float(np.abs(wrong).sum() / 1e3), float((wrong**2).mean()), float(steep.sum() / 1e3)


def _alphas(segmenter: Segmenter, image: Picture) -> Iterator[tuple[str, Floats]]:
    from pymatting import estimate_alpha_cf as closed_form  # of no use to anything else here

    prediction = segmenter.predict(image, full_size=True)
    for name, effect in (
        ("unrefined", CutoutEffect(refine=False)),
        ("unrefined, feather 2", CutoutEffect(refine=False, feather=2.0)),
        ("refined", CutoutEffect(refine=True)),
    ):
        yield name, np.asarray(prediction.apply(effect)[..., 3], dtype=np.float64) / 255.0
    everywhere = refine(image, prediction.grid, trusted=(-2.0, -1.0))
    alpha = soft_alpha(everywhere, everywhere.shape, threshold=prediction.threshold)
    yield "refined in every window", alpha.astype(np.float64) / 255.0
    scaled = image / 255.0
    for band in BANDS:
        known = trimap(np.asarray(prediction.probability), prediction.threshold, band)
        if not (known == 1.0).any() or not (known == 0.0).any():
            known = np.asarray(prediction.mask, dtype=np.float64)
        yield f"closed form, band {band:.1%}", np.clip(closed_form(scaled, known), 0.0, 1.0)


def summarise(rows: list[Row]) -> tuple[Summary, ...]:
    """Means and paired differences, scenes resampled."""
    methods = list(dict.fromkeys(row.method for row in rows))
    of = {method: [row for row in rows if row.method == method] for method in methods}
    own = of["unrefined"]
    bootstrap = GroupBootstrap([row.id for row in own])
    summaries = []
    for method, its in of.items():
        pairs = list(zip(its, own, strict=True))
        summaries.append(
            Summary(
                method=method,
                sad=bootstrap.mean([row.sad for row in its]),
                mse=bootstrap.mean([row.mse for row in its]),
                gradient=bootstrap.mean([row.gradient for row in its]),
                sad_change=bootstrap.mean([a.sad - b.sad for a, b in pairs]),
                gradient_change=bootstrap.mean([a.gradient - b.gradient for a, b in pairs]),
                better=sum(a.sad < b.sad for a, b in pairs),
            )
        )
    return tuple(summaries)


def main() -> None:
    """Compose, matte, score, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matting")
    parser.add_argument("data", type=Path)
    parser.add_argument("grounds", type=Path)
    parser.add_argument("--split", type=Path, help="file of `humanseg data split`; its test part")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--show", type=Path, help="folder for scenes and alphas, to look at")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    samples = discover(options.data, "auto")
    if options.split:
        samples = of_part(samples, options.split, "test")
    grounds = [sample.read_image() for sample in discover(options.grounds, "auto")[: len(samples)]]
    segmenter, rows = Segmenter(), []
    for number, sample in enumerate(samples[: options.limit]):
        rng = np.random.default_rng(number)
        image, truth = scene(sample, grounds[number % len(grounds)], rng)
        for name, alpha in _alphas(segmenter, image):
            sad, mse, gradient = scored(alpha, truth)
            rows.append(Row(id=sample.id, method=name, sad=sad, mse=mse, gradient=gradient))
            if options.show:
                _show(options.show, f"{sample.id} {name}", image, alpha)
    summaries = summarise(rows)
    for row in summaries:
        figures = (row.sad, row.mse, row.gradient, row.sad_change, row.gradient_change)
        print(f"{row.method:28}", *(f"{one.estimate:8.4f}" for one in figures if one), row.better)
    if options.output:
        write_record(
            options.output,
            Result(
                environment=describe_environment("cpu"),
                scenes=len(samples[: options.limit]),
                longest=LONGEST,
                strands=STRANDS,
                near=NEAR,
                summaries=summaries,
                rows=tuple(rows),
            ),
        )


def _show(folder: Path, name: str, image: Picture, alpha: Floats) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    grey = (255 * alpha).astype(np.uint8)[..., None].repeat(3, axis=2)
    Image.fromarray(np.concatenate([image, grey], axis=1)).save(folder / f"{name}.jpg")


if __name__ == "__main__":
    main()
