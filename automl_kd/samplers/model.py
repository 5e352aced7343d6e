r"""One quantity at any candidate: observations of several fidelities in, a normal distribution out.

Each fidelity has a Gaussian process and a warp of its own, and takes what the one below expects of a candidate,
:math:`m_{s-1}(x)`, as a further input, with a linear effect beside the smooth one, as features have it:

.. math:: f_s(x) = g_s\big(x, m_{s-1}(x)\big), \qquad
    \operatorname{Var} f_s(x) = \operatorname{Var} g_s + \Big(\frac{\partial \bar g_s}{\partial m}\Big)^2
    \operatorname{Var} f_{s-1}(x)

So how a short training tells of a whole one is learned from those that had both, whatever its form, and is nothing
where it tells nothing; that only promising trials were trained on does no harm, for they were chosen by the input.
(Recursive co-kriging: Le Gratiet & Garnier 2014; with a process instead of a factor: Perdikaris et al. 2017.) One
process for all fidelities, with a correlation between them, was worse than none of them but the highest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers.encoding import FEATURE_SPREAD, Layout, Points
from automl_kd.samplers.process import Hyperparameters, Process, Sample, fit
from automl_kd.samplers.readings import Readings
from automl_kd.samplers.warp import Warp

Array = NDArray[np.float64]

_MOST_FITTED = 160
"""Observations that hyper-parameters are learned from; a likelihood costs their cube."""
_MOST_CONDITIONED = 400
"""Observations that a prediction rests on; it costs their square for every candidate."""
_GROWTH = 1.08
"""Hyper-parameters are learned anew once there are so many times more observations."""
_ENOUGH = 4
"""Observations of a fidelity that a process of its own needs; with fewer it is the one below, moved to their level."""
_FIRST_ITERATIONS, _MORE_ITERATIONS = 40, 12


class Model:
    """A quantity at several fidelities, which keeps what it learned from one call to the next.

    Args:
        layout: Of the points.
        seed: Of the choice of observations where there are many.
    """

    def __init__(self, layout: Layout, seed: int) -> None:
        self._layout = layout
        self._seed = seed
        self._stages: list[_Stage] = []

    def condition(self, readings: Readings, levels: int, pending: Points | None) -> Posterior:
        """The quantity given what was observed, and what is under way taken at its expected value.

        Args:
            readings: At least one.
            levels: Number of fidelities; the last is full.
            pending: Candidates under way, or None.

        Returns:
            The quantity at the highest fidelity that was observed.
        """
        if levels != len(self._stages):
            self._stages = [_Stage(self._layout, self._seed) for _ in range(levels)]
        posterior = None
        for level, stage in enumerate(self._stages):
            rows = readings.levels == level
            if posterior is not None and 0 < rows.sum() < _ENOUGH:
                posterior = posterior.moved(readings[rows])
            elif rows.any():
                posterior = stage.condition(readings[rows], pending, posterior)
        assert posterior is not None
        return posterior


class _Stage:
    """A quantity at one fidelity."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self._layout = layout
        self._seed = seed
        self._hyperparameters: Hyperparameters | None = None
        self._fitted = 0

    def condition(self, readings: Readings, pending: Points | None, lower: Posterior | None) -> Posterior:
        warp = Warp.of(readings.values)
        rows = _subset(readings.first, _MOST_CONDITIONED, self._seed)
        points = readings.points[rows]
        sample = Sample(_seen(points, lower), warp(readings.values[rows]))
        hyperparameters = self._learned(sample, readings.first[rows], len(readings.values), lower is not None)
        process = Process(sample, self._layout, hyperparameters)
        if pending is not None and len(pending):
            more = _seen(pending, lower)
            joined = Sample(sample.points.join(more), np.concatenate([sample.values, process.mean(more)]))
            process = Process(joined, self._layout, hyperparameters)
        return Posterior(process, warp, lower)

    def _learned(self, sample: Sample, first: NDArray[np.bool_], count: int, above: bool) -> Hyperparameters:
        start = self._hyperparameters
        if start is not None and count < self._fitted * _GROWTH:
            return start
        rows = _subset(first, _MOST_FITTED, self._seed)
        iterations = _FIRST_ITERATIONS if start is None else _MORE_ITERATIONS
        sloped = self._layout.features + above
        found = fit(Sample(sample.points[rows], sample.values[rows]), self._layout, sloped, start, iterations)
        self._hyperparameters, self._fitted = found, count
        return found


@dataclass(frozen=True)
class Posterior:
    """A quantity after observation, on the warped scale.

    Attributes:
        process: The Gaussian process.
        warp: From values to the scale of the process.
        lower: What the next lower fidelity expects, an input of this one; None at the lowest.
    """

    process: Process
    warp: Warp
    lower: Posterior | None

    def predict(self, points: Points) -> tuple[Array, Array]:
        """Mean and standard deviation, shape (m,) each."""
        if self.lower is None:
            return self.process.predict(points)
        expected, doubt = self.lower.predict(points)
        mean, std = self.process.predict(_with(points, expected))
        more, less = (self.process.mean(_with(points, expected + sign * doubt)) for sign in (0.5, -0.5))
        return mean, np.hypot(std, more - less)

    def moved(self, readings: Readings) -> Posterior:
        """The same at the level of a few observations of another fidelity."""
        expected = self.warp.inverse(self.predict(readings.points)[0])
        return replace(self, warp=self.warp.moved(float(np.median(readings.values - expected))))


def _seen(points: Points, lower: Posterior | None) -> Points:
    return points if lower is None else _with(points, lower.predict(points)[0])


def _with(points: Points, expected: Array) -> Points:
    return Points(points.categories, np.concatenate([points.ordered, FEATURE_SPREAD * expected[:, None]], axis=1))


def _subset(first: NDArray[np.bool_], most: int, seed: int) -> NDArray[np.int64]:
    """All rows, or where there are too many those that come first and a random share of the others."""
    if len(first) <= most:
        return np.arange(len(first))
    rng = np.random.default_rng(seed)
    wanted, others = np.flatnonzero(first), np.flatnonzero(~first)
    wanted = wanted[-(most // 2) :]
    rest = rng.permutation(others)[: most - len(wanted)]
    return np.sort(np.concatenate([wanted, rest]))
