"""Keep Pillow's warnings about strangers' files from the user: what matters is said otherwise."""

from __future__ import annotations

import logging
import threading
import warnings
from types import TracebackType

# Without a handler of its own Python would print Pillow's log of damaged files to stderr.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class Quiet:
    """Context in which Pillow gives no warnings, in any number of threads at once.

    `warnings.catch_warnings` alone puts back, when threads overlap, what another thread had set,
    and may leave warnings off for good. Here the first one in switches them off and the last one
    out switches them on again. Only warnings that come from Pillow's modules are meant.
    """

    _lock = threading.Lock()
    _inside = 0
    _saved: warnings.catch_warnings[None] | None = None

    def __enter__(self) -> None:
        with Quiet._lock:
            if Quiet._inside == 0:
                Quiet._saved = warnings.catch_warnings()
                Quiet._saved.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)(\.|$)")
            Quiet._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with Quiet._lock:
            Quiet._inside -= 1
            if Quiet._inside == 0 and Quiet._saved is not None:
                Quiet._saved.__exit__(None, None, None)
                Quiet._saved = None
