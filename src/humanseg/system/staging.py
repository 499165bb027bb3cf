"""Write files that belong together at once or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A place to write `path` to, with other files beside it; all move there on success.

    Existing files of these names are replaced. `path` itself moves last, so that whoever sees it
    sees the others too.

    Args:
        path: file wanted; its folder is made if need be.

    Yields:
        A path of the same name in an empty folder beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield staging / path.name
        written = sorted(staging.iterdir(), key=lambda file: file.name == path.name)
        for file in written:
            file.chmod(0o644)
            file.replace(path.parent / file.name)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
