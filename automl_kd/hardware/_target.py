"""What a target executes for a graph, and what that is priced by."""

from __future__ import annotations

import math

from automl_kd.hardware._kernels.graph import Graph
from automl_kd.hardware._kernels.kernel import Network
from automl_kd.hardware._kernels.lower import lower
from automl_kd.hardware._predictor.cost import Features
from automl_kd.hardware._predictor.misfit import Misfit
from automl_kd.hardware._predictor.prior import KNOWN_LOOPS, MEASURED, Spread
from automl_kd.hardware._schema import ELEMENT_BYTES, WEIGHT_BYTES, Target


def kernels_of(target: Target, graph: Graph) -> Network:
    """The kernels of the target's runtime in its precision."""
    vector, found = target.facts.vector, target.execution
    return lower(
        graph,
        target.runtime,
        ELEMENT_BYTES[target.precision],
        None if vector is None else vector.lanes,
        WEIGHT_BYTES[target.precision],
        None if found is None else (found.zeros, found.dead),
    )


def features_of(target: Target, network: Network) -> Features:
    """Work and traffic; kernels on a host beside the accelerator count as so much more as it is slower."""
    slowdown, vector = target.facts.host_slowdown, target.facts.vector
    cache = math.inf if vector is None else vector.cache_mb * 1e6
    return Features.of(network.kernels, 1.0 if slowdown is None else slowdown.value, cache)


OWN_MISFIT = Misfit(noise=0.03, unlike=0.1)
"""Of networks that were measured for the purpose, under one protocol."""


def spread_of(target: Target) -> Spread:
    """How far coefficients may lie off the datasheet of a target that is measured for the purpose."""
    return MEASURED if target.facts.vector is None else KNOWN_LOOPS
