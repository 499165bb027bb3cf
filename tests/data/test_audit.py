from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from humanseg.data import AuditReport, Finding, audit
from humanseg.data.mask_values import colour_problem, mask_problem
from humanseg.results import read_record, write_record
from humanseg.system.errors import DataError, UsageError

Write = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, write: Write, half: NDArray[np.bool_]) -> Path:
    """Three sound pairs."""
    for seed, name in enumerate("abc"):
        write(f"images/{name}.png", seed=seed)
        write(f"masks/{name}.png", half)
    return tmp_path


def only(report: AuditReport) -> Finding:
    assert len(report.findings) == 1, report.findings
    (finding,) = report.findings
    assert report.totals == {finding.code: 1}
    assert report.ok == (finding.severity == "warning")
    assert (finding in report.errors) != (finding in report.warnings)
    return finding


def test_audit__sound_data(root: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = audit(root, progress=lambda done, total: calls.append((done, total)))
    assert report.ok
    assert report.findings == ()
    assert report.pairs == 3
    assert report.layout == "folders"
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_audit__is_json(root: Path, write: Write, tmp_path: Path) -> None:
    write("masks/a.png", np.zeros((12, 16), np.uint8))
    report = audit(root)
    write_record(tmp_path / "audit.json", report)
    assert read_record(tmp_path / "audit.json", AuditReport) == report
    assert json.loads((tmp_path / "audit.json").read_text())["totals"] == {"empty-mask": 1}


def test_audit__unreadable_image(root: Path) -> None:
    (root / "images/b.png").write_bytes(b"no picture")
    finding = only(audit(root))
    assert (finding.code, finding.severity) == ("unreadable-image", "error")
    assert finding.file == str(root / "images/b.png")
    assert finding.message == "not a picture in a known format."


def test_audit__cut_off_mask(root: Path) -> None:
    path = root / "masks/b.png"
    path.write_bytes(path.read_bytes()[:45])
    finding = only(audit(root))
    assert (finding.code, finding.severity) == ("unreadable-mask", "error")
    assert finding.file == str(path)


def test_audit__missing_partners(root: Path, write: Write) -> None:
    (root / "masks/b.png").unlink()
    write("masks/z.png")
    report = audit(root)
    assert report.totals == {"missing-partner": 2}
    assert not report.ok
    assert report.pairs == 2
    assert report.findings[0].message == "has no mask in masks/."
    assert report.findings[1].file == str(root / "masks/z.png")


def test_audit__annotation_that_cannot_be_drawn(tmp_path: Path, write: Write) -> None:
    write("a.png")
    entry = {"id": 1, "file_name": "a.png", "height": 12, "width": 16}
    runs = {"size": [12, 16], "counts": "oo0oo0"}
    person = {"image_id": 1, "category_id": 1, "segmentation": runs}
    document = {
        "images": [entry], "annotations": [person], "categories": [{"id": 1, "name": "person"}]
    }  # fmt: skip
    (tmp_path / "people.json").write_text(json.dumps(document))
    finding = only(audit(tmp_path))
    assert finding.code == "unreadable-mask"
    assert finding.message == "a run-length annotation is damaged."


@pytest.mark.parametrize(
    ("size", "severity"),
    [((24, 32), "warning"), ((119, 160), "warning"), ((12, 17), "error"), ((16, 12), "error")],
)
def test_audit__sizes(root: Path, write: Write, size: tuple[int, int], severity: str) -> None:
    mask = np.zeros(size, dtype=np.bool_)
    mask[:5] = True
    write("masks/b.png", mask)
    finding = only(audit(root))
    assert (finding.code, finding.severity) == ("size-differs", severity)
    assert finding.message.startswith(f"picture 16x12, mask {size[1]}x{size[0]}; ")


def test_audit__empty_and_full_masks(root: Path, write: Write) -> None:
    write("masks/a.png", np.zeros((12, 16), np.bool_))
    write("masks/b.png", np.ones((12, 16), np.bool_))
    report = audit(root)
    assert [(f.code, f.severity) for f in report.findings] == [
        ("empty-mask", "warning"), ("full-mask", "warning"),
    ]  # fmt: skip
    assert report.ok


def test_audit__nobody_anywhere(root: Path, write: Write) -> None:
    for name in "abc":
        write(f"masks/{name}.png", np.zeros((12, 16), np.bool_))
    report = audit(root)
    assert report.totals == {"empty-mask": 3, "no-person": 1}
    assert [finding.code for finding in report.errors] == ["no-person"]
    assert "none of the 3 masks has a person" in report.errors[0].message


def test_audit__duplicates(root: Path, write: Write) -> None:
    rng = np.random.default_rng(9)
    large = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8).repeat(9, axis=0).repeat(9, axis=1)
    for name, image in (("a", large), ("b", large), ("c", large[:, ::-1])):
        write(f"images/{name}.png", np.ascontiguousarray(image))
        write(f"masks/{name}.png", np.eye(72, dtype=np.bool_))
    report = audit(root)
    assert report.totals == {"exact-duplicate": 1, "near-duplicate": 1}
    assert report.ok
    assert report.findings[0].message.startswith("the same pixels as b;")
    assert report.findings[1].message.startswith("a changed copy")


