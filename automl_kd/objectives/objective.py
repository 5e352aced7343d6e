"""What a search optimises, and a candidate as its objectives see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import difference_in_unit, in_unit, spread_in_unit

Direction = Literal["maximize", "minimize"]
_LEAST_KNOWN = 1e-9
_EXTREMES = {"latency_ms": "fastest", "energy_mj": "thriftiest", "size_bytes": "lightest"}


@dataclass(frozen=True)
class Objective:
    """One quantity that a search makes as large or as small as it can.

    >>> Objective("latency_ms@raspberry-pi-4", "minimize", "ms", known=True).title
    'latency on raspberry-pi-4'

    Attributes:
        name: Such as ``accuracy``, ``latency_ms``, ``latency_ms@raspberry-pi-4`` or ``memory_bytes``.
        direction: Whether large or small values are good.
        unit: ``%``, ``nats``, ``ms``, ``bytes``, ``mJ`` or nothing.
        known: Whether it is a price, known before any training; else it is measured. Distances between prices count on
            a logarithmic scale: 1 ms and 2 ms are as far apart as 10 ms and 20 ms.
        title: Its name for people; made from the name where it is empty.
    """

    name: str
    direction: Direction
    unit: str
    known: bool = False
    title: str = ""

    def __post_init__(self) -> None:
        if not self.title:
            quantity, _, device = self.name.partition("@")
            words = quantity.removesuffix(f"_{self.unit.lower()}").replace("_", " ")
            object.__setattr__(self, "title", f"{words} on {device}" if device else words)

    def goodness(self, value: float) -> float:
        """The value with the sign that makes larger better.

        >>> Objective("latency_ms", "minimize", "ms", known=True).goodness(3.0)
        -3.0
        """
        return value if self.direction == "maximize" else -value

    @property
    def extreme_role(self) -> str:
        """What the point of a front is called that is best in this objective.

        >>> Objective("latency_ms@raspberry-pi-4", "minimize", "ms", known=True).extreme_role
        'fastest on raspberry-pi-4'
        """
        if not self.known:
            return "best"
        name, _, device = self.name.partition("@")
        adjective = _EXTREMES.get(name, "smallest" if self.direction == "minimize" else "largest")
        return f"{adjective} on {device}" if device else adjective

    def shown(self, value: float | None) -> str:
        """A value for people: ``97.8 %``, ``1.42 ms``; an en dash where there is none."""
        return in_unit(value, self.unit)

    def shown_difference(self, difference: float | None) -> str:
        """One value minus another for people, its sign not turned: ``+1.2 points``, ``−0.013 nats``."""
        return difference_in_unit(difference, self.unit)

    def shown_spread(self, deviation: float | None) -> str:
        """A standard deviation for people, without its unit."""
        return spread_in_unit(deviation, self.unit)

    def better(self, value: float, other: float) -> bool:
        """Whether the first of two values is the better."""
        return self.goodness(value) > self.goodness(other)

    def scaled(self, values: Sequence[float]) -> NDArray[np.float64]:
        """The values on the scale on which distances count, shape (n,): the logarithm of prices, else unchanged."""
        array = np.asarray(values, dtype=np.float64)
        return np.log(np.maximum(array, _LEAST_KNOWN)) if self.known else array


@dataclass(frozen=True)
class Point:
    """A candidate as a front sees it.

    Attributes:
        trial: Its number.
        values: One an objective, in the objectives' own units and order.
    """

    trial: int
    values: tuple[float, ...]
