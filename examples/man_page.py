"""The manual page, from the same descriptions as `humanseg --help`, as reStructuredText.

    python examples/man_page.py | rst2man - humanseg.1

`rst2man` is in the package docutils. `make release` puts the page beside the wheel.
"""

from __future__ import annotations

import sys

from humanseg.cli.app import build_app


def main() -> None:
    """Write to standard output, with the head that rst2man makes a manual's name of."""
    app = build_app()
    _, _, commands = app.generate_docs("rst").partition("**Commands:**\n")
    rule = "-" * len(app.help)
    head = f"========\nhumanseg\n========\n\n{rule}\n{app.help}\n{rule}\n\n:Manual section: 1\n"
    sys.stdout.write(f"{head}\nCommands\n========\n{commands}")


if __name__ == "__main__":
    main()
