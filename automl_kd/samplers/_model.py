"""One quantity at any candidate: observations of several fidelities in, a normal distribution out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers._encoding import Layout, Points
from automl_kd.samplers._process import Hyperparameters, Process, Sample, fit
from automl_kd.samplers._readings import Readings
from automl_kd.samplers._warp import Warp

Array = NDArray[np.float64]

_MOST_FITTED = 160
"""Observations that hyper-parameters are learned from; a likelihood costs their cube."""
_MOST_CONDITIONED = 400
"""Observations that a prediction rests on; it costs their square for every candidate."""
_GROWTH = 1.08
"""Hyper-parameters are learned anew once there are so many times more observations."""
_FIRST_ITERATIONS, _MORE_ITERATIONS = 40, 12
_ENOUGH_PAIRS = 4
_STEEPEST = 3.0


class Model:
    """A quantity as a Gaussian process that keeps what it learned from one call to the next.

    Args:
        layout: Of the points.
        seed: Of the choice of observations where there are many.
    """

    def __init__(self, layout: Layout, seed: int) -> None:
        self._layout = layout
        self._seed = seed
        self._hyperparameters: Hyperparameters | None = None
        self._fitted = 0
        self._levels = 0

    def condition(self, readings: Readings, levels: int, pending: Points | None) -> Posterior:
        """The quantity given what was observed, and what is under way taken at its expected value.

        Args:
            readings: At least one.
            levels: Number of fidelities; the last is full.
            pending: Candidates under way, or None.
        """
        values = _on_one_scale(readings, levels)
        warp = Warp.of(values)
        rows = _subset(readings.first, _MOST_CONDITIONED, self._seed)
        sample = Sample(readings.points[rows], readings.levels[rows], warp(values[rows]))
        self._learn(sample, readings.first[rows], levels, len(values))
        assert self._hyperparameters is not None
        process = Process(sample, self._layout, self._hyperparameters)
        if pending is not None and len(pending):
            believed = process.mean(pending, levels - 1)
            tasks = np.concatenate([sample.tasks, np.full(len(pending), levels - 1)])
            joined = Sample(sample.points.join(pending), tasks, np.concatenate([sample.values, believed]))
            process = Process(joined, self._layout, self._hyperparameters)
        return Posterior(process, warp, levels - 1)

    def _learn(self, sample: Sample, first: NDArray[np.bool_], levels: int, count: int) -> None:
        start = self._hyperparameters if self._levels == levels else None
        if start is not None and count < self._fitted * _GROWTH:
            return
        rows = _subset(first, _MOST_FITTED, self._seed)
        sample = Sample(sample.points[rows], sample.tasks[rows], sample.values[rows])
        iterations = _FIRST_ITERATIONS if start is None else _MORE_ITERATIONS
        self._hyperparameters = fit(sample, self._layout, levels, start, iterations)
        self._fitted, self._levels = count, levels


@dataclass(frozen=True)
class Posterior:
    """A quantity after observation, on the warped scale.

    Attributes:
        process: The Gaussian process.
        warp: From values to the scale of the process.
        level: Full fidelity.
    """

    process: Process
    warp: Warp
    level: int

    def predict(self, points: Points) -> tuple[Array, Array]:
        """Mean and standard deviation at full fidelity, shape (m,) each."""
        return self.process.predict(points, self.level)


def _on_one_scale(readings: Readings, levels: int) -> Array:
    """Values of lower fidelities as they would look at full fidelity.

    Only promising trials reach a higher fidelity, so each fidelity's own mean and spread would tell a tale of who was
    promoted. The line through the trials that were seen at both does not.
    """
    values = readings.values.copy()
    if levels == 1:
        return values
    by_level: list[Mapping[int, int]] = [
        {int(readings.trials[row]): int(row) for row in np.flatnonzero(readings.levels == level)}
        for level in range(levels)
    ]
    for level in reversed(range(levels - 1)):
        pairs = [
            (by_level[level][trial], by_level[above][trial])
            for trial in by_level[level]
            for above in [next((a for a in range(levels - 1, level, -1) if trial in by_level[a]), None)]
            if above is not None
        ]
        if not pairs:
            continue
        low = values[[row for row, _ in pairs]]
        high = values[[row for _, row in pairs]]
        slope = 1.0
        if len(pairs) >= _ENOUGH_PAIRS and low.std() > 0:
            slope = float(np.clip(high.std() / low.std(), 1.0 / _STEEPEST, _STEEPEST))
        rows = list(by_level[level].values())
        values[rows] = np.median(high) + slope * (values[rows] - np.median(low))
    return values


def _subset(first: NDArray[np.bool_], most: int, seed: int) -> NDArray[np.int64]:
    """All rows, or where there are too many those that come first and a random share of the others."""
    if len(first) <= most:
        return np.arange(len(first))
    rng = np.random.default_rng(seed)
    wanted, others = np.flatnonzero(first), np.flatnonzero(~first)
    wanted = wanted[-(most // 2) :]
    rest = rng.permutation(others)[: most - len(wanted)]
    return np.sort(np.concatenate([wanted, rest]))
