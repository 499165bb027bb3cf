"""Pages of the reference: one for each package with an `__all__`, each name on one page only."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from inspect import getdoc, isfunction
from pathlib import Path
from pkgutil import walk_packages
from pydoc import locate
from shutil import copyfile
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon.docstring import GoogleDocstring

import humanseg
from humanseg.config.section import Section

API = Path(__file__).parents[1] / "api"
_NO_API = {"humanseg.cli", "humanseg.models.cpu"}
"""The command line has a page of its own; the other is for `training` alone."""


@cache
def public_names() -> dict[str, list[str]]:
    """Names in the `__all__` of each package, without those that a package above it has."""
    packages = [
        module.name for module in walk_packages(humanseg.__path__, "humanseg.") if module.ispkg
    ]
    names: dict[str, list[str]] = {}
    seen: set[tuple[str, int]] = set()
    for package in ["humanseg", *sorted(packages, key=lambda name: (name.count("."), name))]:
        module = import_module(package)
        if package in _NO_API or not hasattr(module, "__all__"):
            continue
        own = {(name, id(getattr(module, name))) for name in module.__all__} - seen
        names[package] = sorted(name for name, _ in own)
        seen |= own
    return names


def _write_pages(app: Sphinx) -> None:
    API.mkdir(exist_ok=True)
    pages = {
        API / f"{package}.md": _page(package, names) for package, names in public_names().items()
    }
    for old in set(API.glob("*.md")) - set(pages):
        old.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _page(package: str, names: list[str]) -> str:
    values = {name: getattr(import_module(package), name) for name in names}
    sections = [name for name in names if _is_a(values[name], Section)]
    others = [name for name in names if name not in sections]
    others.sort(key=lambda name: _is_a(values[name], Exception))
    text = f"# {package}\n\n```{{eval-rst}}\n.. automodule:: {package}\n   :no-members:\n"
    text += "".join(_directive(f"{package}.{name}", values[name]) for name in others) + "```\n"
    if not sections:
        return text
    text += (
        "\n## Configuration\n\nEvery setting of these is in [configuration](../configuration.md).\n"
    )
    classes = "".join(f".. autoclass:: {package}.{name}\n   :no-members:\n" for name in sections)
    return f"{text}\n```{{eval-rst}}\n{classes}```\n"


def _is_a(value: object, kind: type) -> bool:
    return isinstance(value, type) and issubclass(value, kind)


def _directive(name: str, value: object) -> str:
    if _is_a(value, Exception):
        return f".. autoexception:: {name}\n"
    word = "class" if isinstance(value, type) else "function" if isfunction(value) else "data"
    return f".. auto{word}:: {name}\n"


def _add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """The tree of the site is the list of pages that docs/README.md is."""
    if page != app.config.root_doc:
        return
    index = (API.parents[0] / "README.md").read_text(encoding="utf-8")
    trees: list[str] = []
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        caption, _, text = section.partition("\n")
        pages = [_docname(target) for target in re.findall(r"\]\(([^)#]+)\.md\)", text)]
        if not trees:
            pages.insert(0, "All pages <docs/README>")
        trees.append(
            f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n" + "\n".join(pages) + "\n```\n"
        )
    source[0] += "\n\n" + "\n".join(trees)


def _docname(target: str) -> str:
    return target.removeprefix("../") if target.startswith("../") else f"docs/{target}"


def _find_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Annotations name a class by the module that it is made in; the reference by its package."""
    name = _homes().get(node["reftarget"])
    if name is None:  # a type of a signature that no `__all__` has stays without a link
        return content if locate(node["reftarget"]) else None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)


@cache
def _homes() -> dict[str, str]:
    """Public names by those that they have in the module where they are made."""
    homes = {}
    for package, names in public_names().items():
        for name in names:
            value: Any = getattr(import_module(package), name)
            home = getattr(value, "__module__", None)
            homes[f"{home}.{getattr(value, '__qualname__', name)}"] = f"{package}.{name}"
    return homes


def _leave_out_docstring_of_type(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """A constant without a docstring would get that of `dict` or `ndarray`."""
    if what == "data" and lines[:1] == (getdoc(value) or "").splitlines()[:1]:
        lines.clear()


def _copy_first_page(app: Sphinx, error: Exception | None) -> None:
    """A web server looks for index.html."""
    if error is None and app.builder.format == "html":
        copyfile(app.outdir / f"{app.config.root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> dict[str, bool]:
    """Hooks into the build."""
    # A colon in the docstring of an attribute is one of a sentence, not the end of a type.
    GoogleDocstring._consume_inline_attribute = lambda self: (  # type: ignore[method-assign]
        "",
        self._dedent(self._consume_to_end()),
    )
    app.connect("builder-inited", _write_pages)
    app.connect("autodoc-process-docstring", _leave_out_docstring_of_type, priority=400)
    app.connect("source-read", _add_navigation)
    app.connect("missing-reference", _find_public_name)
    app.connect("build-finished", _copy_first_page)
    return {"parallel_read_safe": True}
