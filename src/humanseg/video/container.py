"""Open a video file or a camera, and choose the stream of it that is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from humanseg.images import MAX_PIXELS
from humanseg.system.errors import ImageError, UsageError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,apng,"
    "h264,hevc,m4v,ivf,mxf,dv,nut,wtv,yuv4mpegpipe,av1,obu"
)
"""What FFmpeg may take a file for. Playlists, which name other files and addresses, text and single
pictures, which it would play as well, are not among them."""


def require_av() -> None:
    """Raise a UsageError where PyAV is missing."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise UsageError(
            'video needs PyAV, which is missing; install it with: pip install "humanseg[video]"'
        ) from error


def open_camera(number: int) -> InputContainer:
    """Open a camera, see `camera_address`.

    Raises:
        UsageError: there is no such camera, or none can be reached on this system.
        ImageError: it cannot be opened.
    """
    import av

    address, kind, options = camera_address(number)
    try:
        return _opened(address, options, format=kind)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ImageError(f"camera {number}: cannot be opened ({reason(error)}).") from error


def camera_address(number: int) -> tuple[str, str, dict[str, str]]:
    """What FFmpeg opens for a camera: address, format and options.

    v4l2 on Linux, AVFoundation on macOS, DirectShow on Windows.
    """
    import av

    if sys.platform == "darwin":
        return str(number), "avfoundation", {"framerate": "30"}
    if sys.platform == "win32":
        devices = av.enumerate_input_devices("dshow")
        names = [device.name for device in devices if "video" in device.media_types]
        if 0 <= number < len(names):
            return f"video={names[number]}", "dshow", {}
        cameras = ", ".join(names)
    else:
        address = Path(f"/dev/video{number}")
        if address.exists():
            return str(address), "v4l2", {}
        cameras = ", ".join(sorted(path.name[5:] for path in Path("/dev").glob("video*")))
    raise UsageError(
        f"there is no camera {number} (cameras here: {cameras or 'none'}); connect one."
    )


def open_file(path: Path) -> InputContainer:
    """Open a video file; nothing that it may refer to is opened, and never the network.

    Raises:
        ImageError: missing, a folder, not readable, or not a video.
    """
    import av

    try:
        with path.open("rb"):  # the system's own words for what may not be read
            pass
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        return _opened(str(path.resolve()), options)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path}: is a folder, not a video.") from error
    except PermissionError as error:
        raise ImageError(f"{path}: may not be read (permission denied).") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ImageError(f"{path}: not a video in a known format, or cut short.") from error


def _opened(address: str, options: dict[str, str], **settings: str) -> InputContainer:
    import av

    if int(av.__version__.partition(".")[0]) < 19:  # from 19 on, texts that are no UTF-8 pass
        settings["metadata_errors"] = "replace"
    open_input: Callable[..., InputContainer] = av.open  # its overloads know one version
    return open_input(address, options=options, **settings)


def choose_stream(container: InputContainer, name: str) -> tuple[VideoStream, list[str]]:
    """The stream that a player shows, and notes on what is left out beside it.

    Raises:
        ImageError: no pictures, too many pixels, or a codec that is unknown here.
    """
    from av.stream import Disposition

    streams = container.streams
    shown = [s for s in streams.video if not s.disposition & Disposition.attached_pic]
    if not shown:
        raise ImageError(f"{name}: has no pictures, only sound or data.")
    best = streams.best("video")
    stream = next((stream for stream in shown if stream == best), shown[0])
    if stream.codec_context is None:
        raise ImageError(f"{name}: its codec is unknown here; convert it to H.264 first.")
    check_pixels(stream.codec_context.width, stream.codec_context.height, name)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # sizes may change on the way
    stream.thread_type = "AUTO"
    left_out = {
        f"one of {len(shown)} video streams is used": len(shown) > 1,
        "subtitles are left out": streams.subtitles,
        "data streams are left out": streams.data,
        "attachments are left out": streams.attachments,
        "chapters are left out": container.chapters(),
        # FFmpeg's own decoders of VP8 and VP9 overlook it.
        "transparency is not read": stream.metadata.get("alpha_mode") == "1",
    }
    return stream, [note for note, present in left_out.items() if present]


def check_pixels(width: int, height: int, name: str) -> None:
    """Refuse a video of more than `MAX_PIXELS` with an ImageError."""
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width}x{height} pixels; at most {MAX_PIXELS // 1_000_000} million "
            "are allowed. Make it smaller first."
        )


def reason(error: BaseException) -> str:
    """What FFmpeg or the system says, without numbers and addresses."""
    return getattr(error, "strerror", None) or str(error)
