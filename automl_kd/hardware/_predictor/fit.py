"""Coefficients from measured networks, with the error they have on networks left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from automl_kd.hardware._predictor.cost import STREAMS, THROUGHPUTS, Coefficients, Features, Floats


@dataclass(frozen=True, slots=True)
class Fitted:
    """Coefficients and, for every network, its error when it was left out.

    Attributes:
        coefficients: Fitted on all networks.
        errors: ``log(measured / predicted)`` of every network under the fit without it.
    """

    coefficients: Coefficients
    errors: tuple[float, ...]


def fit(networks: Sequence[Features], seconds: Sequence[float], prior: Coefficients) -> Fitted:
    """The most probable coefficients under relative noise and a log-normal prior around a datasheet.

    Residuals are logarithms, so that a network of 4 ms counts as much as one of 80 ms. Coefficients are fitted as
    logarithms, so that none can be negative; the prior keeps apart what few networks cannot tell apart (a launch floor
    and an intercept, two kinds that always occur together) and holds kinds that no network contains.

    Args:
        networks: N measured networks.
        seconds: What was measured, N.
        prior: Centre of the prior.
    """
    everything = _solve(networks, seconds, prior, prior)
    errors = []
    for index, (network, measured) in enumerate(zip(networks, seconds, strict=True)):
        rest = [other for other in range(len(networks)) if other != index]
        # Starting from the full fit saves most steps; the minimum is that of the networks that stay.
        alone = _solve([networks[i] for i in rest], [seconds[i] for i in rest], prior, everything)
        errors.append(math.log(measured / network.seconds(alone)))
    return Fitted(everything, tuple(errors))


_NOISE = 0.06  # relative error expected of a measurement and of the model
_SPREADS = (0.5, 0.5, 0.8, 1.2)  # of throughputs, bandwidths, launch floors and the intercept, in natural logarithms


def _solve(
    networks: Sequence[Features], seconds: Sequence[float], prior: Coefficients, start: Coefficients
) -> Coefficients:
    centre = _pack(prior)
    spread = np.repeat(_SPREADS, (len(THROUGHPUTS), len(STREAMS), len(STREAMS), 1))
    target = np.log(np.asarray(seconds))
    together = Features.joined(networks)
    starts = np.cumsum([0, *(len(network.kinds) for network in networks[:-1])])

    def residuals(shift: Floats) -> Floats:
        coefficients = _unpack(centre + spread * shift)
        predicted = coefficients.intercept + np.add.reduceat(together.kernel_seconds(coefficients), starts)
        return np.concatenate([(np.log(predicted) - target) / _NOISE, shift])

    first = (_pack(start) - centre) / spread
    solution = least_squares(residuals, first, xtol=1e-6, ftol=1e-6)  # type: ignore[operator]
    return _unpack(centre + spread * solution.x)


def _pack(coefficients: Coefficients) -> Floats:
    flat = (*coefficients.throughput, *coefficients.bandwidth, *coefficients.launch, coefficients.intercept)
    logarithms: Floats = np.log(np.asarray(flat))
    return logarithms


def _unpack(logarithms: Floats) -> Coefficients:
    values = [float(value) for value in np.exp(logarithms)]
    first, second = len(THROUGHPUTS), len(THROUGHPUTS) + len(STREAMS)
    return Coefficients(tuple(values[:first]), tuple(values[first:second]), tuple(values[second:-1]), values[-1])
