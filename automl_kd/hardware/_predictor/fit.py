"""Coefficients from measured networks, with the error they have on networks left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import least_squares
from threadpoolctl import threadpool_limits

from automl_kd.hardware._predictor.cost import KINDS, Coefficients, Features, Floats, Integers
from automl_kd.hardware._predictor.misfit import Looks, Misfit
from automl_kd.hardware._predictor.prior import WIDTH, Prior


@dataclass(frozen=True, slots=True)
class Measured:
    """Networks as kernels, and what was measured of them.

    Attributes:
        networks: N of them.
        seconds: Their latencies.
        flops: Their operations in multiply-accumulates, each counted as 2.
        extra: Seconds of each that are known and do not depend on coefficients.
    """

    networks: Sequence[Features]
    seconds: Sequence[float]
    flops: Sequence[float]
    extra: Sequence[float]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients and, for every network, its error when it was left out.

    Attributes:
        coefficients: Fitted on all networks.
        errors: ``log(measured / predicted)`` of every network under the fit without it.
        residuals: The same under the fit on all.
        sensitivities: Derivatives of the logarithm of every network's time by the log-coefficients, (N, 3 K + 1).
    """

    coefficients: Coefficients
    errors: tuple[float, ...]
    residuals: Floats
    sensitivities: Floats


def fit(measured: Measured, prior: Prior, misfit: Misfit) -> Fitted:
    """The most probable coefficients under a log-normal prior and what the model gets wrong by itself.

    Residuals are logarithms, so that a network of 4 ms counts as much as one of 80 ms, and networks that are alike
    share what the model gets wrong, so that ten variants of one count as little more than one. Coefficients are
    fitted as logarithms, so that none can be negative.

    Args:
        measured: Networks with their times.
        prior: What is expected of the coefficients.
        misfit: What the model gets wrong.
    """
    # Of matrices of a hundred columns two threads on busy cores take twenty times as long as one.
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        problem = Problem(measured, prior, misfit)
        errors = [problem.errors_without([index])[0] for index in range(len(measured.networks))]
    return Fitted(problem.coefficients, tuple(errors), problem.residuals, problem.sensitivities)


class Problem:
    """Measured networks of one target, and the coefficients that explain them best.

    Args:
        measured: At least one network.
        prior: What is expected of the coefficients.
        misfit: What the model gets wrong.
    """

    def __init__(self, measured: Measured, prior: Prior, misfit: Misfit) -> None:
        self._kernels = Features.joined(measured.networks)
        self._network = np.repeat(
            np.arange(len(measured.networks)), [len(network.kinds) for network in measured.networks]
        )
        self._target = np.log(np.asarray(measured.seconds))
        self._extra = np.asarray(measured.extra)
        self._queued = prior.centre.queued
        self._centre = prior.centre.pack()
        self._factor = np.linalg.cholesky(prior.covariance)
        self._rows: Integers = np.arange(len(self._target))
        self._misfit = np.eye(len(self._target)) * (misfit.noise**2 + misfit.unlike**2)
        first = self._solve(self._rows, np.zeros(WIDTH))
        looks = Looks.of(self._logarithms(first)[1], np.asarray(measured.flops, dtype=np.float64))
        self._misfit = misfit.covariance(looks)
        self._found = self._solve(self._rows, first)

    @property
    def coefficients(self) -> Coefficients:
        """Those that explain all networks best."""
        return self._coefficients(self._found)

    @property
    def sensitivities(self) -> Floats:
        """Derivatives of the logarithm of every network's time by the log-coefficients, (N, 3 K + 1)."""
        return self._logarithms(self._found)[1]

    @property
    def residuals(self) -> Floats:
        """``log(measured / predicted)`` of every network by the sum of its kernels, (N,)."""
        found: Floats = self._target - self._logarithms(self._found, slopes=False)[0]
        return found

    def errors_without(self, left_out: Collection[int]) -> list[float]:
        """``log(measured / predicted)`` of networks under the fit without any of them.

        What networks that stay share with those that are left out is added to the sum of the kernels.
        """
        asked: Integers = np.array(list(left_out), dtype=np.intp)
        kept: Integers = np.setdiff1d(self._rows, asked)
        # Starting from the full fit saves most steps; the minimum is that of the networks that stay.
        shift = self._solve(kept, self._found) if len(kept) else np.zeros(WIDTH)
        residuals = self._target - self._logarithms(shift, slopes=False)[0]
        lasting = np.linalg.solve(self._misfit[np.ix_(kept, kept)], residuals[kept])
        found: list[float] = (residuals[asked] - self._misfit[np.ix_(asked, kept)] @ lasting).tolist()
        return found

    def _coefficients(self, shift: Floats) -> Coefficients:
        return Coefficients.unpack(self._centre + self._factor @ shift, self._queued)

    def _solve(self, kept: Integers, start: Floats) -> Floats:
        """The most probable shift from the prior, in standard deviations."""
        white = np.linalg.cholesky(self._misfit[np.ix_(kept, kept)])
        eye = np.eye(WIDTH)

        def residuals(shift: Floats) -> Floats:
            logarithms, _ = self._logarithms(shift, slopes=False)
            off = logarithms[kept] - self._target[kept]
            return np.concatenate([solve_triangular(white, off, lower=True), shift])

        def jacobian(shift: Floats) -> Floats:
            _, slopes = self._logarithms(shift)
            return np.concatenate([solve_triangular(white, slopes[kept] @ self._factor, lower=True), eye])

        found: Floats = least_squares(residuals, start, jac=jacobian, xtol=1e-6, ftol=1e-6).x  # type: ignore[operator]
        return found

    def _logarithms(self, shift: Floats, slopes: bool = True) -> tuple[Floats, Floats]:
        """Logarithms of every network's seconds, and their derivatives by the log-coefficients."""
        coefficients = self._coefficients(shift)
        count = len(self._target)
        parts = self._kernels.limited_seconds(coefficients)
        total = self._extra + coefficients.intercept + np.bincount(self._network, parts.sum(axis=0), count)
        if not slopes:
            return np.log(total), np.empty((0, 0))
        table = np.zeros(count * WIDTH)
        for offset, sign, part in zip((0, len(KINDS), 2 * len(KINDS)), (-1.0, -1.0, 1.0), parts, strict=True):
            table += np.bincount(self._network * WIDTH + offset + self._kernels.kinds, sign * part, len(table))
        matrix = table.reshape(count, WIDTH)
        matrix[:, -1] = coefficients.intercept
        return np.log(total), matrix / total[:, None]
