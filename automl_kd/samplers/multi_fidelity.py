r"""A model of one quantity: from observations at several fidelities to a normal distribution at any candidate.

Each fidelity has a Gaussian process and a warp of its own. One of its inputs is the mean of the fidelity below,
:math:`m_{s-1}(x)`, with a linear effect beside the smooth one, as features have it:

.. math:: f_s(x) = g_s\big(x, m_{s-1}(x)\big), \qquad
    \operatorname{Var} f_s(x) = \operatorname{Var} g_s + \Big(\frac{\partial \bar g_s}{\partial m}\Big)^2
    \operatorname{Var} f_{s-1}(x)

So the model learns from trials that had both what a short training says about a whole one, whatever the form of that
relation, also that it says nothing. That only promising trials are trained on does not bias it, because they were
chosen by the value that is the input. (Recursive co-kriging: Le Gratiet & Garnier 2014; with a process instead of a
factor: Perdikaris et al. 2017.) One process for all fidelities, with a correlation between them, was worse than a model
of the highest fidelity alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from automl_kd.samplers.encoding import FEATURE_SPREAD, Layout, Points
from automl_kd.samplers.gaussian_process import GaussianProcess, Hyperparameters, TrainingData, fit
from automl_kd.samplers.observations import Observations
from automl_kd.samplers.warp import Warp

Array = NDArray[np.float64]

_MOST_FITTED = 160
"""Observations from which hyper-parameters are learned; the time of a likelihood grows with their cube."""
_MOST_CONDITIONED = 400
"""Observations on which a prediction rests; its time for each candidate grows with their square."""
_GROWTH = 1.08
"""Hyper-parameters are learned anew once observations are so many times as many."""
_ENOUGH = 4
"""Observations that a fidelity needs for a process of its own; with fewer the one below is moved to their level."""
_FIRST_ITERATIONS, _MORE_ITERATIONS = 40, 12


class MultiFidelityModel:
    """A model of one quantity at several fidelities; it keeps its hyper-parameters from one call to the next.

    Args:
        layout: Of the points.
        seed: Of the choice of observations where there are many.
    """

    def __init__(self, layout: Layout, seed: int) -> None:
        self._layout = layout
        self._seed = seed
        self._stages: list[_Stage] = []

    def condition(self, observations: Observations, levels: int, pending: Points | None) -> Posterior:
        """The quantity given the observations, with candidates under way taken at their expected values.

        Args:
            observations: At least one.
            levels: Number of fidelities; the last is full.
            pending: Candidates under way, or None.

        Returns:
            The quantity at the highest fidelity that was observed.
        """
        if levels != len(self._stages):
            self._stages = [_Stage(self._layout, self._seed) for _ in range(levels)]
        posterior = None
        for level, stage in enumerate(self._stages):
            rows = observations.levels == level
            if posterior is not None and 0 < rows.sum() < _ENOUGH:
                posterior = posterior.moved(observations[rows])
            elif rows.any():
                posterior = stage.condition(observations[rows], pending, posterior)
        assert posterior is not None
        return posterior


class _Stage:
    """The model of one fidelity."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self._layout = layout
        self._seed = seed
        self._hyperparameters: Hyperparameters | None = None
        self._fitted = 0

    def condition(self, observations: Observations, pending: Points | None, lower: Posterior | None) -> Posterior:
        warp = Warp.of(observations.values)
        rows = _subset(observations.first, _MOST_CONDITIONED, self._seed)
        points = observations.points[rows]
        data = TrainingData(_with_lower(points, lower), warp(observations.values[rows]))
        hyperparameters = self._learned(data, observations.first[rows], len(observations.values), lower is not None)
        process = GaussianProcess(data, self._layout, hyperparameters)
        if pending is not None and len(pending):
            more = _with_lower(pending, lower)
            joined = TrainingData(data.points.join(more), np.concatenate([data.values, process.mean(more)]))
            process = GaussianProcess(joined, self._layout, hyperparameters)
        return Posterior(process, warp, lower)

    def _learned(self, data: TrainingData, first: NDArray[np.bool_], count: int, above: bool) -> Hyperparameters:
        start = self._hyperparameters
        if start is not None and count < self._fitted * _GROWTH:
            return start
        rows = _subset(first, _MOST_FITTED, self._seed)
        iterations = _FIRST_ITERATIONS if start is None else _MORE_ITERATIONS
        sloped = self._layout.features + above
        found = fit(TrainingData(data.points[rows], data.values[rows]), self._layout, sloped, start, iterations)
        self._hyperparameters, self._fitted = found, count
        return found


@dataclass(frozen=True)
class Posterior:
    """The distribution of a quantity given observations, on the warped scale.

    Attributes:
        process: The Gaussian process.
        warp: From values to the scale of the process.
        lower: Posterior of the next lower fidelity, whose mean is an input of this one; None at the lowest.
    """

    process: GaussianProcess
    warp: Warp
    lower: Posterior | None

    def predict(self, points: Points) -> tuple[Array, Array]:
        """Mean and standard deviation, shape (m,) each."""
        if self.lower is None:
            return self.process.predict(points)
        expected, spread = self.lower.predict(points)
        mean, std = self.process.predict(_with_input(points, expected))
        more, less = (self.process.mean(_with_input(points, expected + sign * spread)) for sign in (0.5, -0.5))
        return mean, np.hypot(std, more - less)

    def moved(self, observations: Observations) -> Posterior:
        """The same distribution, moved to the level of a few observations of another fidelity."""
        expected = self.warp.inverse(self.predict(observations.points)[0])
        return replace(self, warp=self.warp.moved(float(np.median(observations.values - expected))))


def _with_lower(points: Points, lower: Posterior | None) -> Points:
    return points if lower is None else _with_input(points, lower.predict(points)[0])


def _with_input(points: Points, expected: Array) -> Points:
    return Points(points.categories, np.concatenate([points.ordered, FEATURE_SPREAD * expected[:, None]], axis=1))


def _subset(first: NDArray[np.bool_], most: int, seed: int) -> NDArray[np.int64]:
    """All rows; where they are too many, those of the front and a random share of the others."""
    if len(first) <= most:
        return np.arange(len(first))
    rng = np.random.default_rng(seed)
    wanted, others = np.flatnonzero(first), np.flatnonzero(~first)
    wanted = wanted[-(most // 2) :]
    rest = rng.permutation(others)[: most - len(wanted)]
    return np.sort(np.concatenate([wanted, rest]))
