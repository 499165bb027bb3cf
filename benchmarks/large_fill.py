"""Fill a cache and tell how far it is; what `large.py` starts, kills and starts again.

    large_fill.py DATA CACHE HEIGHT WIDTH

Prints a line of JSON per picture: how many are done, and when.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from humanseg.data.cache import Cache
from humanseg.data.layouts import discover


def main() -> None:
    """Do it."""
    data, folder, height, width = sys.argv[1:]
    samples = discover(Path(data))
    cache = Cache(Path(folder), note=lambda text: print(text, file=sys.stderr, flush=True))
    resized = cache.resized(samples, size=(int(height), int(width)), mask_resize="area")

    def progress(done: int, _: int) -> None:
        print(f"[{done}, {time.monotonic():.4f}]", flush=True)

    resized.prepare(range(len(samples)), progress)


if __name__ == "__main__":
    main()
