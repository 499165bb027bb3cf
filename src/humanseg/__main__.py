"""`python -m humanseg` is the command `humanseg`."""

from __future__ import annotations

import sys

from humanseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
