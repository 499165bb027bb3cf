"""Scenes composed from photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from humanseg.cli import main
from humanseg.data.composition import (
    KINDS,
    Material,
    compose,
    compose_scene,
)
from humanseg.data.composition.material import (
    Cutout,
    crop_background,
    cut_people,
    empty_part,
    largest_rectangle,
    read_object,
)
from humanseg.data.layouts import discover
from humanseg.data.samples import Sample
from humanseg.system.errors import DataError, ImageError, UsageError

RED, BLUE, GREEN = (200, 20, 20), (20, 20, 200), (20, 200, 20)


def write_sample(root: Path, name: str, box: tuple[int, int, int, int] | None) -> Sample:
    """A red person, given as (left, top, right, bottom), on blue background, 200 wide, 160 high."""
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True, exist_ok=True)
    pixels = np.full((160, 200, 3), BLUE, dtype=np.uint8)
    mask = np.zeros((160, 200), dtype=np.uint8)
    if box is not None:
        left, top, right, bottom = box
        pixels[top:bottom, left:right] = RED
        mask[top:bottom, left:right] = 255
    Image.fromarray(pixels).save(root / "images" / f"{name}.png")
    Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    return Sample(name, root / "images" / f"{name}.png", root / "masks" / f"{name}.png")


def write_background(folder: Path, name: str = "wall.png") -> Path:
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (300, 240), GREEN).save(folder / name)
    return folder


def solid(colour: tuple[int, int, int], *, standing: bool = True) -> Cutout:
    rgba = np.full((120, 40, 4), (*colour, 255), dtype=np.uint8)
    return Cutout(rgba, standing)


def material(*, things: bool = True) -> Material:
    background = np.full((600, 800, 3), GREEN, dtype=np.uint8)
    return Material(
        person=lambda _: solid(RED),
        background=lambda _: background,
        object=(lambda _: solid(BLUE)) if things else None,
    )


class TestCutouts:
    def test_person__is_cut_along_the_mask_without_old_background(self, tmp_path: Path) -> None:
        (person,) = cut_people(write_sample(tmp_path, "a", (60, 40, 120, 130)))
        assert abs(person.image.shape[0] - 90) <= 2
        assert abs(person.image.shape[1] - 60) <= 2
        seen = person.image[person.image[..., 3] > 127][:, :3]
        assert np.abs(seen.astype(int) - RED).max() <= 2

    def test_standing__only_where_the_person_ends_within_the_picture(self, tmp_path: Path) -> None:
        (whole,) = cut_people(write_sample(tmp_path, "a", (60, 40, 120, 130)))
        (half,) = cut_people(write_sample(tmp_path, "b", (60, 40, 120, 160)))
        assert whole.standing
        assert not half.standing

    def test_specks_and_nobody__give_nothing(self, tmp_path: Path) -> None:
        assert cut_people(write_sample(tmp_path, "a", (60, 40, 70, 50))) == []
        assert cut_people(write_sample(tmp_path, "b", None)) == []

    def test_small_hole__is_filled_and_a_large_one_stays(self, tmp_path: Path) -> None:
        sample = write_sample(tmp_path, "a", (40, 20, 160, 140))
        assert sample.mask is not None
        mask = np.array(Image.open(sample.mask))
        mask[60:68, 60:68] = 0  # 64 of 14,400 pixels
        mask[90:130, 90:130] = 0
        Image.fromarray(mask).save(sample.mask)
        (person,) = cut_people(sample)
        assert person.image[64 - 20, 64 - 40, 3] == 255
        assert person.image[110 - 20, 110 - 40, 3] == 0

    def test_object__is_cropped_to_what_is_seen(self, tmp_path: Path) -> None:
        pixels = np.zeros((50, 60, 4), dtype=np.uint8)
        pixels[10:30, 20:50] = (*RED, 255)
        Image.fromarray(pixels).save(tmp_path / "cup.png")
        assert read_object(tmp_path / "cup.png").image.shape == (20, 30, 4)

    @pytest.mark.parametrize("alpha", [None, 0])
    def test_object__needs_transparency_and_something_to_see(
        self, tmp_path: Path, alpha: int | None
    ) -> None:
        image = Image.new("RGB", (8, 8)) if alpha is None else Image.new("RGBA", (8, 8))
        image.save(tmp_path / "cup.png")
        with pytest.raises(ImageError, match="objects are cut-outs with alpha"):
            read_object(tmp_path / "cup.png")


class TestGrounds:
    @given(st.integers(0, 2**32 - 1))
    def test_largest_rectangle__as_found_by_trying_all(self, seed: int) -> None:
        free = np.random.default_rng(seed).random((6, 7)) < 0.7
        top, left, bottom, right = largest_rectangle(free)
        assert free[top:bottom, left:right].all()
        best = max(
            (
                (b - t) * (r - c)
                for t in range(6)
                for b in range(t + 1, 7)
                for c in range(7)
                for r in range(c + 1, 8)
                if free[t:b, c:r].all()
            ),
            default=0,
        )
        assert (bottom - top) * (right - left) == best

    def test_empty_part__shows_nobody(self, tmp_path: Path) -> None:
        part = empty_part(write_sample(tmp_path, "a", (0, 0, 40, 160)))
        assert part is not None
        assert (part == np.array(BLUE)).all()

    def test_empty_part__is_none_where_people_leave_no_room(self, tmp_path: Path) -> None:
        assert empty_part(write_sample(tmp_path, "a", (40, 0, 160, 160))) is None

    @given(st.integers(20, 300), st.integers(20, 300), st.integers(0, 99))
    def test_background__fits_photographs_of_all_sizes(
        self, height: int, width: int, seed: int
    ) -> None:
        photograph = np.zeros((height, width, 3), dtype=np.uint8)
        background = crop_background(np.random.default_rng(seed), photograph, (381, 571))
        assert background.shape == (381, 571, 3)

    def test_background__has_the_size_asked_for(self) -> None:
        photograph = np.random.default_rng(0).integers(0, 256, (90, 400, 3), dtype=np.uint8)
        background = crop_background(np.random.default_rng(1), photograph, (64, 48))
        assert background.shape == (64, 48, 3)


class TestScene:
    def test_nobody__has_an_empty_mask_whatever_lies_about(self) -> None:
        for seed in range(10):
            _, mask = compose_scene(np.random.default_rng(seed), "nobody", material())
            assert not mask.any()

    @pytest.mark.parametrize("kind", ["small", "several", "large"])
    def test_mask__is_where_people_are_seen(self, kind: str) -> None:
        for seed in range(8):
            image, mask = compose_scene(
                np.random.default_rng(seed),
                kind,  # type: ignore[arg-type]
                material(),
            )
            assert mask.any()
            red = (image[..., 0] > image[..., 1]) & (image[..., 0] > image[..., 2])
            assert (red == mask).mean() > 0.97  # edges are soft

    def test_very_wide_things__are_laid_too(self) -> None:
        wide = Cutout(np.full((20, 600, 4), (*BLUE, 255), dtype=np.uint8), standing=True)
        whole = Material(lambda _: wide, material().background, lambda _: wide)
        for seed in range(20):
            image, mask = compose_scene(np.random.default_rng(seed), "large", whole)
            assert image.shape[:2] == mask.shape

    def test_small__are_smaller_than_large(self) -> None:
        def share(kind: str) -> float:
            masks = [
                compose_scene(
                    np.random.default_rng(seed),
                    kind,  # type: ignore[arg-type]
                    material(things=False),
                )[1]
                for seed in range(8)
            ]
            return float(np.mean([mask.mean() for mask in masks]))

        assert share("small") < 0.3 * share("large")

    def test_scene__depends_on_the_generator_alone(self) -> None:
        first, second = (
            compose_scene(np.random.default_rng(5), "several", material()) for _ in range(2)
        )
        assert (first[0] == second[0]).all()
        assert (first[1] == second[1]).all()


@pytest.fixture
def people(tmp_path: Path) -> dict[str, tuple[list[Sample], list[str]]]:
    root = tmp_path / "people"
    samples = [write_sample(root, name, (60, 30, 120, 130)) for name in "abc"]
    return {"people": (samples, ["a", "b"])}


class TestCompose:
    def test_folder__is_a_data_set_with_every_kind_in_its_share(
        self, tmp_path: Path, people: dict[str, tuple[list[Sample], list[str]]]
    ) -> None:
        backgrounds = (write_background(tmp_path / "backgrounds"),)
        out = compose(tmp_path / "out", people, count=20, backgrounds=backgrounds)
        samples = discover(out, "auto")
        assert len(samples) == 20
        for kind, share in KINDS.items():
            assert sum(s.id.startswith(kind) for s in samples) == round(20 * share)
        for sample in samples:
            assert sample.read_mask().any() != sample.id.startswith("nobody")

    def test_record__names_the_pictures_used_and_no_other(
        self, tmp_path: Path, people: dict[str, tuple[list[Sample], list[str]]]
    ) -> None:
        backgrounds = write_background(tmp_path / "backgrounds")
        out = compose(tmp_path / "out", people, count=4, seed=3, backgrounds=(backgrounds,))
        record = json.loads((out / "composition.json").read_text())
        assert record["seed"] == 3
        assert record["sources"][0]["pictures"] == ["a", "b"]
        assert list(record["backgrounds"]) == ["backgrounds/wall.png"]

    def test_larger_set__need_not_be_drawn_from_the_caller_twice(
        self, tmp_path: Path, people: dict[str, tuple[list[Sample], list[str]]]
    ) -> None:
        backgrounds = write_background(tmp_path / "backgrounds")
        for name in ("one", "two"):
            compose(tmp_path / name, people, count=5, seed=7, backgrounds=(backgrounds,))
        for file in (tmp_path / "one").rglob("*.*"):
            twin = tmp_path / "two" / file.relative_to(tmp_path / "one")
            assert file.read_bytes() == twin.read_bytes()

    def test_folder_with_files__is_refused(
        self, tmp_path: Path, people: dict[str, tuple[list[Sample], list[str]]]
    ) -> None:
        with pytest.raises(UsageError, match="not an empty folder"):
            compose(tmp_path, people, count=1)

    def test_no_people__is_a_sentence(self, tmp_path: Path) -> None:
        sample = write_sample(tmp_path / "empty", "a", None)
        with pytest.raises(DataError, match="no person can be cut out"):
            compose(tmp_path / "out", {"x": ([sample], ["a"])}, count=1)

    def test_no_background__is_a_sentence(self, tmp_path: Path) -> None:
        sample = write_sample(tmp_path / "full", "a", (40, 0, 160, 160))
        with pytest.raises(DataError, match="no background"):
            compose(tmp_path / "out", {"x": ([sample], ["a"])}, count=1)


def test_command__composes_from_the_training_part_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "people"
    for number in range(12):
        sample = write_sample(root, f"{number:02}", (50, 30, 120, 130))
        coarse = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((200, 160)).save(sample.image)  # no two alike
    words = ["data", "compose", str(tmp_path / "out"), "--data", str(root), "--count", "6"]
    words += [
        "--backgrounds",
        str(write_background(tmp_path / "backgrounds")),
        "--split.test",
        "0.5",
    ]
    assert main(words) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "out")
    record = json.loads((tmp_path / "out" / "composition.json").read_text())
    assert 0 < len(record["sources"][0]["pictures"]) <= 6


def test_command__refuses_a_background_folder_that_is_not_there(
    tmp_path: Path, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data", "compose", str(tmp_path / "out"), "--data", str(drawn), "--count", "6"]
    assert main([*words, "--backgrounds", str(tmp_path / "none")]) == 2
    assert "is not a folder of pictures" in capsys.readouterr().err


def test_pixels__stay_where_they_are(tmp_path: Path) -> None:
    """The mask of a scene lies on the person to the pixel, also on a marked background."""
    stripes: NDArray[np.uint8] = np.zeros((600, 600, 3), dtype=np.uint8)
    stripes[::2] = 255
    plain = Material(lambda _: solid(RED), lambda _: stripes, None)
    image, mask = compose_scene(np.random.default_rng(11), "large", plain)
    inside = image[mask].astype(int)
    assert (inside[:, 0] - inside[:, 1:].max(axis=1) > 30).mean() > 0.95
