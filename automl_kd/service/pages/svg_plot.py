"""What plots drawn on the server share: scales, axes, marks. Colours are classes: a page may be light or dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 30, 46
_LETTER, _LINE = 6.6, 14
"""About as wide is a letter of a label, and as high a line of it."""
_PLAIN = 4
"""Radius from which on a circle is kept clear of names."""


@dataclass(frozen=True)
class Scale:
    """Where values lie along an axis.

    Attributes:
        low: Value at its first end; above ``high`` where smaller values are further along.
        high: Value at its last end.
        first: Place of the first end.
        last: Place of the last end.
        logarithmic: Whether equal ratios are equally far apart.
    """

    low: float
    high: float
    first: float
    last: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """The place of a value."""
        low, high, value = (self._even(each) for each in (self.low, self.high, value))
        share = 0.5 if high == low else (value - low) / (high - low)
        return round(self.first + share * (self.last - self.first), 1)

    def holds(self, value: float) -> bool:
        """Whether a value lies between the ends."""
        return min(self.low, self.high) <= value <= max(self.low, self.high)

    def _even(self, value: float) -> float:
        return math.log(max(value, 1e-12)) if self.logarithmic else value


@dataclass(frozen=True)
class Axis:
    """An axis: its ends, its marks, and what it is of.

    Attributes:
        low: Value at its first end.
        high: Value at its last end.
        marks: Value and label of each mark.
        title: What it is of.
        logarithmic: Whether equal ratios are equally far apart.
    """

    low: float
    high: float
    marks: Sequence[tuple[float, str]]
    title: str
    logarithmic: bool = False


class Plot:
    """A plot that is being drawn.

    Args:
        width: In pixels, as wide as it is meant to be shown.
        height: In pixels.
        x: To the right.
        y: Upwards.
    """

    def __init__(self, width: int, height: int, x: Axis, y: Axis) -> None:
        self.width, self.height = width, height
        self.x = Scale(x.low, x.high, _LEFT, width - _RIGHT, x.logarithmic)
        self.y = Scale(y.low, y.high, height - _BOTTOM, _TOP, y.logarithmic)
        self._parts: list[str] = []
        self._taken: list[tuple[float, float, float, float]] = []
        self._draw_axes(x, y)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """A straight line between two places."""
        self._parts.append(f'<line class="{kind}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')

    def path(self, places: Sequence[tuple[float, float]], kind: str) -> None:
        """A line through places."""
        told = " ".join(f"{x:g},{y:g}" for x, y in places)
        self._parts.append(f'<polyline class="{kind}" points="{told}"/>')

    def dot(self, x: float, y: float, radius: float, kind: str, told: str = "") -> None:
        """A circle, with what a pointer over it tells; names keep off the larger ones."""
        if radius >= _PLAIN:
            self._taken.append((x - radius, y - radius, x + radius, y + radius))
        inner = f"<title>{escape(told)}</title>" if told else ""
        self._parts.append(f'<circle class="{kind}" cx="{x:g}" cy="{y:g}" r="{radius:g}">{inner}</circle>')

    def text(self, x: float, y: float, words: str, anchor: str = "middle", kind: str = "label") -> None:
        """Words at a place."""
        self._parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>')

    def name(self, x: float, y: float, words: str, off: float) -> None:
        """Words beside a dot, where they meet no others if there is such a place; else none."""
        width = _LETTER * len(words)
        sides = [(x - off, "end"), (x + off, "start")]  # nothing lies above and to the left of a front
        heights = [y - off, y + off + 8, y + 4, y - off - _LINE, y + off + 8 + _LINE]
        for height in heights:
            for side, anchor in sides:
                left = side if anchor == "start" else side - width
                box = (left, height - _LINE + 2, left + width, height + 2)
                if self._is_free(box):
                    self._taken.append(box)
                    self.text(side, height, words, anchor, "role")
                    return

    def _is_free(self, box: tuple[float, float, float, float]) -> bool:
        left, top, right, bottom = box
        if left < self.x.first or right > self.width or top < 0 or bottom > self.y.first:
            return False
        return not any(left < x2 and right > x1 and top < y2 and bottom > y1 for x1, y1, x2, y2 in self._taken)

    def across(self, y: float, kind: str, words: str) -> None:
        """A line at a value of the upward axis, named at its end."""
        place = self.y.at(y)
        self.line(self.x.first, place, self.x.last, place, kind)
        self.text(self.x.last - 2, place - 4, words, "end")

    def upwards(self, x: float, kind: str, words: str) -> None:
        """A line at a value of the axis to the right, named at its foot."""
        place = self.x.at(x)
        self.line(place, self.y.first, place, self.y.last, kind)
        self.text(place - 4, self.y.first - 6, words, "end")

    def svg(self, told: str) -> Markup:
        """The whole, an image with a name for those who do not see it."""
        inner = "\n".join(self._parts)
        return Markup(
            f'<svg class="plot" viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
            f' role="img" aria-label="{escape(told)}" xmlns="http://www.w3.org/2000/svg">\n{inner}\n</svg>'
        )

    def _draw_axes(self, x: Axis, y: Axis) -> None:
        for value, label in x.marks:
            if self.x.holds(value):
                place = self.x.at(value)
                self.line(place, self.y.first, place, self.y.last, "grid")
                self.text(place, self.y.first + 16, label)
        for value, label in y.marks:
            if self.y.holds(value):
                place = self.y.at(value)
                self.line(self.x.first, place, self.x.last, place, "grid")
                self.text(self.x.first - 6, place + 4, label, "end")
        self.text((self.x.first + self.x.last) / 2, self.height - 8, x.title, kind="title")
        self.text(2, 14, y.title, "start", "title")


def thinned(marks: Sequence[tuple[float, str]], most: int) -> list[tuple[float, str]]:
    """At most so many of the marks, evenly."""
    step = max(1, math.ceil(len(marks) / most))
    return list(marks[::step])
