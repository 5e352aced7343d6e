"""What a search optimises, and a candidate as its objectives see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Direction = Literal["maximize", "minimize"]
_LEAST_KNOWN = 1e-9


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
