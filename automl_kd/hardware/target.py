"""A graph as the kernels of a target, and the work and traffic that these are priced by."""

from __future__ import annotations

import math
from dataclasses import replace

from automl_kd.hardware.datasheet import ELEMENT_BYTES, WEIGHT_BYTES, Scratchpad
from automl_kd.hardware.kernels.graph import Graph
from automl_kd.hardware.kernels.kernel import Kernel, Network
from automl_kd.hardware.kernels.lower import lower
from automl_kd.hardware.kernels.qdq import quantised
from automl_kd.hardware.kernels.quantised import is_quantised
from automl_kd.hardware.predictor.cost import Features
from automl_kd.hardware.predictor.misfit import Misfit
from automl_kd.hardware.predictor.prior import KNOWN_LOOPS, MEASURED, Spread
from automl_kd.hardware.profile_file import Target


def kernels_of(target: Target, graph: Graph) -> Network:
    """The kernels of the target's runtime in its precision.

    Of a target that was measured on quantised files, the kernels of the quantised file of a graph of floats.
    """
    vector, found, precision = target.facts.vector, target.execution, target.precision
    if target.of_integers and target.from_files:
        graph = graph if is_quantised(graph) else quantised(graph, whole=True)
        precision = "fp32"  # of what is no integer there
    return lower(
        graph,
        target.runtime,
        ELEMENT_BYTES[precision],
        None if vector is None else vector.lanes,
        WEIGHT_BYTES[precision],
        None if found is None else (found.zeros, found.dead),
    )


def features_of(target: Target, network: Network) -> Features:
    """Work and traffic of a network's kernels.

    A kernel on the host of an accelerator counts more, by the factor by which the host is slower. Activations in a
    scratchpad count less, by the factor by which that is faster than the memory.
    """
    facts = target.facts
    slowdown, vector = facts.host_slowdown, facts.vector
    cache = math.inf if vector is None else vector.cache_mb * 1e6
    kernels = network.kernels
    if facts.scratchpad is not None:
        kernels = tuple(_kept_near(kernel, facts.scratchpad, facts.bandwidth_gb_s.value) for kernel in kernels)
    return Features.of(kernels, 1.0 if slowdown is None else slowdown.value, cache)


def _kept_near(kernel: Kernel, scratchpad: Scratchpad, memory_gb_s: float) -> Kernel:
    """The kernel with the bytes that a scratchpad holds converted to bytes that the memory moves in the same time."""
    moved = kernel.read + kernel.written
    if kernel.on_host or not moved:
        return kernel
    near = min(1.0, 1e6 * scratchpad.mb / moved)
    share = 1 - near + near * min(1.0, memory_gb_s / scratchpad.gb_s)
    return replace(kernel, read=round(share * kernel.read), written=round(share * kernel.written))


OWN_MISFIT = Misfit(noise=0.03, alike=0.1)
"""Misfit of networks that were measured for the purpose, under one protocol."""


def spread_of(target: Target) -> Spread:
    """How far coefficients may lie off the datasheet of a target that is measured for the purpose."""
    return MEASURED if target.facts.vector is None else KNOWN_LOOPS