def _blocks(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (8, 8, 3)).astype(np.uint8).repeat(9, axis=0).repeat(9, axis=1)


@pytest.mark.parametrize(("height", "severity"), [(40, "warning"), (33, "warning"), (28, "error")])
def test_audit__copies_whose_masks_differ(
    root: Path, write: Write, height: int, severity: str
) -> None:
    for name, rows in (("a", 40), ("b", height)):
        write(f"images/{name}.png", _blocks(9))
        mask = np.zeros((72, 72), dtype=np.bool_)
        mask[:rows, :30] = True
        write(f"masks/{name}.png", mask)
    finding = only(audit(root))
    assert (finding.code, finding.severity) == ("exact-duplicate", severity)
    differ = "the same pixels as b, and their masks differ, so one of them is wrong; keep one of"
    assert finding.message.startswith(differ) == (severity == "error")


@pytest.mark.parametrize(
    ("count", "have"), [(1, "1 mask has"), (3, "3 masks have"), (15, "15 masks have"), (16, None)]
)
def test_audit__says_that_too_few_masks_have_an_outline(
    tmp_path: Path, write: Write, count: int, have: str | None
) -> None:
    for number in range(count):
        write(f"images/{number}.png", _blocks(number))
        mask = np.zeros((72, 72), dtype=np.bool_)
        mask[20:50, 20:50] = np.random.default_rng(number).random((30, 30)) < 0.7
        write(f"masks/{number}.png", mask)
    said = audit(tmp_path).not_judged
    assert said == (
        f"only {have} an outline, so whether masks belong to their images was not judged (16 are "
        "needed)" if have else ""
    )  # fmt: skip


@pytest.mark.parametrize("blue", [False, True])
def test_audit__every_mask_full(root: Path, write: Write, *, blue: bool) -> None:
    for name in "abc":
        if blue:
            write(f"masks/{name}.png", np.full((12, 16, 3), BLUE, np.uint8))
        else:
            write(f"masks/{name}.png", np.ones((12, 16), np.bool_))
    (error,) = audit(root).errors
    assert (error.code, error.file) == ("full-mask", str(root))
    assert error.message.startswith("every mask is entirely person, so there is nothing to learn")


def test_audit__grey_and_deep_pictures(root: Path, write: Write) -> None:
    rng = np.random.default_rng(5)
    write("images/a.png", rng.integers(0, 256, (12, 16)).astype(np.uint8))
    write("images/b.png", rng.integers(0, 65536, (12, 16)).astype(np.uint16))
    report = audit(root)
    assert report.ok
    assert [(Path(f.file).name, f.code) for f in report.findings] == [
        ("a.png", "single-channel"), ("b.png", "single-channel"), ("b.png", "sixteen-bit"),
    ]  # fmt: skip


def test_audit__deep_mask_of_zeros_and_ones_is_a_person(
    root: Path, write: Write, half: NDArray[np.bool_]
) -> None:
    path = write("masks/b.png", half.astype(np.uint16))
    finding = only(audit(root))  # neither empty nor strange
    assert (finding.code, finding.severity) == ("sixteen-bit", "warning")
    assert finding.file == str(path)
    assert finding.message == "more than 8 bits per pixel; it is read as 8-bit."


@pytest.mark.parametrize("largest", [255, 65535])
def test_audit__deep_mask_of_black_and_white_is_a_person(
    root: Path, write: Write, half: NDArray[np.bool_], largest: int
) -> None:
    write("masks/b.png", half.astype(np.uint16) * np.uint16(largest))
    assert only(audit(root)).code == "sixteen-bit"


def test_audit__table_with_lost_file_names_it_once(tmp_path: Path, write: Write) -> None:
    write("a.png")
    write("m.png", np.eye(12, 16, dtype=np.bool_))
    (tmp_path / "pairs.csv").write_text("images,masks\na.png,m.png\nsub/z.png,m.png\n")
    finding = only(audit(tmp_path / "pairs.csv"))
    assert finding.file == str(tmp_path / "sub/z.png")
    assert finding.message == "(line 3 of pairs.csv) does not exist."


