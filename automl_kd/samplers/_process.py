r"""A Gaussian process over mixed, conditional parameters and several fidelities.

.. math::

    k((x, s), (x', t)) = \sigma^2 \, \big(\beta + (1 - \beta) \, e^{-h(x, x')}\big) \;
        M_{5/2}\Big(\sqrt{\textstyle\sum_o v_o (x_o - x'_o)^2}\Big) \; \rho^{|s - t|}, \qquad
    h^2 = \tfrac{1}{2} \textstyle\sum_c w_c [x_c \ne x'_c] (u_{x_c} + u_{x'_c})

Categories enter through a Hamming distance with a weight for every parameter and one for every option, in a rough
kernel (Matérn 1/2): one option can change much. Ordered values, and how often each option is taken where parameters
have equal ones, enter through a smooth one with a length scale each, of which all combinations of categories share a
part. Fidelities are tasks whose correlation falls with every rung between them. Weights, noise, share and correlation
maximise the marginal likelihood under log-normal and logit-normal priors, the signal's variance integrated out against
an inverse-gamma prior (Rasmussen & Williams 2006, ch. 5; dimension-scaled priors: Hvarfner et al. 2024,
arXiv:2402.02229).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from automl_kd.samplers._encoding import Layout, Points

Array = NDArray[np.float64]
Tasks = NDArray[np.int64]

_TOTAL_WEIGHT = 2.0
"""Prior median of the weights' sum: where everything differs, little is shared."""
_ORDERED_GAIN = 6.0
"""Squared differences of ordered values are a sixth on average where options differ by one."""
_WEIGHT_SPREAD, _OPTION_SPREAD = 0.5, 0.75
"""Narrow: few observations soon call a parameter idle that decides elsewhere, and what is alike but for it is known."""
_NOISE, _NOISE_SPREAD = 1e-2, 1.5
_CORRELATION, _CORRELATION_SPREAD = 1.5, 1.0
"""Prior of the logit of the correlation from one rung to the next: about .82."""
_SHARED, _SHARED_SPREAD = 0.0, 1.0
"""Prior of the logit of the share of the signal that hangs on ordered values alone."""
_VARIANCE_SHARE = 2.0
"""Weight of the prior signal variance of 1, in observations."""
_JITTER = 1e-8
_CLIP = 12.0
_MOST_SURPRISE = 4.0


@dataclass(frozen=True)
class Hyperparameters:
    """What the kernel learned.

    Attributes:
        weights: Logarithms, shape (categorical + ordered dimensions,).
        options: Logarithms of the options' weights, shape (distinct options,).
        noise: Logarithm of the noise variance relative to the signal's, shape (tasks,).
        correlation: Logit of the correlation from one task to the next.
        shared: Logit of the share of the signal that all combinations of categories have in common.
    """

    weights: Array
    options: Array
    noise: Array
    correlation: float
    shared: float

    @classmethod
    def prior(cls, layout: Layout, ordered: int, tasks: int) -> Hyperparameters:
        """The medians of the priors."""
        share = np.log(_TOTAL_WEIGHT / max(1, layout.parameters + ordered))
        weights = np.concatenate([np.full(layout.parameters, share), np.full(ordered, share + np.log(_ORDERED_GAIN))])
        return cls(weights, np.zeros(layout.options), np.full(tasks, np.log(_NOISE)), _CORRELATION, _SHARED)

    def vector(self) -> Array:
        """All in one vector."""
        return np.concatenate([self.weights, self.options, self.noise, [self.correlation, self.shared]])

    def like(self, vector: Array) -> Hyperparameters:
        """The inverse of :meth:`vector`, of the same sizes as this."""
        first, second = len(self.weights), len(self.weights) + len(self.options)
        weights, options, noise = vector[:first], vector[first:second], vector[second:-2]
        return Hyperparameters(weights, options, noise, float(vector[-2]), float(vector[-1]))

    def columns(self, layout: Layout) -> Array:
        """Weights of the one-hot columns."""
        return np.asarray(np.exp(self.weights[layout.parameter] + self.options[layout.option]))


