"""The page's arithmetic is the package's own: resizing to the last bit, alpha to a level."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.builders.page_visit import Open

from humanseg.effects import guided_filter
from humanseg.effects.compositing import alpha_of_bands
from humanseg.effects.foreground import estimate_foreground
from humanseg.effects.guided_filter import refine
from humanseg.effects.regions import EXTENT, RATHER_SURE, SURE, SURE_SHARE, drop_unsure
from humanseg.images import MAX_PIXELS
from humanseg.images.resize import resize_image, resize_probability, size_within

pytestmark = pytest.mark.browser
SIZES = [((37, 53), (24, 24)), ((24, 24), (61, 47)), ((19, 90), (24, 17)), ((24, 24), (24, 24))]


def as_size(size: tuple[int, int]) -> dict[str, int]:
    return {"height": size[0], "width": size[1]}


@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_resize_image__equals_pillow(
    visit: Open, server: str, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    rng = np.random.default_rng(sum(size))
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    rgba = np.dstack([image, np.full(size, 255, dtype=np.uint8)])
    script = """async ([values, from, to]) => {
      const { resizeImage } = await import("/static/resize.js");
      const rgba = Uint8ClampedArray.from(values);
      const [cut, rows] = [7 * from.width * 4, from.height - 7];
      const bands = [
        { top: 0, rows: 7, rgba: rgba.slice(0, cut) }, { top: 7, rows, rgba: rgba.slice(cut) },
      ];
      return [...resizeImage(bands, from, to)];
    }"""
    given = [rgba.ravel().tolist(), as_size(size), as_size(wanted)]
    made = np.array(visit(server).page.evaluate(script, given), dtype=np.uint8)
    np.testing.assert_array_equal(made.reshape(*wanted, 3), resize_image(image, wanted))


@pytest.mark.parametrize(("size", "wanted"), SIZES)
def test_resize_probability__equals_the_packages_in_8_bits(
    visit: Open, server: str, size: tuple[int, int], wanted: tuple[int, int]
) -> None:
    values = np.random.default_rng(sum(wanted)).random(size, dtype=np.float32)
    script = """async ([values, from, to]) => {
      const { resizeProbability } = await import("/static/resize.js");
      return [...resizeProbability(Float32Array.from(values), from, to)];
    }"""
    given = [values.ravel().tolist(), as_size(size), as_size(wanted)]
    made = np.array(visit(server).page.evaluate(script, given), dtype=np.uint8)
    expected = np.floor(resize_probability(values, wanted) * 255.0 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(made.reshape(wanted), expected)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_alpha__is_the_servers(visit: Open, server: str, threshold: float) -> None:
    script = """async (threshold) => {
      const { alphaTable } = await import("/static/probability.js");
      return [...alphaTable(threshold, 0.5)];
    }"""
    made = np.array(visit(server).page.evaluate(script, threshold))
    levels = np.arange(256, dtype=np.float32)[None] / np.float32(255.0)
    expected = alpha_of_bands([(slice(0, 1), levels)], (1, 256), threshold)[0]
    assert np.abs(made - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_unsure_regions__are_those_that_the_package_leaves_out(
    visit: Open, server: str, threshold: float, share: float
) -> None:
    """Blurred noise: dozens of regions, values at the limits among them."""
    noise = np.random.default_rng(3).random((60, 80))
    soft = gaussian_filter(noise, 2.0)
    spread = (soft - soft.mean()) / soft.std()
    grid = np.clip(0.4 * spread - 0.1, 0.0, 1.0).astype(np.float32).round(1)
    grid[:10, :10] = 0.0
    grid[2:8, 2:8] = 1.0  # stays
    script = """async ([values, size, threshold, share]) => {
      const { dropUnsure } = await import("/static/regions.js");
      const grid = Float32Array.from(values);
      dropUnsure(grid, size, threshold, share);
      return [...grid];
    }"""
    given = [grid.ravel().tolist(), as_size(grid.shape), threshold, share]
    made = np.array(visit(server).page.evaluate(script, given), dtype=np.float32)
    expected = drop_unsure(grid, threshold, share)
    np.testing.assert_array_equal(made.reshape(grid.shape), expected)
    assert (share == 0.0) == (expected is grid), "nothing is left out, so nothing is compared"
    assert expected.any()


@pytest.mark.parametrize("size", [(90, 120), (200, 267), (301, 97)])
def test_refined_edges__are_the_packages(visit: Open, server: str, size: tuple[int, int]) -> None:
    """A disc found two pixels off, before a gradient and a patch of noise: fitted and enlarged."""
    side = 120
    rows, columns = np.mgrid[: size[0], : size[1]] / max(size)
    distance = np.hypot(rows - 0.4 * size[0] / max(size), columns - 0.5 * size[1] / max(size))
    disc = np.clip((0.15 - distance) * max(size), 0.0, 1.0)[..., None]
    ground = np.stack([60 + 90 * rows, 90 + 60 * columns, 120 - 50 * rows], axis=2)
    noise = np.random.default_rng(5).normal(0.0, 40.0, ground.shape)
    ground += noise * (columns > 0.5 * size[1] / max(size))[..., None]
    image = np.clip(disc * (210, 140, 110) + (1 - disc) * ground, 0, 255).astype(np.uint8)
    small = size_within(size, side)
    off = gaussian_filter(np.roll(resize_probability(disc[..., 0], small), 2, axis=1), 2.0)
    levels = np.rint(255 * off).astype(np.uint8)
    script = """async ([guide, levels, small, values, size]) => {
      const { fitEdges, refinedLevels } = await import("/static/edges.js");
      const fit = fitEdges(Uint8ClampedArray.from(guide), Uint8Array.from(levels), small);
      const [rgba, cut] = [Uint8ClampedArray.from(values), 7 * 4 * size.width];
      const bands = [
        { top: 0, rows: 7, rgba: rgba.slice(0, cut) },
        { top: 7, rows: size.height - 7, rgba: rgba.slice(cut) },
      ];
      return [...refinedLevels(fit, bands, size)];
    }"""
    guide, whole = (
        np.dstack([pixels, np.full(pixels.shape[:2], 255, dtype=np.uint8)]).ravel().tolist()
        for pixels in (resize_image(image, small), image)
    )
    given = [guide, levels.ravel().tolist(), as_size(small), whole, as_size(size)]
    made = np.array(visit(server).page.evaluate(script, given)).reshape(size)
    probability = levels.astype(np.float32) / np.float32(255.0)
    expected = 255 * refine(image, probability, side=side)
    assert np.abs(made - expected).max() <= 1.0
    unrefined = 255 * resize_probability(probability, size)
    assert np.abs(expected - unrefined).max() > 25, "nothing is moved, so nothing is compared"


def test_rim__loses_the_backgrounds_colour_as_the_servers_does(visit: Open, server: str) -> None:
    """A red disc on blue with a soft rim: the rim becomes red in both."""
    rows, columns = np.mgrid[:200, :300]
    distance = np.hypot(rows - 100, columns - 150)
    share = np.clip((60.0 - distance) / 8.0 + 0.5, 0.0, 1.0)
    alpha = np.rint(255 * share).astype(np.uint8)
    red, blue = np.array([220.0, 40.0, 30.0]), np.array([20.0, 60.0, 230.0])
    image = np.rint(share[..., None] * red + (1 - share[..., None]) * blue).astype(np.uint8)
    script = """async ([values, levels, size]) => {
      const { estimateColours, corrected255 } = await import("/static/blurring.js");
      const rgba = Uint8ClampedArray.from(values);
      const alpha = Uint8ClampedArray.from(levels);
      const { front, back } = estimateColours(rgba, alpha, size, size.width);
      return [0, 1, 2].map((c) => levels.map((level, i) => {
        const at = c * levels.length + i;
        return corrected255(rgba[4 * i + c], front[at], back[at], level / 255);
      }));
    }"""
    rgba = np.dstack([image, np.full(share.shape, 255, dtype=np.uint8)])
    given = [rgba.ravel().tolist(), alpha.ravel().tolist(), as_size(alpha.shape)]
    made = np.moveaxis(np.array(visit(server).page.evaluate(script, given)), 0, -1)
    rim = (alpha > 25) & (alpha < 230)
    made_error = np.abs(made.reshape(*alpha.shape, 3)[rim] - red).mean()
    package_error = np.abs(estimate_foreground(image, alpha)[rim].astype(float) - red).mean()
    plain_error = np.abs(image[rim] - red).mean()
    assert made_error < package_error + 3 < plain_error / 5


def test_limits__are_the_packages(visit: Open, server: str) -> None:
    scripts = "\n".join(
        visit(server).page.evaluate(
            """() => Promise.all(["image", "probability", "regions", "edges"].map(
                 async (name) => (await fetch(`static/${name}.js`)).text()))"""
        )
    )
    assert f"const MAX_PIXELS = {MAX_PIXELS:_};" in scripts
    assert f"const SURE = {SURE};" in scripts
    assert f"const SURE_SHARE = {SURE_SHARE};" in scripts
    assert f"const RATHER_SURE = {RATHER_SURE};" in scripts
    assert f"const EXTENT = {EXTENT};" in scripts
    assert f"export const SIDE = {guided_filter.SIDE};" in scripts
    assert f"const RADIUS = {guided_filter.RADIUS};" in scripts
    assert "const EPSILON = 1e-4;" in scripts
    assert guided_filter.EPSILON == 1e-4
    assert f"const TRUSTED = {list(guided_filter.TRUSTED)};" in scripts
