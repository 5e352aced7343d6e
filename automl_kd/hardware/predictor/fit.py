"""Coefficients from measured networks, with the error they have on networks left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, Floats, Integers
from automl_kd.hardware.predictor.misfit import Looks, Misfit
from automl_kd.hardware.predictor.prior import WIDTH, Prior

_STEPS, _WHOLE_STEPS = 40, 6
_LONGEST = 0.7
"""Most that a coefficient moves in one step, in natural logarithms."""
_SETTLED = 1e-4


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
        self._prior = prior.covariance
        self._white = np.linalg.cholesky(prior.covariance)
        self._rows: Integers = np.arange(len(self._target))
        self._misfit = np.eye(len(self._target)) * (misfit.noise**2 + misfit.unlike**2)
        first = self._solve(self._rows, self._centre)
        looks = Looks.of(self._linear(first)[1], np.asarray(measured.flops, dtype=np.float64))
        self._misfit = misfit.covariance(looks)
        self._found = self._solve(self._rows, first)

    @property
    def coefficients(self) -> Coefficients:
        """Those that explain all networks best."""
        return Coefficients.unpack(self._found, self._queued)

    @property
    def sensitivities(self) -> Floats:
        """Derivatives of the logarithm of every network's time by the log-coefficients, (N, 3 K + 1)."""
        return self._linear(self._found)[1]

    @property
    def residuals(self) -> Floats:
        """``log(measured / predicted)`` of every network by the sum of its kernels, (N,)."""
        found: Floats = self._target - self._linear(self._found)[0]
        return found

    def errors_without(self, left_out: Collection[int]) -> list[float]:
        """``log(measured / predicted)`` of networks under the fit without any of them.

        What networks that stay share with those that are left out is added to the sum of the kernels.
        """
        asked: Integers = np.array(list(left_out), dtype=np.intp)
        kept: Integers = np.setdiff1d(self._rows, asked)
        # Starting from the full fit saves most steps; the minimum is that of the networks that stay.
        residuals = self._target - self._linear(self._solve(kept, self._found))[0]
        lasting = np.linalg.solve(self._misfit[np.ix_(kept, kept)], residuals[kept])
        found: list[float] = (residuals[asked] - self._misfit[np.ix_(asked, kept)] @ lasting).tolist()
        return found

    def _solve(self, kept: Integers, start: Floats) -> Floats:
        """The most probable log-coefficients: Gauss-Newton steps in the space of the networks, which are fewer."""
        misfit = self._misfit[np.ix_(kept, kept)]
        white = np.linalg.cholesky(misfit)
        place, best, least = start, start, np.inf
        for step in range(_STEPS):
            logarithms, slopes = self._linear(place)
            off, slopes = (self._target - logarithms)[kept], slopes[kept]
            moved = place - self._centre
            cost = np.sum(solve_triangular(white, off, lower=True) ** 2)
            cost += np.sum(solve_triangular(self._white, moved, lower=True) ** 2)
            if cost < least:
                best, least = place, cost
            pulled = self._prior @ slopes.T
            move = pulled @ np.linalg.solve(slopes @ pulled + misfit, off + slopes @ moved) - moved
            longest = float(np.abs(move).max())
            if longest < _SETTLED:
                break
            # A roofline is bent where its limits meet, so that whole steps would go back and forth.
            place = place + move * min(1.0, _LONGEST / longest) * (1.0 if step < _WHOLE_STEPS else 0.5)
        return best

    def _linear(self, place: Floats) -> tuple[Floats, Floats]:
        """Logarithms of every network's seconds, and their derivatives by the log-coefficients."""
        coefficients = Coefficients.unpack(place, self._queued)
        count = len(self._target)
        parts = self._kernels.limited_seconds(coefficients)
        total = self._extra + coefficients.intercept + np.bincount(self._network, parts.sum(axis=0), count)
        table = np.zeros(count * WIDTH)
        for offset, sign, part in zip((0, len(KINDS), 2 * len(KINDS)), (-1.0, -1.0, 1.0), parts, strict=True):
            table += np.bincount(self._network * WIDTH + offset + self._kernels.kinds, sign * part, len(table))
        matrix = table.reshape(count, WIDTH)
        matrix[:, -1] = coefficients.intercept
        return np.log(total), matrix / total[:, None]
