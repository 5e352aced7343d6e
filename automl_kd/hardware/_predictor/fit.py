"""Coefficients from measured networks, with the error they have on networks left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from threadpoolctl import threadpool_limits

from automl_kd.hardware._kernels.graph import COMPUTE
from automl_kd.hardware._predictor.cost import KINDS, Coefficients, Features, Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far measurements are to be trusted against the prior, in natural logarithms.

    Attributes:
        noise: Relative error expected of a measurement and of the model.
        arithmetic: Standard deviation of a kind's throughput from what all kinds share.
        other: The same of operations without multiply-accumulates.
        bandwidth: The same of bandwidth.
        launch: The same of launches.
    """

    noise: float
    arithmetic: float
    other: float
    bandwidth: float
    launch: float


PUBLISHED = Evidence(noise=0.06, arithmetic=0.35, other=0.4, bandwidth=0.3, launch=0.05)
"""A few large networks, measured by others: they say little about launches, and nothing of how kinds differ there."""
MEASURED = Evidence(noise=0.03, arithmetic=0.6, other=0.6, bandwidth=0.3, launch=0.5)
"""Networks like those to be predicted, measured for the purpose."""


KNOWN_LOOPS = Evidence(noise=0.03, arithmetic=0.1, other=0.6, bandwidth=0.6, launch=0.2)
"""The same where operations count what the inner loops execute, so that kinds hardly differ in arithmetic."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients and, for every network, its error when it was left out.

    Attributes:
        coefficients: Fitted on all networks.
        errors: ``log(measured / predicted)`` of every network under the fit without it.
    """

    coefficients: Coefficients
    errors: tuple[float, ...]


def fit(
    networks: Sequence[Features],
    seconds: Sequence[float],
    prior: Coefficients,
    evidence: Evidence = PUBLISHED,
    extra: Sequence[float] | None = None,
) -> Fitted:
    """The most probable coefficients under relative noise and a log-normal prior around a datasheet or another fit.

    Residuals are logarithms, so that a network of 4 ms counts as much as one of 80 ms. Coefficients are fitted as
    logarithms, so that none can be negative. The prior is hierarchical: a device is faster or slower than its datasheet
    in arithmetic, in memory, in other operations and in launches as a whole, and kinds differ from that by less. So a
    handful of networks moves what they have in common, and kinds that none of them contains move along.

    Args:
        networks: N measured networks.
        seconds: What was measured, N.
        prior: Centre of the prior.
        evidence: What the measurements are worth.
        extra: Seconds of each network that are known and do not depend on coefficients, N.
    """
    known = [0.0] * len(networks) if extra is None else list(extra)
    together = _Batch(networks, seconds, prior, evidence, known)
    errors = []
    # Of matrices of a hundred columns two threads on busy cores take twenty times as long as one.
    with threadpool_limits(1):  # type: ignore[no-untyped-call]
        everything = together.solve(None, None)
        for index, (network, measured, more) in enumerate(zip(networks, seconds, known, strict=True)):
            # Starting from the full fit saves most steps; the minimum is that of the networks that stay.
            alone = together.solve(index, everything)
            errors.append(math.log(measured / (more + network.seconds(together.coefficients(alone)))))
    return Fitted(together.coefficients(everything), tuple(errors))


_SHARED = {"arithmetic": 0.5, "other": 0.7, "bandwidth": 0.5, "launch": 0.8}
"""Standard deviations, in natural logarithms, of what all kinds share."""
_INTERCEPT = 1.0


def _factors(evidence: Evidence) -> Floats:
    """Columns of independent standard normal variables to log-coefficients, (3 K + 1, columns)."""
    count = len(KINDS)
    compute = [index for index, kind in enumerate(KINDS) if kind in COMPUTE]
    other = [index for index in range(count) if index not in compute]
    groups = {
        "arithmetic": compute,
        "other": other,
        "bandwidth": [count + index for index in range(count)],
        "launch": [2 * count + index for index in range(count)],
    }

    def columns() -> Iterator[Floats]:
        unit = np.eye(3 * count + 1)
        for name, rows in groups.items():
            yield _SHARED[name] * unit[rows].sum(axis=0)
            yield from getattr(evidence, name) * unit[rows]
        yield _INTERCEPT * unit[-1]

    return np.stack(list(columns()), axis=1)


class _Batch:
    """Measured networks and the distance of coefficients from explaining them."""

    def __init__(
        self,
        networks: Sequence[Features],
        seconds: Sequence[float],
        prior: Coefficients,
        evidence: Evidence,
        extra: Sequence[float],
    ) -> None:
        self._kernels = Features.joined(networks)
        self._network = np.repeat(np.arange(len(networks)), [len(network.kinds) for network in networks])
        self._target = np.log(np.asarray(seconds))
        self._extra = np.asarray(extra)
        self._queued = prior.queued
        self._centre = prior.pack()
        self._factors = _factors(evidence)
        self._noise = evidence.noise

    def coefficients(self, shift: Floats) -> Coefficients:
        return Coefficients.unpack(self._centre + self._factors @ shift, self._queued)

    def solve(self, left_out: int | None, start: Floats | None) -> Floats:
        """The most probable shift from the prior, in standard deviations."""
        weights = np.full(len(self._target), 1 / self._noise)
        if left_out is not None:
            weights[left_out] = 0.0
        first = np.zeros(self._factors.shape[1]) if start is None else start
        eye = np.eye(len(first))

        def residuals(shift: Floats) -> Floats:
            predicted, _ = self._predict(shift, slopes=False)
            return np.concatenate([(np.log(predicted) - self._target) * weights, shift])

        def jacobian(shift: Floats) -> Floats:
            predicted, slopes = self._predict(shift, slopes=True)
            return np.concatenate([(slopes @ self._factors) * (weights / predicted)[:, None], eye])

        found: Floats = least_squares(residuals, first, jac=jacobian, xtol=1e-8, ftol=1e-8).x  # type: ignore[operator]
        return found

    def _predict(self, shift: Floats, slopes: bool) -> tuple[Floats, Floats]:
        """Seconds of every network, and their derivatives by the log-coefficients."""
        count, networks = len(KINDS), len(self._target)
        theta = self._centre + self._factors @ shift
        values = np.exp(theta)
        kinds = self._kernels.kinds
        compute = self._kernels.operations / values[kinds]
        memory = self._kernels.bytes / values[count + kinds]
        launch = values[2 * count + kinds]
        times = self._kernels.times
        seconds = np.maximum(launch, np.maximum(compute, memory)) if self._queued else launch + compute + memory
        total = self._extra + values[-1] + np.bincount(self._network, times * seconds, networks)
        if not slopes:
            return total, np.empty((0, 0))
        everything = np.ones_like(seconds, dtype=bool)
        launching = launch >= seconds if self._queued else everything
        computing = ~launching & (compute >= memory) if self._queued else everything
        moving = ~launching & ~computing if self._queued else everything
        width = 3 * count + 1
        table = np.zeros(networks * width)
        for offset, active, part in (
            (0, computing, -compute),
            (count, moving, -memory),
            (2 * count, launching, launch),
        ):
            index = (self._network * width + offset + kinds)[active]
            table += np.bincount(index, (times * part)[active], len(table))
        matrix = table.reshape(networks, width)
        matrix[:, -1] = values[-1]
        return total, matrix
