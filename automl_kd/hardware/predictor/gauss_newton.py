"""Damped Gauss-Newton steps, by which every fit of log-coefficients is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from automl_kd.hardware.predictor.cost import Floats

_LONGEST = 0.7
"""Most that a coefficient moves in one step, in natural logarithms."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How long a search goes on.

    Attributes:
        most: Steps at most.
        whole: The first so many steps are taken whole and later ones by half: a roofline is bent where its limits
            meet, so that whole steps would go back and forth across the bend.
        settled: The search ends where no coefficient would move by as much, in natural logarithms.
    """

    most: int
    whole: int
    settled: float

    def descend(self, start: Floats, move: Callable[[Floats], Floats]) -> None:
        """Search from a place.

        Args:
            start: Log-coefficients, of any shape.
            move: Told a place, says where the linearised problem there has its minimum, relative to the place. It keeps
                what it wants to remember of the places.
        """
        place = start
        for step in range(self.most):
            wanted = move(place)
            longest = float(np.abs(wanted).max())
            if longest < self.settled:
                return
            place = place + wanted * min(1.0, _LONGEST / longest) * (1.0 if step < self.whole else 0.5)
