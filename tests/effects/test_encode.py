from __future__ import annotations

import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageCms

from humanseg import images
from humanseg.effects.encode import FormatName, check_format, encode
from humanseg.system.errors import ImageError, UsageError

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def _read(content: bytes) -> tuple[str, NDArray[np.generic]]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.mode, np.asarray(image)


def _noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)


class TestEncode:
    @given(arrays(np.uint8, SIZES))
    def test_grey_png__reads_back_exactly(self, grey: NDArray[np.uint8]) -> None:
        mode, back = _read(encode(grey, "png"))
        assert mode == "L"
        np.testing.assert_array_equal(back, grey)

    @pytest.mark.parametrize("height", [255, 256, 257, 700])
    def test_grey_png__reads_back_exactly_across_bands(self, height: int) -> None:
        mask = np.where(_noise(height, 33) > 250, 255, 0).astype(np.uint8)
        np.testing.assert_array_equal(_read(encode(mask, "png"))[1], mask)

    def test_grey_png__not_contiguous(self) -> None:
        grey = _noise(40, 60)[::2, ::-1]
        np.testing.assert_array_equal(_read(encode(grey, "png"))[1], grey)

    def test_grey_png__is_small(self) -> None:
        mask = np.zeros((1000, 1000), dtype=np.uint8)
        mask[200:900, 300:700] = 255
        assert len(encode(mask, "png")) < 6000

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_mask__is_exact_in_every_format_allowed(self, name: FormatName) -> None:
        mask = np.where(_noise(31, 45) > 127, 255, 0).astype(np.uint8)
        back = _read(encode(mask, name))[1]
        np.testing.assert_array_equal(back if back.ndim == 2 else back[..., 0], mask)

    @pytest.mark.parametrize("name", ["png", "tiff"])
    def test_sixteen_bits__are_exact(self, name: FormatName) -> None:
        levels = np.arange(60_000, 60_000 + 35, dtype=np.uint16).reshape(5, 7)
        mode, back = _read(encode(levels, name))
        assert mode.startswith("I;16")
        np.testing.assert_array_equal(back, levels)

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_transparency__keeps_the_colour_of_every_pixel(self, name: FormatName) -> None:
        cutout = _noise(20, 30, 4)
        cutout[:10, :, 3] = 0
        mode, back = _read(encode(cutout, name))
        assert mode == "RGBA"
        np.testing.assert_array_equal(back, cutout)

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_picture__is_exact_where_the_format_is_lossless(self, name: FormatName) -> None:
        picture = _noise(20, 30, 3)
        np.testing.assert_array_equal(_read(encode(picture, name))[1], picture)

    def test_jpeg__is_close(self) -> None:
        picture = np.asarray(Image.fromarray(_noise(4, 5, 3)).resize((90, 60)))
        back = _read(encode(picture, "jpg"))[1].astype(int)
        assert np.abs(back - picture).max() < 16

    def test_no_metadata(self) -> None:
        for name in ("png", "jpg", "webp", "tiff"):
            with Image.open(io.BytesIO(encode(_noise(20, 30, 3), name))) as image:
                assert not image.info.get("exif")

    @pytest.mark.parametrize("name", ["png", "jpg", "webp", "tiff"])
    def test_colours__are_said_to_be_srgb(self, name: FormatName) -> None:
        content = encode(_noise(20, 30, 3), name)
        with Image.open(io.BytesIO(content)) as image:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        assert content == encode(_noise(20, 30, 3), name)
        assert images.load(content).notes == ()

    @pytest.mark.parametrize("name", ["png", "webp", "tiff"])
    def test_levels__have_no_colour_profile(self, name: FormatName) -> None:
        with Image.open(io.BytesIO(encode(_noise(20, 30), name))) as image:
            assert not image.info.get("icc_profile")

    def test_profile__does_not_depend_on_the_time(self) -> None:
        script = (
            "import hashlib, numpy, time; from humanseg.effects.encode import encode; "
            "time.sleep(1.1); "
            "print(hashlib.sha256(encode(numpy.zeros((2, 2, 3), 'u1'), 'png')).hexdigest())"
        )
        here = hashlib.sha256(encode(np.zeros((2, 2, 3), np.uint8), "png")).hexdigest()
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == here

    def test_too_large_for_the_format__is_a_sentence(self) -> None:
        with pytest.raises(ImageError, match=r"17000x2 pixels do not fit into webp .*use --format"):
            encode(np.zeros((2, 17_000), dtype=np.uint8), "webp")


class TestCheckFormat:
    @pytest.mark.parametrize(
        ("name", "output", "sentence"),
        [
            ("jpg", "mask", "jpg would blur the edge of a mask; for --as mask use png, webp"),
            ("jpg", "cutout", "jpg holds no transparency; for --as cutout use png, webp or t"),
            ("jpg", "probability", "jpg holds 8 bits, probabilities have 16; .* use png or tiff"),
            ("webp", "probability", "webp holds 8 bits"),
        ],
    )
    def test_unfit__is_refused(self, name: FormatName, output: str, sentence: str) -> None:
        with pytest.raises(UsageError, match=sentence):
            check_format(name, output)

    def test_fit(self) -> None:
        check_format("jpg", "blur")
        check_format("webp", "cutout")
        check_format("tiff", "probability")
