"""`humanseg`, but freed memory goes back to the system, to see what keeping it brings."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from unittest.mock import patch

from humanseg.cli import main
from humanseg.system import malloc


def returning_memory() -> AbstractContextManager[object]:
    """While it lasts, `keep_freed_memory` finds nothing that it could change."""
    return patch.object(malloc, "_glibc", return_value=None)


if __name__ == "__main__":
    with returning_memory():
        sys.exit(main())
