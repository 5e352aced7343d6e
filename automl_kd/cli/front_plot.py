"""The front of a study as a plot in text: the score over the first price, on a logarithmic scale."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from automl_kd.cli.canvas import Canvas

if TYPE_CHECKING:
    from automl_kd.objectives import Objective
    from automl_kd.results import TrialResult

NARROWEST = 60
"""Characters of a terminal below which nothing is plotted."""
LOWEST = 6
"""Lines of a plot without its title and axis, at least."""
_WIDE_INTERVAL = 0.5
"""Share of the axis above which intervals say nothing but that they are wide."""
_AROUND, _BORDER = 3, 4
"""Lines of title and axis; characters of a panel around it."""
_STEPS = (1, 2, 3, 5, 7)


class _Mark(NamedTuple):
    """A point of the front: on the axes, and the ends of its interval."""

    trial: int
    score: float
    price: float
    low: float
    high: float


def front_plot(
    front: Sequence[TrialResult], objectives: Sequence[Objective], width: int, height: int, *, plain: bool = False
) -> list[str]:
    """Lines of a plot; none where it would say nothing.

    Args:
        front: Its points.
        objectives: The score first, then prices; the first of these is the horizontal axis.
        width: Characters of a line.
        height: Lines in all.
        plain: Whether to use no characters but those of ASCII.
    """
    score, *prices = objectives
    marks = _marks(front, prices[0]) if prices else []
    rows = height - _AROUND
    if len(marks) < 2 or width < NARROWEST - _BORDER or rows < LOWEST:
        return []
    left, right = _ends(marks)
    high, low = max(mark.score for mark in marks), min(mark.score for mark in marks)
    levels = [high - row * (high - low) / (rows - 1) for row in range(rows)]
    labels = [score.shown(level) if row in (0, rows // 2, rows - 1) else "" for row, level in enumerate(levels)]
    canvas = Canvas(width - max(map(len, labels)) - 3, rows, plain=plain)

    def place(price: float, value: float) -> tuple[int, int]:
        across = math.log(price / left) / math.log(right / left) * (canvas.width - 1)
        return round(across), round((high - value) / (high - low) * (rows - 1) if high > low else 0)

    legible = _legible(marks, left, right)
    _draw(canvas, marks, place, legible)
    worse = " (lower is better)" if score.direction == "minimize" else ""
    wide = "" if legible or not _uncertain(marks) else ", 90 % intervals wider than this axis"
    title = f"{score.title}{worse} over {prices[0].title}, {prices[0].unit}{wide}"
    ticks = [(place(value, high)[0], f"{value:.3g}") for value in _ticks(left, right)]
    return [title[:width], *canvas.framed(labels, ticks)]


def _draw(canvas: Canvas, marks: Sequence[_Mark], place: Callable[[float, float], tuple[int, int]], ends: bool) -> None:
    """Points first, then their numbers, intervals, and the stairs between them."""
    places = [place(mark.price, mark.score) for mark in marks]
    for at in places:
        canvas.put(*at, "●")
    for (column, row), mark in zip(places, marks, strict=True):
        number = str(mark.trial)
        if canvas.free(column - 1 - len(number), row, len(number) + 1):
            canvas.put(column - 1 - len(number), row, f"{number} ")
        elif canvas.free(column + 1, row, len(number) + 2):  # where stairs and intervals go
            canvas.put(column + 1, row, f" {number} ")
    for (_, row), mark in zip(places, marks, strict=True):
        first, last = (max(0, place(price, mark.score)[0]) for price in (mark.low, mark.high)) if ends else (0, -1)
        canvas.put(first, row, "─" * (last - first + 1))
    for (column, row), (following, next_row) in itertools.pairwise(places):
        canvas.put(column, row, "·" * (following - column + 1))
        for between in range(min(row, next_row), max(row, next_row)):
            canvas.put(following, between, "·")


def _marks(front: Sequence[TrialResult], price: Objective) -> list[_Mark]:
    from automl_kd.studies.objectives import KnownObjective

    known = KnownObjective.of_name(price.name)
    priced = [(each, known.interval(each)) for each in front]
    found = [
        _Mark(each.trial, each.score, *interval)
        for each, interval in priced
        if math.isfinite(each.score) and 0 < interval[0] < math.inf
    ]
    return sorted(found, key=lambda mark: mark.price)


def _ends(marks: Sequence[_Mark]) -> tuple[float, float]:
    """Of the price axis: those of the points and a little more."""
    low, high = marks[0].price, marks[-1].price
    pad = (high / low) ** 0.04 if high > low else 1.1
    return low / pad, high * pad


def _legible(marks: Sequence[_Mark], left: float, right: float) -> bool:
    """Whether intervals are narrower than the axis, and there are any."""
    wide = sorted(math.log(mark.high / mark.low) if mark.low > 0 else math.inf for mark in marks)
    return 0 < wide[len(wide) // 2] < _WIDE_INTERVAL * math.log(right / left)


def _uncertain(marks: Sequence[_Mark]) -> bool:
    return any(mark.low < mark.high for mark in marks)


def _ticks(left: float, right: float) -> list[float]:
    """Round values on the axis; the ends of it where there are too few."""
    powers = range(math.floor(math.log10(left)), math.ceil(math.log10(right)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), _STEPS):
        found = [step * 10.0**power for power in powers for step in steps if left <= step * 10.0**power <= right]
        if len(found) >= 3:
            return found
    return found if len(found) > 1 else [left, right]
