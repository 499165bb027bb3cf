"""Where a camera is, for FFmpeg: v4l2 on Linux, AVFoundation on macOS, DirectShow on Windows."""

from __future__ import annotations

import sys
from pathlib import Path

from humanseg.errors import UsageError


def camera_address(number: int) -> tuple[str, str, dict[str, str]]:
    """What FFmpeg opens for a camera: address, format and options.

    Args:
        number: from 0, in the system's own order.

    Raises:
        UsageError: there is no such camera, or none can be reached on this system.
    """
    import av

    if sys.platform == "darwin":
        return str(number), "avfoundation", {"framerate": "30"}
    if sys.platform == "win32":
        devices = av.enumerate_input_devices("dshow")
        names = [device.name for device in devices if "video" in device.media_types]
        if 0 <= number < len(names):
            return f"video={names[number]}", "dshow", {}
        there = ", ".join(names) or "none"
    else:
        address = Path(f"/dev/video{number}")
        if address.exists():
            return str(address), "v4l2", {}
        there = ", ".join(sorted(path.name[5:] for path in Path("/dev").glob("video*"))) or "none"
    raise UsageError(f"there is no camera {number} (cameras here: {there}); connect one.")
