"""Small things on the page: fingers, long names, keys, and buttons pressed at the wrong time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.builders.page_visit import Open, Visit, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.browser
Pictures = dict[str, bytes]


@pytest.fixture
def content(pictures: Pictures) -> bytes:
    return pictures["00-plain.jpg"]


def stroke(visited: Visit) -> None:
    """Paint a stroke with the mouse."""
    visited.page.locator("[name=tool][value=add] + span").click()
    box = visited.page.locator("#frame").bounding_box()
    assert box is not None
    visited.page.mouse.move(box["x"] + 30, box["y"] + 30)
    visited.page.mouse.down()
    visited.page.mouse.move(box["x"] + 60, box["y"] + 30)
    visited.page.mouse.up()


def test_two_fingers__paint_nothing(browser: Browser, server: str, content: bytes) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    visited = open_page(context, server)
    page = visited.page
    visited.drop({"a.jpg": content})
    visited.wait_until_done()
    page.locator("[name=tool][value=add] + span").click()
    page.locator("#frame").scroll_into_view_if_needed()
    box = page.locator("#frame").bounding_box()
    assert box is not None
    session = context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        placed = [
            {"x": box["x"] + x, "y": box["y"] + y, "id": number}
            for number, (x, y) in enumerate(points)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": placed})

    touch("touchStart", (40, 40))
    touch("touchStart", (40, 40), (300, 40))
    for step in range(6):
        touch("touchMove", (40, 40 + 8 * step), (300, 40 + 8 * step))
    touch("touchEnd")
    undo = page.get_by_role("button", name="Undo", exact=True)
    page.wait_for_timeout(200)
    assert undo.is_disabled()

    touch("touchStart", (40, 40))
    touch("touchMove", (80, 40))
    touch("touchEnd")
    page.wait_for_timeout(200)
    assert undo.is_enabled()
    undo.click()
    assert undo.is_disabled()  # it was one stroke
    context.close()


@pytest.mark.parametrize("width", [390, 1440])
def test_long_names__stay_within_the_page(
    visit: Open, server: str, content: bytes, width: int
) -> None:
    visited = visit(server, width=width)
    visited.drop({f"IMG_{'a' * 120}.jpg": content, f"{'b' * 150}.txt": b"no picture"})
    visited.wait_until_done()
    visited.page.locator("[name=background][value=picture] + span").click()
    file = {"name": f"{'c' * 120}.png", "mimeType": "image/png", "buffer": b"none"}
    visited.page.locator("#backdrop").set_input_files(file)  # type: ignore[arg-type]
    visited.page.get_by_text("This browser cannot open it").first.wait_for()
    for tile in (0, 1):
        visited.page.locator("#strip .tile").nth(tile).click()
        assert visited.page.evaluate("document.documentElement.scrollWidth") == width
        sizes = visited.page.locator("#backdrop-name").evaluate(
            "(name) => [name.getBoundingClientRect().right, innerWidth]"
        )
        assert sizes[0] <= sizes[1]


def test_tile__is_chosen_while_pictures_are_in_work(
    visit: Open, server: str, content: bytes
) -> None:
    visited = visit(server)
    held: list[Route] = []
    visited.page.route("**/v1/segment**", lambda route: held.append(route))
    visited.drop({"a.jpg": content, "b.jpg": content, "c.jpg": content})
    tile = visited.page.locator("#strip .tile").nth(2)
    tile.locator("canvas").wait_for()
    visited.page.wait_for_timeout(200)
    tile.hover()
    visited.page.mouse.down()
    held[0].continue_()
    visited.wait_until_done()
    visited.page.mouse.up()
    assert tile.get_attribute("aria-current") == "true"
    for route in held[1:]:
        route.continue_()


def test_saving__is_done_once_at_a_time(visit: Open, server: str, content: bytes) -> None:
    visited = visit(server)
    visited.drop({"a.jpg": content, "b.jpg": content})
    visited.wait_until_done(2)
    button = visited.page.locator("#save-all")
    words = button.text_content()
    with visited.page.expect_download():
        pressed = visited.page.evaluate(
            """() => {
              const button = document.getElementById("save-all");
              button.click();
              document.getElementById("settings").dispatchEvent(new Event("change"));
              return button.disabled;
            }"""
        )
    assert pressed
    visited.page.wait_for_function("!document.getElementById('save-all').disabled")
    assert button.text_content() == words
    visited.assert_sound()


def test_saving__of_a_picture_that_is_removed(visit: Open, server: str, content: bytes) -> None:
    visited = visit(server)
    visited.drop({"a.jpg": content})
    visited.wait_until_done()
    with visited.page.expect_download():
        visited.page.evaluate(
            "for (const id of ['save', 'remove']) document.getElementById(id).click()"
        )
    visited.page.wait_for_timeout(200)
    assert visited.page.evaluate("document.getElementById('save').disabled")
    visited.assert_sound()


def test_undo__by_key_with_caps_lock(visit: Open, server: str, content: bytes) -> None:
    visited = visit(server)
    visited.drop({"a.jpg": content})
    visited.wait_until_done()
    stroke(visited)
    undo = visited.page.get_by_role("button", name="Undo", exact=True)
    assert undo.is_enabled()
    visited.page.evaluate(
        "dispatchEvent(new KeyboardEvent('keydown', { key: 'Z', ctrlKey: true }))"
    )
    assert undo.is_disabled()


def test_removing_the_last__leaves_the_keyboard_where_it_goes_on(
    visit: Open, server: str, content: bytes
) -> None:
    visited = visit(server)
    visited.drop({"a.jpg": content})
    visited.wait_until_done()
    visited.page.get_by_role("button", name="Remove this picture").focus()
    visited.page.keyboard.press("Enter")
    assert visited.page.evaluate("document.activeElement.id") == "choose"
