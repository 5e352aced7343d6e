r"""A Gaussian process over mixed, conditional parameters.

.. math::

    k(x, x') = \sigma^2 \Big[ \big(\beta + (1 - \beta) \, e^{-h(x, x')}\big) \;
        M_{5/2}\Big(\sqrt{\textstyle\sum_o v_o (x_o - x'_o)^2}\Big) + \textstyle\sum_l \tau_l x_l x'_l \Big], \qquad
    h^2 = \tfrac{1}{2} \textstyle\sum_c w_c [x_c \ne x'_c] (u_{x_c} + u_{x'_c})

Categories enter through a Hamming distance with a weight for every parameter and one for every option. Their kernel is
rough (Matérn 1/2), because a single option can change the value by much. Ordered values, and counts of options where
several parameters have the same ones, enter through a smooth kernel with a length scale each. A share of the signal,
beta, depends on the ordered values alone; some of the ordered columns, those of ``l``, have a linear effect besides.
Weights, noise, share and slopes maximise the marginal likelihood under log-normal and logit-normal priors, with the
signal's variance integrated out under an inverse-gamma prior
(Rasmussen & Williams 2006, ch. 5; dimension-scaled priors: Hvarfner et al. 2024,
arXiv:2402.02229).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from automl_kd.samplers.encoding import FEATURE_SPREAD, Layout, Points

Array = NDArray[np.float64]

_TOTAL_WEIGHT = 2.0
"""Prior median of the weights' sum: candidates that differ in all parameters are hardly correlated."""
_ORDERED_GAIN = 6.0
"""Squared differences of ordered values are 1/6 on average, and those of options are 1."""
_WEIGHT_SPREAD, _OPTION_SPREAD = 0.5, 0.75
"""Narrow priors: with few observations a wide one lets the fit switch off a parameter that matters in other regions.
The model is then too sure of every candidate that differs from a known one in that parameter alone."""
_NOISE, _NOISE_SPREAD = 1e-2, 1.5
"""Prior median of the noise variance relative to the signal's, and the standard deviation of its logarithm."""
_SLOPE, _SLOPE_SPREAD = FEATURE_SPREAD**-2, 1.0
"""Prior median of the slopes' variance: over the spread of a feature a linear effect has the signal's variance."""
_SHARED, _SHARED_SPREAD = 0.0, 1.0
"""Prior of the logit of the share of the signal that depends on ordered values alone."""
_VARIANCE_SHARE = 2.0
"""Weight of the prior signal variance of 1, in observations."""
_JITTER = 1e-8
_CLIP = 12.0
"""Bound of the logarithms in the search for hyper-parameters."""
_MOST_SURPRISE = 4.0
"""Largest factor by which errors of observations left out widen the signal's variance."""


@dataclass(frozen=True)
class Hyperparameters:
    """The hyper-parameters of the kernel.

    Attributes:
        weights: Logarithms, shape (categorical + ordered dimensions,).
        options: Logarithms of the options' weights, shape (distinct options,).
        slopes: Logarithms of the variances, relative to the signal's, of the linear effects of the last ordered
            columns, shape (columns that have one,).
        noise: Logarithm of the noise variance relative to the signal's.
        shared: Logit of the share of the signal that depends on ordered values alone.
    """

    weights: Array
    options: Array
    slopes: Array
    noise: float
    shared: float

    @classmethod
    def prior(cls, layout: Layout, ordered: int, sloped: int) -> Hyperparameters:
        """The medians of the priors."""
        share = np.log(_TOTAL_WEIGHT / max(1, layout.parameters + ordered))
        weights = np.concatenate([np.full(layout.parameters, share), np.full(ordered, share + np.log(_ORDERED_GAIN))])
        slopes = np.full(sloped, np.log(_SLOPE))
        return cls(weights, np.zeros(layout.options), slopes, float(np.log(_NOISE)), _SHARED)

    def vector(self) -> Array:
        """All hyper-parameters in one vector."""
        return np.concatenate([self.weights, self.options, self.slopes, [self.noise, self.shared]])

    def like(self, vector: Array) -> Hyperparameters:
        """The hyper-parameters that a vector holds, with the sizes of these; the inverse of :meth:`vector`."""
        first, second = len(self.weights), len(self.weights) + len(self.options)
        weights, options, slopes = vector[:first], vector[first:second], vector[second:-2]
        return Hyperparameters(weights, options, slopes, float(vector[-2]), float(vector[-1]))

    def columns(self, layout: Layout) -> Array:
        """Weights of the one-hot columns."""
        return np.asarray(np.exp(self.weights[layout.parameter] + self.options[layout.option]))


