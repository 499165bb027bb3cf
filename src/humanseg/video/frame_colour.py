"""Colour and orientation of video frames, in FFmpeg's numbers."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from av import VideoFrame
    from av.filter import Graph

HD_LINES = 576
"""Untagged video whose shorter side is longer is taken as BT.709, as players do; else as BT.601."""

_RGB, _BT709, _UNSPECIFIED, _BT601 = 0, 1, 2, 6  # AVColorSpace
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_LIMITED_RANGE = 1  # AVCOL_RANGE_MPEG


class Colour(NamedTuple):
    """How a video's numbers stand for colours: FFmpeg's AVColorSpace and its companions."""

    matrix: int
    """From RGB to brightness and colour difference."""
    tagged: bool
    """The file says so itself."""
    full_range: bool
    """0 to 255 rather than 16 to 235."""
    primaries: int
    transfer: int


def colour_of(frame: VideoFrame) -> Colour:
    """Colour of a decoded frame; a frame in RGB is described as it should be written."""
    rgb = frame.format.is_rgb or frame.colorspace == _RGB
    tagged = not rgb and frame.colorspace != _UNSPECIFIED
    matrix = (
        frame.colorspace
        if tagged
        else (_BT709 if min(frame.width, frame.height) > HD_LINES else _BT601)
    )
    full = not rgb and (frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj"))
    return Colour(matrix, tagged or rgb, full, frame.color_primaries, frame.color_trc)


def matrix_of(colour: Colour) -> int:
    """The same in swscale's numbers (SWS_CS_*), which PyAV converts with."""
    return {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}.get(colour.matrix, 5)


def range_of(colour: Colour) -> int:
    """FFmpeg's AVColorRange."""
    return _FULL_RANGE if colour.full_range else _LIMITED_RANGE


_FILTERS: dict[tuple[int, int, int, int], tuple[tuple[str, str | None], ...]] = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (-1, 0, 0, -1): (("hflip", None), ("vflip", None)),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (-1, 0, 0, 1): (("hflip", None),),
    (1, 0, 0, -1): (("vflip", None),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}
"""Filters that do what a display matrix (signs of a, b, c, d) asks a player to do."""


class Turner:
    """Turns and mirrors frames as the file's display matrix says, to the nearest quarter turn."""

    def __init__(self) -> None:
        self._filters: tuple[tuple[str, str | None], ...] = ()
        self._graph: Graph | None = None
        self._made_for: tuple[object, ...] = ()

    def learn(self, frame: VideoFrame) -> None:
        """Take the display matrix from a frame; none means upright."""
        from av.sidedata.sidedata import SideDataContainer, Type

        sides = cast(SideDataContainer, frame.side_data)  # PyAV's stubs tell of motion vectors only
        if Type.DISPLAYMATRIX not in sides:
            return
        data = bytes(sides[Type.DISPLAYMATRIX])
        a, b, _, c, d, *_ = struct.unpack("=9i", data)  # 16.16, row by row; see tkhd in ISO 14496
        if abs(a) + abs(d) >= abs(b) + abs(c):
            signs = (_sign(a), 0, 0, _sign(d))
        else:
            signs = (0, _sign(b), _sign(c), 0)
        self._filters = _FILTERS.get(signs, ())

    @property
    def swaps(self) -> bool:
        """Width and height change places."""
        return any(name == "transpose" for name, _ in self._filters)

    def upright(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after turning."""
        return (height, width) if self.swaps else (width, height)

    def turn(self, frame: VideoFrame) -> VideoFrame:
        """The frame as a player shows it."""
        if not self._filters:
            return frame
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if self._graph is None or kind != self._made_for:
            self._graph, self._made_for = self._build(frame), kind
        duration = frame.duration
        self._graph.vpush(frame)
        turned = self._graph.vpull()
        turned.duration = duration
        return turned

    def _build(self, frame: VideoFrame) -> Graph:
        from av.filter import Graph

        graph = Graph()
        source = graph.add(
            "buffer",
            f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/1"
            f":colorspace={frame.colorspace}:range={frame.color_range}",
        )
        nodes = [graph.add(name, argument) for name, argument in self._filters]
        graph.link_nodes(source, *nodes, graph.add("buffersink")).configure()
        return graph


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)