@dataclass(frozen=True)
class Sample:
    """Observations.

    Attributes:
        points: Where, n of them.
        tasks: Shape (n,): fidelity of each, as an index from the lowest.
        values: Shape (n,): standardised.
    """

    points: Points
    tasks: Tasks
    values: Array


class Process:
    """A Gaussian process with given hyper-parameters, conditioned on a sample.

    Args:
        sample: What was observed.
        layout: Of the points.
        hyperparameters: Of the kernel.
    """

    def __init__(self, sample: Sample, layout: Layout, hyperparameters: Hyperparameters) -> None:
        self._sample = sample
        self._layout = layout
        self._hyperparameters = hyperparameters
        matrix = self._kernel(sample.points, sample.tasks, sample.points, sample.tasks)
        matrix[np.diag_indices_from(matrix)] += np.exp(hyperparameters.noise)[sample.tasks] + _JITTER
        self._factor = cholesky(matrix, lower=True, check_finite=False)
        whitened = solve_triangular(self._factor, sample.values, lower=True, check_finite=False)
        self._weights = solve_triangular(self._factor.T, whitened, lower=False, check_finite=False)
        self._fitted_variance = (whitened @ whitened + _VARIANCE_SHARE) / (len(sample.values) + _VARIANCE_SHARE)

    def mean(self, points: Points, task: int) -> Array:
        """Mean of the value at a fidelity, shape (m,)."""
        return np.asarray(self._cross(points, task) @ self._weights)

    def predict(self, points: Points, task: int) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless value at a fidelity, shape (m,) each."""
        cross = self._cross(points, task)
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        variance = self._variance * np.maximum(1.0 - np.einsum("ij,ij->j", explained, explained), 1e-10)
        return cross @ self._weights, np.sqrt(variance)

    @cached_property
    def _variance(self) -> float:
        """Of the signal, and no less than squared errors of observations left out say.

        Most probable weights are overconfident where few observations decided them, and a search that trusts them stops
        looking (leave-one-out in closed form: Rasmussen & Williams 2006, eq. 5.10 to 5.12).
        """
        root = solve_triangular(self._factor, np.eye(len(self._factor)), lower=True, check_finite=False)
        precision = (root * root).sum(axis=0)
        squares = self._weights * self._weights / (precision * self._fitted_variance)
        return float(self._fitted_variance * np.clip(squares.mean(), 1.0, _MOST_SURPRISE))

    def _cross(self, points: Points, task: int) -> Array:
        return self._kernel(points, np.full(len(points), task), self._sample.points, self._sample.tasks)

    def _kernel(self, left: Points, left_tasks: Tasks, right: Points, right_tasks: Tasks) -> Array:
        hyper = self._hyperparameters
        columns = np.sqrt(hyper.columns(self._layout))
        scales = np.exp(0.5 * hyper.weights[self._layout.parameters :])
        decay = np.exp(-np.sqrt(_squared_distances(left.categories * columns, right.categories * columns)))
        shared = _logistic(hyper.shared)
        radius = np.sqrt(5.0 * _squared_distances(left.ordered * scales, right.ordered * scales))
        kernel = (decay + shared * (1.0 - decay)) * (1.0 + radius + radius * radius / 3.0) * np.exp(-radius)
        if len(hyper.noise) > 1:
            kernel *= _logistic(hyper.correlation) ** np.abs(left_tasks[:, None] - right_tasks[None, :])
        return np.asarray(kernel)


def fit(sample: Sample, layout: Layout, tasks: int, start: Hyperparameters | None, iterations: int) -> Hyperparameters:
    """Most probable hyper-parameters.

    Args:
        sample: What was observed.
        layout: Of the points.
        tasks: Number of fidelities.
        start: Where the search begins, for example what was found for a smaller sample; None for the prior's medians.
        iterations: Of L-BFGS, at most.
    """
    problem = _Likelihood(sample, layout, tasks)
    begin = (start or problem.prior).vector()
    found = minimize(  # type: ignore[no-untyped-call]
        problem,
        begin,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-_CLIP, _CLIP)] * len(begin),
        options={"maxiter": iterations},
    )
    return problem.prior.like(found.x)


class _Likelihood:
    """Negative log posterior of the hyper-parameters, with its gradient."""

    def __init__(self, sample: Sample, layout: Layout, tasks: int) -> None:
        points = sample.points
        ordered = points.ordered.shape[1]
        self.prior = Hyperparameters.prior(layout, ordered, tasks)
        self._layout = layout
        self._values = sample.values
        self._tasks = sample.tasks
        self._one_task = tasks == 1
        self._rungs = np.abs(sample.tasks[:, None] - sample.tasks[None, :]).astype(np.float64)
        self._categorical = _all_differences(points.categories)
        self._ordered = _all_differences(points.ordered)
        self._spread = np.concatenate(
            [
                np.full(layout.parameters + ordered, _WEIGHT_SPREAD),
                np.full(layout.options, _OPTION_SPREAD),
                np.full(tasks, _NOISE_SPREAD),
                [_CORRELATION_SPREAD, _SHARED_SPREAD],
            ]
        )

    def __call__(self, vector: Array) -> tuple[float, Array]:
        hyper = self.prior.like(vector)
        layout = self._layout
        columns, weights = hyper.columns(layout), np.exp(hyper.weights[layout.parameters :])
        n = len(self._values)
        radius = np.sqrt(5.0 * (weights @ self._ordered)).reshape(n, n)
        distance = np.sqrt(columns @ self._categorical).reshape(n, n)
        decay = np.exp(-distance)
        shared = _logistic(hyper.shared)
        mixed = decay + shared * (1.0 - decay)
        rho = _logistic(hyper.correlation)
        between = np.ones((n, n)) if self._one_task else rho**self._rungs
        smooth = (1.0 + radius + radius * radius / 3.0) * np.exp(-radius) * between
        kernel = mixed * smooth
        matrix = kernel.copy()
        noise = np.exp(hyper.noise)[self._tasks]
        matrix[np.diag_indices(n)] += noise + _JITTER
        try:
            factor = cho_factor(matrix, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return 1e10, np.zeros_like(vector)
        inverse = cho_solve(  # type: ignore[no-untyped-call]
            factor, np.eye(n), check_finite=False
        )
        alpha = inverse @ self._values
        count = n + _VARIANCE_SHARE
        variance = (self._values @ alpha + _VARIANCE_SHARE) / count
        sensitivity = 0.5 * (inverse - np.outer(alpha, alpha) / variance)
        steps = np.divide(0.5 * (1.0 - shared) * decay, distance, out=np.zeros((n, n)), where=distance > 0)
        steep = (sensitivity * smooth * steps).ravel()
        slope = (sensitivity * mixed * np.exp(-radius) * between * (1.0 + radius) * (5.0 / 6.0)).ravel()
        apart = float((sensitivity * smooth * (1.0 - decay)).sum())
        diagonal = np.diag(sensitivity) * noise
        by_column = -columns * (self._categorical @ steep)
        gradient = np.concatenate(
            [
                np.bincount(layout.parameter, by_column, layout.parameters),
                -weights * (self._ordered @ slope),
                np.bincount(layout.option, by_column, layout.options),
                np.bincount(self._tasks, diagonal, len(hyper.noise)),
                [(1.0 - rho) * float((sensitivity * kernel * self._rungs).sum()), shared * (1.0 - shared) * apart],
            ]
        )
        deviation = (vector - self.prior.vector()) / self._spread
        likelihood = 0.5 * count * np.log(variance) + np.log(np.diag(factor[0])).sum()
        return float(likelihood + 0.5 * deviation @ deviation), gradient + deviation / self._spread


def _logistic(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


def _squared_distances(left: Array, right: Array) -> Array:
    squares = (left * left).sum(axis=1)[:, None] + (right * right).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squares - 2.0 * (left @ right.T), 0.0))


def _all_differences(columns: Array) -> Array:
    """Squared differences of all pairs by column, shape (columns, pairs)."""
    return np.asarray((columns.T[:, :, None] - columns.T[:, None, :]) ** 2).reshape(columns.shape[1], len(columns) ** 2)
