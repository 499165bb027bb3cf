"""What a person does on the page, in both modes."""

from __future__ import annotations

import base64
import io
import zipfile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.builders.page_visit import Open, Visit

from humanseg import Segmenter

pytestmark = pytest.mark.browser
both_modes = pytest.mark.parametrize("private", [False, True], ids=["server", "private"])
Pictures = dict[str, bytes]


def pixels(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def choose(visited: Visit, group: str, value: str) -> None:
    visited.page.locator(f"[name={group}][value={value}] + span").click()


def slide(visited: Visit, name: str, value: int) -> None:
    visited.page.locator(f"#{name}").fill(str(value))


def result(visited: Visit) -> NDArray[np.uint8]:
    """The result on the stage, (height, width, 4), once it has come to rest."""
    visited.page.locator("#after[aria-busy=false]").wait_for(state="attached")
    shown = visited.page.evaluate("document.getElementById('after').toDataURL()")
    return pixels(base64.b64decode(shown.partition(",")[2]))


def drag(visited: Visit, *points: tuple[float, float]) -> None:
    """Drag over the picture; points are shares of its width and height."""
    box = visited.page.locator("#frame").bounding_box()
    assert box is not None
    path = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    visited.page.mouse.move(*path[0])
    visited.page.mouse.down()
    for x, y in path[1:]:
        visited.page.mouse.move(x, y, steps=4)
    visited.page.mouse.up()


@pytest.fixture
def plain(pictures: Pictures) -> Pictures:
    return {"plain.jpg": pictures["00-plain.jpg"]}


@both_modes
def test_picture__is_cut_out_corrected_and_saved(
    visit: Open, server: str, plain: Pictures, private: bool
) -> None:
    visited = visit(server, private=private)
    visited.drop(plain)
    visited.wait_until_done()
    cutout = result(visited)
    assert 0.02 < (cutout[..., 3] > 127).mean() < 0.9

    choose(visited, "tool", "erase")
    slide(visited, "brush", 30)
    drag(visited, (0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0))
    erased = result(visited)
    assert erased[..., 3].sum() < 0.8 * cutout[..., 3].sum()
    visited.page.keyboard.press("Control+z")
    np.testing.assert_array_equal(result(visited), cutout)

    choose(visited, "tool", "add")
    drag(visited, (0.02, 0.02), (0.06, 0.02))
    assert result(visited)[3, 3, 3] == 255
    visited.page.get_by_role("button", name="Undo", exact=True).click()
    assert visited.page.get_by_role("button", name="Undo", exact=True).is_disabled()
    np.testing.assert_array_equal(result(visited), cutout)

    name, content = visited.download("Download")
    assert name == "plain-cutout.png"
    saved = pixels(content)
    assert saved.shape == (480, 720, 4)
    np.testing.assert_array_equal(saved[..., 3], cutout[..., 3])
    visited.assert_sound()


@both_modes
def test_cutout__follows_the_pictures_edges_as_the_packages(
    visit: Open, server: str, plain: Pictures, private: bool
) -> None:
    """Python's cut-out in int8 is nearer to the page's than one whose edges are not refined."""
    visited = visit(server, private=private)
    visited.drop(plain)
    visited.wait_until_done()
    _, content = visited.download("Download")
    alpha = pixels(content)[..., 3].astype(int)
    predicted = Segmenter(precision="int8", backend="onnxruntime").predict(plain["plain.jpg"])
    refined, unrefined = (
        np.asarray(predicted.cutout(refine=refine))[..., 3].astype(int) for refine in (True, False)
    )
    moved = np.abs(refined - unrefined) > 20
    assert moved.sum() > 50, "refining moves nothing here, so nothing is compared"
    assert np.abs(alpha - refined)[moved].mean() < 0.3 * np.abs(alpha - unrefined)[moved].mean()
    assert np.abs(alpha - refined).mean() < 0.5


@both_modes
def test_backgrounds__are_drawn_and_saved_opaque(
    visit: Open, server: str, plain: Pictures, pictures: Pictures, private: bool
) -> None:
    visited = visit(server, private=private)
    visited.drop(plain)
    visited.wait_until_done()
    person = result(visited)[..., 3] == 255
    nobody = result(visited)[..., 3] == 0
    original = pixels(plain["plain.jpg"])

    choose(visited, "background", "colour")
    visited.page.get_by_role("button", name="Teal").click()
    coloured = result(visited)
    assert (coloured[nobody] == (42, 157, 143, 255)).all()
    assert np.abs(coloured[person][:, :3].astype(int) - original[person]).max() <= 3

    choose(visited, "background", "blur")
    soft = result(visited)
    slide(visited, "strength", 6)
    softer = result(visited)
    roughness = [np.abs(np.diff(image[..., :3].astype(float), axis=1))[nobody[:, 1:]].mean()
                 for image in (original, soft, softer)]  # fmt: skip
    assert roughness[0] > roughness[1] > roughness[2]

    choose(visited, "background", "picture")
    green = Image.new("RGB", (30, 90), (10, 200, 30))
    stream = io.BytesIO()
    green.save(stream, "PNG")
    file = {"name": "green.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    visited.page.locator("#backdrop").set_input_files(file)  # type: ignore[arg-type]
    assert (result(visited)[nobody] == (10, 200, 30, 255)).all()

    visited.page.get_by_label("File type").select_option("image/png")
    name, content = visited.download("Download")
    assert name == "plain-replace.png"
    assert (pixels(content)[nobody][:, :3] == (10, 200, 30)).all()
    visited.assert_sound()


@both_modes
def test_threshold_and_softness__act_without_a_new_request(
    visit: Open, server: str, plain: Pictures, private: bool
) -> None:
    visited = visit(server, private=private)
    visited.drop(plain)
    visited.wait_until_done()
    middle = result(visited)[..., 3]
    before = len(visited.requests)
    slide(visited, "threshold", 90)
    strict = result(visited)[..., 3]
    slide(visited, "threshold", 10)
    lenient = result(visited)[..., 3]
    assert strict.sum() < middle.sum() < lenient.sum()
    slide(visited, "threshold", 50)
    slide(visited, "softness", 0)
    hard = result(visited)[..., 3]
    assert set(np.unique(hard)) == {0, 255}
    slide(visited, "softness", 100)
    assert len(np.unique(result(visited)[..., 3])) > len(np.unique(middle))
    assert len(visited.requests) == before


def test_divider__moves_with_pointer_and_keys(visit: Open, server: str, plain: Pictures) -> None:
    visited = visit(server)
    visited.drop(plain)
    visited.wait_until_done()
    clip = "getComputedStyle(document.getElementById('before')).clipPath"
    drag(visited, (0.5, 0.5), (0.25, 0.5))
    assert visited.page.evaluate(clip) == "inset(0px 75% 0px 0px)"
    visited.page.locator("#split").focus()
    visited.page.keyboard.press("End")
    assert visited.page.evaluate(clip) == "inset(0px 0% 0px 0px)"
    assert visited.page.locator("#split").get_attribute("aria-valuetext") == "100 % before"
    visited.assert_sound()


def test_several__are_worked_through_and_saved_together(
    visit: Open, server: str, plain: Pictures
) -> None:
    visited = visit(server)
    content = plain["plain.jpg"]
    visited.drop({"a.jpg": content, "b.jpg": content, "notes.txt": b"no picture"})
    visited.drop({"a.jpg": content})
    visited.wait_until_done(3)
    assert visited.page.locator('.tile[data-state="failed"]').count() == 1
    assert "3 of 4 pictures done." in visited.page.locator("#summary").inner_text()
    name, archive = visited.download("Download all")
    assert name == "people.zip"
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["a-cutout.png", "b-cutout.png", "a-cutout-2.png"]
        saved = pixels(opened.read("b-cutout.png"))
        assert saved.shape == (480, 720, 4)
    visited.page.get_by_role("button", name="notes.txt, failed").click()
    assert "This browser cannot open it" in visited.page.locator("#message").inner_text()
    for _ in range(4):
        visited.page.get_by_role("button", name="Remove this picture").click()
    assert visited.page.get_by_role("heading", name="Cut people out").is_visible()
    visited.assert_sound()


@both_modes
def test_nobody__is_said(visit: Open, server: str, private: bool) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), (120, 160, 200)).save(stream, "PNG")
    visited = visit(server, private=private)
    visited.drop({"sky.png": stream.getvalue()})
    visited.wait_until_done()
    assert visited.page.get_by_text("Nobody was found here.").is_visible()
    assert "nobody was found" in visited.page.locator("#summary").inner_text()
    choose(visited, "tool", "add")
    drag(visited, (0.3, 0.3), (0.6, 0.6))
    visited.page.get_by_text("Nobody was found here.").wait_for(state="hidden")
    visited.assert_sound()


def test_paste_and_picker__take_pictures(visit: Open, server: str, plain: Pictures) -> None:
    visited = visit(server)
    file = {"name": "picked.jpg", "mimeType": "image/jpeg", "buffer": plain["plain.jpg"]}
    visited.page.locator("#choose").set_input_files(file)  # type: ignore[arg-type]
    visited.wait_until_done()
    visited.page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["no picture"], "pasted.png", { type: "image/png" }));
          window.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer }));
        }"""
    )
    visited.page.get_by_role("button", name="pasted.png, failed").wait_for()
    assert visited.page.locator("#photograph").get_attribute("capture") == "environment"


def test_phone__nothing_sticks_out(visit: Open, server: str, plain: Pictures) -> None:
    visited = visit(server, width=390)
    assert visited.page.evaluate("document.documentElement.scrollWidth") == 390
    visited.drop(plain)
    visited.wait_until_done()
    assert visited.page.evaluate("document.documentElement.scrollWidth") == 390
