"""Observations of one quantity, collected once from each trial that has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers.clipping import clip_infinite
from automl_kd.samplers.encoding import Points
from automl_kd.samplers.history import ObservedTrial, TrialHistory

Array = NDArray[np.float64]
Encode = Callable[[ObservedTrial], Points]


@dataclass(frozen=True)
class Observations:
    """n observations of one quantity, of which large values are good.

    Attributes:
        points: Parameters of each.
        levels: Fidelity of each, shape (n,): 0 is the lowest.
        values: Shape (n,).
        first: Whether a trial of the front was observed, shape (n,): where there are many observations, those are kept.
    """

    points: Points
    levels: NDArray[np.int64]
    values: Array
    first: NDArray[np.bool_]

    def __getitem__(self, rows: NDArray[np.bool_]) -> Observations:
        return Observations(self.points[rows], self.levels[rows], self.values[rows], self.first[rows])


@dataclass(frozen=True)
class _Rows:
    """Observations with their epochs instead of levels; the epoch is infinite at full fidelity."""

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


class ObservationStore:
    """All observations of a quantity; at each call only trials that are new or under way are read.

    Args:
        value: Gives the quantity of a trial at full fidelity, None where the trial has not come to that.
        reading_sign: Sign that makes large readings good; 0 where readings at lower fidelities are of another quantity.
    """

    def __init__(self, value: Callable[[ObservedTrial], float | None], reading_sign: float) -> None:
        self._value = value
        self._reading_sign = reading_sign
        self._taken = 0
        self._ended: _Rows | None = None

    def observations(self, history: TrialHistory, members: frozenset[int], encode: Encode) -> tuple[Observations, int]:
        """All observations, and the number of fidelities among them.

        Args:
            history: With at least one result of the quantity.
            members: Numbers of the front's trials.
            encode: Gives the point of a trial.
        """
        fresh = history.ended[self._taken :]
        self._taken = len(history.ended)
        self._ended = _joined(self._ended, self._rows(fresh, encode))
        rows = _joined(self._ended, self._rows(history.under_way, encode))
        assert rows is not None
        epochs = np.unique(rows.epochs[np.isfinite(rows.epochs)])
        levels = np.searchsorted(epochs, rows.epochs)
        first = np.isin(rows.trials, list(members))
        return Observations(rows.points, levels, clip_infinite(rows.values), first), len(epochs) + 1

    def _rows(self, trials: Sequence[ObservedTrial], encode: Encode) -> _Rows | None:
        found: list[tuple[ObservedTrial, float, float]] = []
        for each in trials:
            if self._reading_sign:
                found += [(each, epoch, self._reading_sign * reading) for epoch, reading in each.readings.items()]
            full = self._value(each)
            if full is not None:
                found.append((each, np.inf, full))
        if not found:
            return None
        points = [encode(each) for each, _, _ in found]
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
