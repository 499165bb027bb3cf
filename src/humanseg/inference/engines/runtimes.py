"""Import the engines that run networks, with their telemetry switched off.

ONNX Runtime from 1.29 writes a device identifier into the user's cache and reports to Microsoft;
only `ORT_DISABLE_TELEMETRY`, set before the import, prevents it. `import openvino` writes a client
identifier to `~/intel` and reports to Google Analytics, without asking, unless its telemetry
package cannot be imported.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from types import ModuleType

from humanseg.system.errors import UsageError

_TELEMETRY = "openvino_telemetry"

_lock = threading.Lock()


def import_onnxruntime() -> ModuleType:
    """The package `onnxruntime`; `UsageError` where it is not installed, or broken."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    return _imported("onnxruntime", "pip install --force-reinstall onnxruntime")


def import_openvino() -> ModuleType:
    """The package `openvino`; `UsageError` where it is not installed, or broken."""
    with _lock:
        hidden = "openvino" not in sys.modules and _TELEMETRY not in sys.modules
        if hidden:
            sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # its import fails
        try:
            return _imported("openvino", 'pip install "humanseg[openvino]"')
        finally:
            if hidden:
                del sys.modules[_TELEMETRY]


def _imported(name: str, cure: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise UsageError(f"{name} is broken ({error}); install it again: {cure}") from error
        raise UsageError(f"{name} is not installed; install it with: {cure}") from error
    except Exception as error:  # a broken package can raise anything
        raise UsageError(
            f"{name} cannot be loaded ({' '.join(str(error).split())}); install it again: {cure}"
        ) from error