def test_audit__mask_values(root: Path, write: Write) -> None:
    classes = np.zeros((12, 16), np.uint8)
    classes[3:9, 3:9] = 15
    write("masks/b.png", classes)
    finding = only(audit(root))
    assert (finding.code, finding.severity) == ("mask-values", "error")
    assert finding.file == str(root / "masks/b.png")
    assert finding.message.startswith("its values (0, 15) all lie below the cut at 128; use 0 for")


def disc(inside: int = 255, outside: int = 0, *, side: int = 200) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:side, 0:side]
    within = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 3) ** 2
    return np.where(within, inside, outside).astype(np.uint8)


def test_mask_problem__accepts_two_values_and_soft_edges(tmp_path: Path) -> None:
    masks = [disc(), disc(1), disc(0, 1), disc(0, 255), disc(0), disc(255, 255)]
    image = Image.fromarray(disc(side=800))
    masks.append(np.asarray(image.resize((200, 200), Image.Resampling.LANCZOS)))
    for quality in (30, 60, 90, 95):
        path = tmp_path / f"{quality}.jpg"
        Image.fromarray(disc()).save(path, quality=quality)
        masks.append(np.asarray(Image.open(path)))
    assert [mask_problem(mask) for mask in masks] == [None] * len(masks)


def test_mask_problem__refuses_what_a_cut_would_invent() -> None:
    trimap = disc()
    trimap[:40] = 128
    ignored = disc(1)
    ignored[:2] = 255  # classes 0 and 1, 255 to be ignored
    matte = np.asarray(Image.fromarray(disc()).filter(ImageFilter.GaussianBlur(12)))
    for mask in (disc(127), disc(2), trimap, ignored, matte, disc(200, 60)):
        assert mask_problem(mask) is not None
    assert "% of its pixels are neither 0 nor 255" in (mask_problem(trimap) or "")


def test_mask_problem__of_two_values_names_both() -> None:
    said = "its values are 0 and 200; use 0 for background and 255 (or 1) for person."
    assert mask_problem(disc(200)) == said


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def painted(
    inside: tuple[int, int, int], outside: tuple[int, int, int] = (0, 0, 0), *, side: int = 200
) -> NDArray[np.uint8]:
    return np.where(disc(side=side)[..., None] > 0, inside, outside).astype(np.uint8)


def test_colour_problem__accepts_one_colour_of_people(tmp_path: Path) -> None:
    large = Image.fromarray(painted(RED, side=800))
    soft = np.asarray(large.resize((200, 200), Image.Resampling.LANCZOS))
    masks = [painted((255, 255, 255)), painted(RED), painted(RED, (0, 40, 90)), soft]
    for quality in (30, 60, 90, 95):
        path = tmp_path / f"{quality}.jpg"
        Image.fromarray(painted(RED)).save(path, quality=quality)
        masks.append(np.asarray(Image.open(path)))
    thin = painted(RED)
    thin[:1] = GREEN  # within 3 pixels of black
    assert [colour_problem(mask) for mask in [*masks, thin]] == [None] * (len(masks) + 1)


def test_colour_problem__refuses_colours_that_a_cut_would_merge() -> None:
    classes = painted(RED)
    classes[:20] = GREEN
    assert colour_problem(classes) == (
        "its colours number classes, or people one by one: 2 of them ((255, 0, 0), (0, 255, 0)) "
        "would all be people; use black for background and white for person, or --accept "
        "mask-values if they all are people."
    )
    large = classes.repeat(5, axis=0).repeat(5, axis=1)
    for mask in (painted(RED, BLUE), painted((255, 255, 255), BLUE), large):
        assert "its colours number classes" in (colour_problem(mask) or "")


def test_audit__colours_that_number_classes(root: Path, write: Write) -> None:
    classes = np.zeros((12, 16, 3), np.uint8)
    classes[:, :7], classes[:, 9:] = RED, GREEN
    path = write("masks/b.png", classes.repeat(4, axis=0).repeat(4, axis=1))
    finding = next(each for each in audit(root).findings if each.code == "mask-values")
    assert (finding.file, finding.severity) == (str(path), "error")
    assert finding.message.startswith("its colours number classes, or people one by one: 2 of ")


def test_audit__nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        audit(tmp_path / "gone")
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="no pictures found"):
        audit(tmp_path)
