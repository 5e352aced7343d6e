"""Coefficients from measured networks, with the error they have on networks left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from threadpoolctl import threadpool_limits

from automl_kd.hardware.predictor.cost import Coefficients, Floats, Integers
from automl_kd.hardware.predictor.gauss_newton import Steps
from automl_kd.hardware.predictor.misfit import Misfit, Traits
from automl_kd.hardware.predictor.prior import Prior
from automl_kd.hardware.predictor.timed import TimedKernels, TimedNetworks

_STEPS = Steps(most=40, whole=6, settled=1e-4)


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients and, for every network, its error when it was left out.

    Attributes:
        coefficients: Fitted on all networks.
        errors: ``log(measured / predicted)`` of every network under the fit without it.
        residuals: ``log(measured / predicted)`` of every network under the fit on all, (N,).
        sensitivities: Derivatives of the logarithm of every network's time by the log-coefficients, (N, 3 K + 1).
    """

    coefficients: Coefficients
    errors: tuple[float, ...]
    residuals: Floats
    sensitivities: Floats


def fit(networks: Sequence[TimedKernels], prior: Prior, misfit: Misfit) -> Fitted:
    """The most probable coefficients under a log-normal prior and what the model gets wrong by itself.

    Residuals are logarithms, so that a network of 4 ms counts as much as one of 80 ms. Networks that are alike share
    what the model gets wrong, so that ten variants of one count as little more than one. Coefficients are fitted as
    logarithms, so that none can be negative.

    Args:
        networks: N measured networks, at least one.
        prior: What is expected of the coefficients.
        misfit: What the model gets wrong.
    """
    # One thread: for matrices of a hundred columns two threads on busy cores take twenty times as long.
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        problem = Problem(networks, prior, misfit)
        errors = [problem.errors_without([index])[0] for index in range(len(networks))]
    return Fitted(problem.coefficients, tuple(errors), problem.residuals, problem.sensitivities)


class Problem:
    """Measured networks of one target, and the coefficients that explain them best.

    Args:
        networks: N of them, at least one.
        prior: What is expected of the coefficients.
        misfit: What the model gets wrong.
    """

    def __init__(self, networks: Sequence[TimedKernels], prior: Prior, misfit: Misfit) -> None:
        self._networks = TimedNetworks(networks)
        self._measured = self._networks.logarithms
        self._queued = prior.centre.queued
        self._centre = prior.centre.pack()
        self._prior = prior.covariance
        self._white = np.linalg.cholesky(prior.covariance)
        self._rows: Integers = np.arange(len(networks))
        # Which networks are alike shows in what their time consists of, and that only after a first fit without it.
        self._misfit = np.eye(len(networks)) * (misfit.noise**2 + misfit.alike**2)
        first = self._solve(self._rows, self._centre)
        self._misfit = misfit.covariance(Traits.of(self._linear(first)[1], self._networks.flops))
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
        found: Floats = self._measured - self._linear(self._found)[0]
        return found

    def errors_without(self, left_out: Collection[int]) -> list[float]:
        """``log(measured / predicted)`` of networks under the fit without any of them.

        The prediction is the sum of the kernels and what the networks left out share with those that stay.
        """
        asked: Integers = np.array(list(left_out), dtype=np.intp)
        kept: Integers = np.setdiff1d(self._rows, asked)
        # Starting from the full fit saves most steps; the minimum is that of the networks that stay.
        residuals = self._measured - self._linear(self._solve(kept, self._found))[0]
        lasting = np.linalg.solve(self._misfit[np.ix_(kept, kept)], residuals[kept])
        found: list[float] = (residuals[asked] - self._misfit[np.ix_(asked, kept)] @ lasting).tolist()
        return found

    def _solve(self, kept: Integers, start: Floats) -> Floats:
        """The most probable log-coefficients, by steps in the space of the networks, of which there are fewer."""
        misfit = self._misfit[np.ix_(kept, kept)]
        white = np.linalg.cholesky(misfit)
        best, least = start, np.inf

        def move(place: Floats) -> Floats:
            nonlocal best, least
            logarithms, slopes = self._linear(place)
            off, slopes = (self._measured - logarithms)[kept], slopes[kept]
            moved = place - self._centre
            cost = np.sum(solve_triangular(white, off, lower=True) ** 2)
            cost += np.sum(solve_triangular(self._white, moved, lower=True) ** 2)
            if cost < least:
                best, least = place, cost
            pulled = self._prior @ slopes.T
            wanted: Floats = pulled @ np.linalg.solve(slopes @ pulled + misfit, off + slopes @ moved) - moved
            return wanted

        _STEPS.descend(start, move)
        return best

    def _linear(self, place: Floats) -> tuple[Floats, Floats]:
        return self._networks.linearised(Coefficients.unpack(place, self._queued))
