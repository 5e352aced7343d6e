"""What trials say of one quantity, gathered once from each that has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers.encoding import Points
from automl_kd.samplers.finite import finite
from automl_kd.samplers.history import History, Observation

Array = NDArray[np.float64]
Encoded = Callable[[Observation], Points]


@dataclass(frozen=True)
class Readings:
    """Observations of one quantity, larger is better.

    Attributes:
        points: Where, n of them.
        levels: Fidelity of each, shape (n,): 0 is the lowest.
        values: Shape (n,).
        first: Shape (n,), whether it belongs to what must not be left out of a large sample.
    """

    points: Points
    levels: NDArray[np.int64]
    values: Array
    first: NDArray[np.bool_]

    def __getitem__(self, rows: NDArray[np.bool_]) -> Readings:
        return Readings(self.points[rows], self.levels[rows], self.values[rows], self.first[rows])


@dataclass(frozen=True)
class _Rows:
    """Readings with their epochs, infinite at full fidelity."""

    points: Points
    epochs: Array
    values: Array
    trials: NDArray[np.int64]

    def join(self, other: _Rows) -> _Rows:
        return _Rows(
            self.points.join(other.points),
            np.concatenate([self.epochs, other.epochs]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.trials, other.trials]),
        )


class Gathered:
    """The readings of a quantity, of any number of trials at the price of those that are new.

    Args:
        value: The quantity at full fidelity, None where a trial has not reached that.
        partial: Sign of what is known at lower fidelities, 0 where that is another quantity.
    """

    def __init__(self, value: Callable[[Observation], float | None], partial: float) -> None:
        self._value = value
        self._partial = partial
        self._taken = 0
        self._ended: _Rows | None = None

    def readings(self, history: History, members: frozenset[int], encoded: Encoded) -> tuple[Readings, int]:
        """All readings, and the number of fidelities among them.

        Args:
            history: With at least one reading.
            members: Trials of the front.
            encoded: Gives the point of a trial.
        """
        fresh = history.ended[self._taken :]
        self._taken = len(history.ended)
        self._ended = _joined(self._ended, self._rows(fresh, encoded))
        rows = _joined(self._ended, self._rows(history.under_way, encoded))
        assert rows is not None
        epochs = np.unique(rows.epochs[np.isfinite(rows.epochs)])
        levels = np.searchsorted(epochs, rows.epochs)
        first = np.isin(rows.trials, list(members))
        return Readings(rows.points, levels, finite(rows.values), first), len(epochs) + 1

    def _rows(self, observations: Sequence[Observation], encoded: Encoded) -> _Rows | None:
        found: list[tuple[Observation, float, float]] = []
        for each in observations:
            if self._partial:
                found += [(each, epoch, self._partial * reading) for epoch, reading in each.partial.items()]
            full = self._value(each)
            if full is not None:
                found.append((each, np.inf, full))
        if not found:
            return None
        points = [encoded(each) for each, _, _ in found]
        return _Rows(
            Points(
                np.concatenate([each.categories for each in points]), np.concatenate([each.ordered for each in points])
            ),
            np.array([epoch for _, epoch, _ in found], dtype=np.float64),
            np.array([value for _, _, value in found]),
            np.array([each.number for each, _, _ in found]),
        )


def _joined(left: _Rows | None, right: _Rows | None) -> _Rows | None:
    if left is None or right is None:
        return left or right
    return left.join(right)
