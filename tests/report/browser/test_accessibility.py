"""No finding of axe-core that keeps anyone from reading the page."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

RUN = """
const found = await axe.run(document, { resultTypes: ["violations"] });
return found.violations.map((one) => ({
  id: one.id,
  impact: one.impact,
  nodes: one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200)),
}));
"""


@pytest.fixture(scope="session")
def axe() -> str:
    spec = importlib.util.find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core-python is not installed")
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")


def serious(visit: Visit, axe: str, folder: Path, **looks: object) -> list[dict[str, object]]:
    seen = visit(folder, RUN, library=axe, **looks)
    assert seen.errors == []
    violations = cast(list[dict[str, object]], seen.value)
    return [violation for violation in violations if violation["impact"] in ("serious", "critical")]


@pytest.mark.parametrize(
    "looks", [{}, {"dark": True}, {"width": 390}], ids=["light", "dark", "phone"]
)
def test_report__everything_in_it_has_no_serious_finding(
    visit: Visit, axe: str, cross_validated: Path, looks: dict[str, Any]
) -> None:
    assert serious(visit, axe, cross_validated, **looks) == []


@pytest.mark.parametrize("name", ["unfinished", "evaluated"])
def test_report__of_other_kinds_has_no_serious_finding(
    visit: Visit, axe: str, name: str, request: pytest.FixtureRequest
) -> None:
    assert serious(visit, axe, request.getfixturevalue(name)) == []


def test_report__without_scripts_has_no_serious_finding(
    visit: Visit, axe: str, finished: Path
) -> None:
    assert serious(visit, axe, finished, own_script=False) == []


def test_axe__finds_what_is_wrong(visit: Visit, axe: str, finished: Path) -> None:
    spoil = "document.querySelector('.shot img').removeAttribute('alt');" + RUN
    violations = cast(list[dict[str, object]], visit(finished, spoil, library=axe).value)
    assert "image-alt" in [violation["id"] for violation in violations]