@dataclass(frozen=True)
class TrainingData:
    """Standardised observations of one quantity at one fidelity.

    Attributes:
        points: n of them.
        values: Shape (n,).
    """

    points: Points
    values: Array


class GaussianProcess:
    """A Gaussian process with given hyper-parameters, conditioned on observations.

    Args:
        data: The observations.
        layout: Of the points.
        hyperparameters: Of the kernel.
    """

    def __init__(self, data: TrainingData, layout: Layout, hyperparameters: Hyperparameters) -> None:
        self._data = data
        self._layout = layout
        self._hyperparameters = hyperparameters
        matrix = self._kernel(data.points, data.points)
        matrix[np.diag_indices_from(matrix)] += np.exp(hyperparameters.noise) + _JITTER
        self._factor = cholesky(matrix, lower=True, check_finite=False)
        whitened = solve_triangular(self._factor, data.values, lower=True, check_finite=False)
        self._weights = solve_triangular(self._factor.T, whitened, lower=False, check_finite=False)
        self._fitted_variance = (whitened @ whitened + _VARIANCE_SHARE) / (len(data.values) + _VARIANCE_SHARE)

    def mean(self, points: Points) -> Array:
        """Mean of the value, shape (m,)."""
        return np.asarray(self._cross(points) @ self._weights)

    def predict(self, points: Points) -> tuple[Array, Array]:
        """Mean and standard deviation of the noiseless value, shape (m,) each."""
        cross = self._cross(points)
        explained = solve_triangular(self._factor, cross.T, lower=True, check_finite=False)
        prior = 1.0 + (_sloped(points, self._hyperparameters) ** 2).sum(axis=1)
        variance = self._variance * np.maximum(prior - np.einsum("ij,ij->j", explained, explained), 1e-10)
        return cross @ self._weights, np.sqrt(variance)

    @cached_property
    def _variance(self) -> float:
        """Variance of the signal, widened where squared errors of observations left out are larger than it predicts.

        The most probable weights make a model overconfident where few observations decided them, and a search that
        trusts such a model stops looking (leave-one-out in closed form: Rasmussen & Williams 2006, eq. 5.10 to 5.12).
        """
        root = solve_triangular(self._factor, np.eye(len(self._factor)), lower=True, check_finite=False)
        precision = (root * root).sum(axis=0)
        squares = self._weights * self._weights / (precision * self._fitted_variance)
        return float(self._fitted_variance * np.clip(squares.mean(), 1.0, _MOST_SURPRISE))

    def _cross(self, points: Points) -> Array:
        return self._kernel(points, self._data.points)

    def _kernel(self, left: Points, right: Points) -> Array:
        hyper = self._hyperparameters
        columns = np.sqrt(hyper.columns(self._layout))
        scales = np.exp(0.5 * hyper.weights[self._layout.parameters :])
        shared = _logistic(hyper.shared)
        # In place, because most of a proposal's time is spent in these lines, and most of that on memory.
        distance = _distances(left.categories * columns, right.categories * columns)
        kernel = np.exp(np.negative(distance, out=distance), out=distance)
        kernel *= 1.0 - shared
        kernel += shared
        radius = _distances(left.ordered * (scales * np.sqrt(5.0)), right.ordered * (scales * np.sqrt(5.0)))
        smooth = radius * (1.0 / 3.0)
        smooth += 1.0
        smooth *= radius
        smooth += 1.0
        kernel *= smooth
        kernel *= np.exp(np.negative(radius, out=radius), out=radius)
        if len(hyper.slopes):
            kernel += _sloped(left, hyper) @ _sloped(right, hyper).T
        return np.asarray(kernel)


