"""A small chart kit: a panel with two linear axes, drawn as inline SVG.

Colours and fonts come from the page's style sheet through classes, so that charts follow light and
dark.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from markupsafe import Markup

BELOW = 44
"""SVG units beneath the plotting area, for ticks and the axis's name."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers within [low, high], about five of them."""
    if not high > low:
        return [low]
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def tenth_below(value: float) -> float:
    """The tenth below a score, for an axis to begin at."""
    return max(0.0, math.floor(value * 10 - 1e-9) / 10)


def plain(value: float) -> str:
    """A tick's label without needless zeros."""
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def _coordinate(value: float) -> str:
    """With one decimal, so that files stay small and equal."""
    return f"{value:.1f}".removesuffix(".0")


def _star(corners: int, inner: float, turn: float = 0.0) -> tuple[tuple[float, float], ...]:
    """Corners on a circle, those between them nearer to its middle."""
    step = math.pi / corners
    return tuple(
        (radius * math.sin(turn + index * step), -radius * math.cos(turn + index * step))
        for index, radius in enumerate([1.35, inner] * corners)
    )


_SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    (),  # a circle
    ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    ((0.0, -1.25), (1.15, 0.85), (-1.15, 0.85)),
    ((0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)),
    _star(4, 0.45, math.pi / 4),
    ((-1.15, -0.85), (1.15, -0.85), (0.0, 1.25)),
    _star(5, 0.55),
    _star(4, 0.4),
)
"""A marker's corners by the network's slot, in sizes."""


@dataclass(frozen=True)
class Axis:
    """A linear axis."""

    low: float
    high: float
    label: str
    show: Callable[[float], str] = plain
    marks: tuple[float, ...] | None = None
    """Ticks; chosen from the range if unset."""

    @property
    def ticks(self) -> Sequence[float]:
        """Where the axis is labelled."""
        return ticks(self.low, self.high) if self.marks is None else self.marks

    def share(self, value: float) -> float:
        """Position of a value, 0 at the low end and 1 at the high end."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5

    def inside(self, value: float) -> float:
        """A value on the axis; of one beyond an end, that end."""
        return max(self.low, min(value, self.high))


class Panel:
    """One chart. `x` and `y` turn data into SVG units; `add` draws."""

    def __init__(
        self,
        title: str,
        description: str,
        *,
        size: tuple[int, int],
        margins: tuple[int, int, int],
        x_axis: Axis,
        y_axis: Axis | None = None,
    ) -> None:
        """Draw the axes; `margins` are left, above and right of the plotting area."""
        width, height = size
        self.left, self.top, right = margins
        self.right, self.bottom = width - right, height - BELOW
        self.x_axis, self.y_axis = x_axis, y_axis
        self.root = ET.Element(
            "svg", {"viewBox": f"0 0 {width} {height}", "role": "img", "class": "chart"}
        )
        self.add("title", text=title)
        self.add("desc", text=description)
        self._draw_x_axis()
        if y_axis is not None:
            self._draw_y_axis(y_axis)

    def add(
        self,
        tag: str,
        attributes: dict[str, str | float] | None = None,
        *,
        text: str = "",
        parent: ET.Element | None = None,
    ) -> ET.Element:
        """Append an element; numbers become coordinates, text is escaped."""
        values = {
            name: value if isinstance(value, str) else _coordinate(value)
            for name, value in (attributes or {}).items()
        }
        element = ET.SubElement(self.root if parent is None else parent, tag, values)
        element.text = text or None
        return element

    def x(self, value: float) -> float:
        """Horizontal position of a value."""
        return self.left + self.x_axis.share(value) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Vertical position of a value on the vertical axis."""
        share = self.y_axis.share(value) if self.y_axis else 0.5
        return self.bottom - share * (self.bottom - self.top)

    def label(
        self, x: float, y: float, text: str, kind: str = "tick", anchor: str = "start"
    ) -> None:
        """Write text at a point, `kind` being its style."""
        self.add("text", {"x": x, "y": y, "class": kind, "text-anchor": anchor}, text=text)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """Draw a straight line, `kind` being its style."""
        self.add("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": kind})

    def path(
        self, points: Sequence[tuple[float, float]], kind: str, *, closed: bool = False
    ) -> ET.Element:
        """Draw a line through points, or what it encloses; `kind` is its style."""
        tag = "polygon" if closed else "polyline"
        pairs = " ".join(f"{_coordinate(x)},{_coordinate(y)}" for x, y in points)
        return self.add(tag, {"points": pairs, "class": kind})

    def series(self, slot: int, points: Sequence[tuple[float, float]], notes: list[str]) -> None:
        """Draw a network's line through data points, a marker with its note on each."""
        corners = [(self.x(x), self.y(y)) for x, y in points]
        self.path(corners, f"curve net-{slot}")
        for (x, y), note in zip(corners, notes, strict=True):
            self.marker(x, y, slot, note)

    def marker(
        self, x: float, y: float, slot: int, note: str = "", *, size: float = 3.2, kind: str = ""
    ) -> None:
        """Draw a network's marker: its shape tells it apart where colour does not.

        `slot` gives both, from 1, or neither with 0; `note` is shown when pointed at, and `size` is
        half the marker's extent in SVG units.
        """
        style = f"marker net-{slot} {kind}".rstrip()
        corners = _SHAPES[(slot - 1) % len(_SHAPES)] if slot else ()
        if corners:
            points = [(x + size * dx, y + size * dy) for dx, dy in corners]
            element = self.path(points, style, closed=True)
        else:
            element = self.add("circle", {"cx": x, "cy": y, "r": size, "class": style})
        if note:
            self.add("title", text=note, parent=element)

    def render(self) -> Markup:
        """The chart as HTML."""
        # ElementTree has escaped every text and attribute.
        return Markup(ET.tostring(self.root, encoding="unicode"))

    def _draw_x_axis(self) -> None:
        for value in self.x_axis.ticks:
            x = self.x(value)
            self.line(x, self.top, x, self.bottom, "grid")
            self.label(x, self.bottom + 17, self.x_axis.show(value), anchor="middle")
        self.line(self.left, self.bottom, self.right, self.bottom, "axis")
        middle = (self.left + self.right) / 2
        self.label(middle, self.bottom + 36, self.x_axis.label, "axis-label", "middle")

    def _draw_y_axis(self, axis: Axis) -> None:
        for value in axis.ticks:
            y = self.y(value)
            self.line(self.left, y, self.right, y, "grid")
            self.label(self.left - 7, y + 4, axis.show(value), anchor="end")
        # Above the axis instead of turned beside it: readable without tilting the head.
        self.label(0, self.top - 12, axis.label, "axis-label")


@cache
def key(slot: int) -> Markup:
    """A network's marker alone, for legends and tables; nothing for 0."""
    if not slot:
        return Markup("")
    axis = Axis(0.0, 1.0, "", marks=())
    panel = Panel("", "", size=(12, 12), margins=(0, 0, 0), x_axis=axis)
    panel.root = ET.Element("svg", {"viewBox": "0 0 12 12", "class": "key", "aria-hidden": "true"})
    panel.marker(6, 6, slot, size=4.2)
    return panel.render()
