"""No finding of axe-core that keeps anyone from using the page, in every state of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from tests.builders.page_visit import Open, Visit

pytestmark = pytest.mark.browser
LOOKS = [{}, {"dark": True}, {"width": 390}, {"width": 390, "dark": True}]
RUN = """async () => {
  const report = await axe.run(document, { resultTypes: ["violations"] });
  return report.violations.map(({ id, impact, nodes }) => ({ id, impact, html: nodes[0].html }));
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    spec = importlib.util.find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core-python is not installed")
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def serious(visited: Visit, axe: str) -> list[dict[str, str]]:
    if not visited.page.evaluate("'axe' in window"):
        visited.page.evaluate(axe)
    visited.page.wait_for_timeout(300)
    violations: list[dict[str, str]] = visited.page.evaluate(RUN)
    return [finding for finding in violations if finding["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("looks", LOOKS, ids=["light", "dark", "phone", "dark phone"])
def test_page__has_no_serious_finding(
    visit: Open, server: str, axe: str, pictures: dict[str, bytes], looks: dict[str, object]
) -> None:
    visited = visit(server, **looks)
    assert serious(visited, axe) == []
    visited.drop({"a.jpg": pictures["00-plain.jpg"], "b.txt": b"no picture"})
    visited.wait_until_done()
    for kind in ("transparent", "colour", "blur", "picture"):
        visited.page.locator(f"[name=background][value={kind}] + span").click()
        assert serious(visited, axe) == []
    visited.page.locator("[name=tool][value=add] + span").click()
    visited.page.get_by_role("button", name="b.txt, failed").click()
    assert serious(visited, axe) == []


def test_axe__finds_what_is_wrong(visit: Open, server: str, axe: str) -> None:
    visited = visit(server)
    visited.page.evaluate("document.querySelector('.brand img').removeAttribute('alt')")
    assert [finding["id"] for finding in serious(visited, axe)] == ["image-alt"]