def fit(
    data: TrainingData, layout: Layout, sloped: int, start: Hyperparameters | None, iterations: int
) -> Hyperparameters:
    """The most probable hyper-parameters.

    Args:
        data: The observations.
        layout: Of the points.
        sloped: How many of the last ordered columns have a linear effect.
        start: Where the search begins, for example those of fewer observations; None for the prior's medians.
        iterations: Most iterations of L-BFGS.
    """
    problem = _Likelihood(data, layout, sloped)
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

    def __init__(self, data: TrainingData, layout: Layout, sloped: int) -> None:
        points = data.points
        ordered = points.ordered.shape[1]
        self.prior = Hyperparameters.prior(layout, ordered, sloped)
        self._layout = layout
        self._values = data.values
        self._sloped = points.ordered[:, ordered - sloped :]
        self._categorical = _all_differences(points.categories)
        self._ordered = _all_differences(points.ordered)
        self._spread = np.concatenate(
            [
                np.full(layout.parameters + ordered, _WEIGHT_SPREAD),
                np.full(layout.options, _OPTION_SPREAD),
                np.full(sloped, _SLOPE_SPREAD),
                [_NOISE_SPREAD, _SHARED_SPREAD],
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
        smooth = (1.0 + radius + radius * radius / 3.0) * np.exp(-radius)
        slopes, noise = np.exp(hyper.slopes), np.exp(hyper.noise)
        matrix = mixed * smooth + (self._sloped * slopes) @ self._sloped.T
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
        slope = (sensitivity * mixed * np.exp(-radius) * (1.0 + radius) * (5.0 / 6.0)).ravel()
        apart = float((sensitivity * smooth * (1.0 - decay)).sum())
        by_column = -columns * (self._categorical @ steep)
        gradient = np.concatenate(
            [
                np.bincount(layout.parameter, by_column, layout.parameters),
                -weights * (self._ordered @ slope),
                np.bincount(layout.option, by_column, layout.options),
                slopes * np.einsum("ik,ij,jk->k", self._sloped, sensitivity, self._sloped),
                [noise * np.trace(sensitivity), shared * (1.0 - shared) * apart],
            ]
        )
        deviation = (vector - self.prior.vector()) / self._spread
        likelihood = 0.5 * count * np.log(variance) + np.log(np.diag(factor[0])).sum()
        return float(likelihood + 0.5 * deviation @ deviation), gradient + deviation / self._spread


def _sloped(points: Points, hyperparameters: Hyperparameters) -> Array:
    """The columns with a linear effect, each times the standard deviation of its slope."""
    count = len(hyperparameters.slopes)
    columns = points.ordered[:, points.ordered.shape[1] - count :]
    return np.asarray(columns * np.exp(0.5 * hyperparameters.slopes))


def _logistic(logit: float) -> float:
    return float(1.0 / (1.0 + np.exp(-logit)))


def _distances(left: Array, right: Array) -> Array:
    found = left @ (-2.0 * right.T)
    found += (left * left).sum(axis=1)[:, None]
    found += (right * right).sum(axis=1)[None, :]
    return np.asarray(np.sqrt(np.maximum(found, 0.0, out=found), out=found))


def _all_differences(columns: Array) -> Array:
    """Squared differences of all pairs by column, shape (columns, pairs)."""
    return np.asarray((columns.T[:, :, None] - columns.T[:, None, :]) ** 2).reshape(columns.shape[1], len(columns) ** 2)
