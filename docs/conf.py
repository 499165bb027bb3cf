"""Settings of the site (`make docs`). Its source is the whole repository: links hold in both."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "humanseg"
author = "The humanseg contributors"
project_copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "cyclopts.sphinx_ext",
    "public_modules",
    "configuration_tables",
]

root_doc = "README"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/api/*.md",
    "benchmarks/README.md",
    "examples/README.md",
    "src/humanseg/model_directory/bundled/README.md",
    "packages/clean/src/humanseg_clean/model/README.md",
]
exclude_patterns = ["**/.*", "build", "dist", "data", "demo", "runs", "weights", "tests"]
nitpick_ignore_regex = [  # names of other libraries have no link: a build needs no network
    (r"py:.*", r"(?!humanseg\b).*"),
]

smartquotes = False  # they make a dash of the two hyphens of a flag
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]  # parts of the bundled model's card begin at the second level

autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "model_config"}
napoleon_numpy_docstring = False
default_role = "code"

html_theme = "furo"
html_title = "humanseg"
html_copy_source = False
html_show_sphinx = False
