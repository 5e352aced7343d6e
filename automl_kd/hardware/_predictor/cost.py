"""What a kernel costs on a device: a roofline with a launch floor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automl_kd.hardware._kernels.graph import Kind
from automl_kd.hardware._kernels.lower import Kernel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

KINDS: tuple[Kind, ...] = tuple(Kind)
"""All kinds, in the order of every array by kind."""

_INDEX = {kind: index for index, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a fit finds for one device and runtime.

    A kernel of kind k works for ``max(operations / throughput[k], bytes / bandwidth[k])`` (the roofline of Williams et
    al. 2009) and a network takes ``intercept`` plus the sum of its kernels. Where a queue hides the launch of one
    kernel behind the work of another (GPUs), ``launch[k]`` is a floor under that time; where a thread does both, it is
    added to it.

    Attributes:
        throughput: Operations per second by kind: multiply-accumulates count 2, other arithmetic 1.
        bandwidth: Bytes per second by kind.
        launch: Seconds by kind.
        intercept: Seconds that every network takes besides its kernels.
        queued: Whether launches overlap with work.
    """

    throughput: tuple[float, ...]
    bandwidth: tuple[float, ...]
    launch: tuple[float, ...]
    intercept: float
    queued: bool

    def pack(self) -> Floats:
        """The logarithms as one array, (3 K + 1,)."""
        logarithms: Floats = np.log(np.array((*self.throughput, *self.bandwidth, *self.launch, self.intercept)))
        return logarithms

    @staticmethod
    def unpack(logarithms: Floats, queued: bool) -> Coefficients:
        """The inverse of :meth:`pack`."""
        values = [float(value) for value in np.exp(logarithms)]
        first, second = len(KINDS), 2 * len(KINDS)
        return Coefficients(
            tuple(values[:first]), tuple(values[first:second]), tuple(values[second:-1]), values[-1], queued
        )


@dataclass(frozen=True, slots=True)
class Features:
    """The kernels of one network as arrays of length K: index of the kind, operations, bytes."""

    kinds: Integers
    operations: Floats
    bytes: Floats

    @staticmethod
    def of(kernels: Sequence[Kernel], host_slowdown: float = 1.0) -> Features:
        """The kernels of a network.

        Args:
            kernels: In any order.
            host_slowdown: By how much the work of kernels counts more that run beside the accelerator.
        """
        slow = np.array([host_slowdown if kernel.on_host else 1.0 for kernel in kernels])
        moved = np.array([kernel.read + kernel.written + kernel.weights for kernel in kernels], dtype=np.float64)
        return Features(
            np.array([_INDEX[kernel.kind] for kernel in kernels], dtype=np.intp),
            np.array([kernel.flops + kernel.work for kernel in kernels], dtype=np.float64) * slow,
            moved * slow,
        )

    @staticmethod
    def joined(networks: Sequence[Features]) -> Features:
        """The kernels of several networks, one after another."""
        return Features(
            np.concatenate([network.kinds for network in networks]),
            np.concatenate([network.operations for network in networks]),
            np.concatenate([network.bytes for network in networks]),
        )

    def kernel_seconds(self, coefficients: Coefficients) -> Floats:
        """Seconds of every kernel, (K,)."""
        throughput, bandwidth, launch = (
            np.array(values)[self.kinds]
            for values in (coefficients.throughput, coefficients.bandwidth, coefficients.launch)
        )
        work: Floats = np.maximum(self.operations / throughput, self.bytes / bandwidth)
        seconds: Floats = np.maximum(launch, work) if coefficients.queued else launch + work
        return seconds

    def seconds_by_kind(self, coefficients: Coefficients) -> Floats:
        """Seconds of all kernels of a kind, by kind."""
        seconds: Floats = np.bincount(self.kinds, self.kernel_seconds(coefficients), len(KINDS)).astype(np.float64)
        return seconds

    def seconds(self, coefficients: Coefficients) -> float:
        """Seconds of the whole network."""
        return coefficients.intercept + float(self.kernel_seconds(coefficients).sum())


def kinds_of(features: Iterable[Features]) -> frozenset[Kind]:
    """Every kind that occurs in some networks."""
    return frozenset(KINDS[index] for item in features for index in np.unique(item.kinds))


_SHARE_OF_PEAK = {
    Kind.CONV3X3: 0.5,
    Kind.CONV: 0.4,
    Kind.POINTWISE: 0.4,
    Kind.GROUPED: 0.2,
    Kind.TRANSPOSED: 0.25,
    Kind.DENSE: 0.3,
    Kind.ATTENTION: 0.3,
    Kind.RECURRENT: 0.1,
    Kind.DEPTHWISE: 0.1,
}
_SHARE_OF_BANDWIDTH = 0.6
# The smallest convolution or pool stages weights or windows first; what maps one element to one does not.
_SHARE_OF_LAUNCH = {Kind.ELEMENTWISE: 0.4, Kind.COPY: 0.4}
# Sixteen operations of a peak are one instruction of a vector unit; other arithmetic gets one of those at best.
_SHARE_OF_PEAK_ELSE = 0.4 / 16


def datasheet(peak: float, bandwidth: float, launch: float, intercept: float, queued: bool) -> Coefficients:
    """Coefficients to expect from a datasheet alone: what a fit starts from, and what kinds without data keep.

    The shares of peak are those usual for inference libraries at batch 1: half for large convolutions, a tenth for
    depthwise ones, which are short of reuse; 60 % of the nominal memory bandwidth; two fifths of the launch for
    operators that map element to element.

    Args:
        peak: Operations per second in the target's precision.
        bandwidth: Nominal bytes per second.
        launch: Seconds of the smallest convolution.
        intercept: Seconds per network.
        queued: Whether launches overlap with work.
    """
    return Coefficients(
        throughput=tuple(peak * _SHARE_OF_PEAK.get(kind, _SHARE_OF_PEAK_ELSE) for kind in KINDS),
        bandwidth=(bandwidth * _SHARE_OF_BANDWIDTH,) * len(KINDS),
        launch=tuple(launch * _SHARE_OF_LAUNCH.get(kind, 1.0) for kind in KINDS),
        intercept=intercept,
        queued=queued,
    )
