"""What a target executes for a graph, and what that is priced by."""

from __future__ import annotations

import math

from automl_kd.hardware._kernels.graph import Graph
from automl_kd.hardware._kernels.kernel import Network
from automl_kd.hardware._kernels.lower import lower
from automl_kd.hardware._predictor.cost import Features
from automl_kd.hardware._predictor.fit import KNOWN_LOOPS, MEASURED, Evidence
from automl_kd.hardware._schema import ELEMENT_BYTES, Target


def kernels_of(target: Target, graph: Graph) -> Network:
    """The kernels of the target's runtime in its precision."""
    vector, found = target.facts.vector, target.execution
    lanes = None if vector is None else vector.lanes
    dead_code = None if found is None else (found.zeros, found.dead)
    return lower(graph, target.runtime, ELEMENT_BYTES[target.precision], lanes, dead_code)


def features_of(target: Target, network: Network) -> Features:
    """Work and traffic; kernels on a host beside the accelerator count as so much more as it is slower."""
    slowdown, vector = target.facts.host_slowdown, target.facts.vector
    cache = math.inf if vector is None else vector.cache_mb * 1e6
    return Features.of(network.kernels, 1.0 if slowdown is None else slowdown.value, cache)


def evidence_for(target: Target) -> Evidence:
    """What networks measured for the purpose say of the target."""
    return MEASURED if target.facts.vector is None else KNOWN_LOOPS
