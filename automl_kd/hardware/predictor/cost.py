"""The cost of a kernel on a device: a roofline with a launch floor."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automl_kd.hardware.kernels.graph import COMPUTE, Kind
from automl_kd.hardware.kernels.kernel import Kernel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

KINDS: tuple[Kind, ...] = tuple(Kind)
"""All kinds, in the order of every array by kind."""

_INDEX = {kind: index for index, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The coefficients of one target, by kind of kernel.

    A network takes ``intercept`` plus the sum of its kernels. On GPUs a queue hides the launch of one kernel behind the
    work of another, and many threads hide memory behind arithmetic: a kernel of kind k takes ``max(operations /
    throughput[k], bytes / bandwidth[k], launch[k])`` (the roofline of Williams et al. 2009 over a floor). Where one
    thread does one after the other, it takes the sum of the three.

    Attributes:
        throughput: Operations per second by kind: multiply-accumulates count 2, other arithmetic 1.
        bandwidth: Bytes per second by kind.
        launch: Seconds by kind.
        intercept: Seconds that every network takes besides its kernels.
        queued: Whether launches, arithmetic and memory overlap.
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
    """The kernels of one network as arrays of length K: index of the kind, operations, bytes, how often it runs."""

    kinds: Integers
    operations: Floats
    bytes: Floats
    times: Floats

    @staticmethod
    def of(kernels: Sequence[Kernel], host_slowdown: float = 1.0, cache: float = math.inf) -> Features:
        """The kernels of a network.

        Args:
            kernels: In any order.
            host_slowdown: Factor on the work of kernels that run on the host of an accelerator.
            cache: Bytes that a core keeps near; what a kernel moves beyond them counts twice.
        """
        slow = np.array([host_slowdown if kernel.on_host else 1.0 for kernel in kernels])
        moved = np.array([kernel.read + kernel.written + kernel.weights for kernel in kernels], dtype=np.float64)
        return Features(
            np.array([_INDEX[kernel.kind] for kernel in kernels], dtype=np.intp),
            np.array([kernel.operations for kernel in kernels], dtype=np.float64) * slow,
            (moved + np.maximum(0.0, moved - cache)) * slow,
            np.array([kernel.times for kernel in kernels], dtype=np.float64),
        )

    @staticmethod
    def joined(networks: Sequence[Features]) -> Features:
        """The kernels of several networks, one after another."""
        return Features(
            np.concatenate([network.kinds for network in networks]),
            np.concatenate([network.operations for network in networks]),
            np.concatenate([network.bytes for network in networks]),
            np.concatenate([network.times for network in networks]),
        )

    def limited_seconds(self, coefficients: Coefficients) -> Floats:
        """Seconds of every kernel by what they are spent on: arithmetic, memory and the launch, (3, K).

        Where the three overlap, all of a kernel's time is spent on the longest.
        """
        throughput, bandwidth, launch = (
            np.array(values)[self.kinds]
            for values in (coefficients.throughput, coefficients.bandwidth, coefficients.launch)
        )
        parts = np.stack([self.operations / throughput, self.bytes / bandwidth, launch])
        if coefficients.queued:
            parts *= np.arange(3)[:, None] == np.argmax(parts, axis=0)
        limited: Floats = self.times * parts
        return limited

    def kernel_seconds(self, coefficients: Coefficients) -> Floats:
        """Seconds of every kernel, (K,)."""
        seconds: Floats = self.limited_seconds(coefficients).sum(axis=0)
        return seconds

    def seconds_by_kind(self, coefficients: Coefficients) -> Floats:
        """Seconds of all kernels of a kind, by kind."""
        seconds: Floats = self.limited_by_kind(coefficients).sum(axis=0)
        return seconds

    def limited_by_kind(self, coefficients: Coefficients) -> Floats:
        """Seconds by what they are spent on (arithmetic, memory, launches) and kind, (3, K)."""
        found: Floats = np.stack(
            [np.bincount(self.kinds, part, len(KINDS)) for part in self.limited_seconds(coefficients)]
        ).astype(np.float64)
        return found

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
# The smallest convolution or pooling copies weights or windows first; an elementwise operator does not.
_SHARE_OF_LAUNCH = {Kind.ELEMENTWISE: 0.4, Kind.COPY: 0.4}
# Sixteen operations of a peak are one instruction of a vector unit; other arithmetic gets one of those at best.
_SHARE_OF_PEAK_ELSE = 0.4 / 16
# A full tile spends this share of its instructions on multiply-adds; poolings and sums are bound by their loads.
_SHARE_IN_LOOPS, _SHARE_IN_LOOPS_ELSE = 0.6, 0.1
_CACHED = 2.0


def inner_loops(peak: float, bandwidth: float, launch: float, intercept: float) -> Coefficients:
    """Coefficients to expect where operations count what the inner loops execute: one throughput serves all kinds.

    Args:
        peak: Operations per second that one thread's vector unit could execute.
        bandwidth: Bytes per second from the memory; activations mostly come from caches.
        launch: Seconds of the smallest convolution.
        intercept: Seconds per network.
    """
    return Coefficients(
        throughput=tuple(peak * (_SHARE_IN_LOOPS if kind in COMPUTE else _SHARE_IN_LOOPS_ELSE) for kind in KINDS),
        bandwidth=(bandwidth * _CACHED,) * len(KINDS),
        launch=tuple(launch * _SHARE_OF_LAUNCH.get(kind, 1.0) for kind in KINDS),
        intercept=intercept,
        queued=False,
    )


def datasheet(peak: float, bandwidth: float, launch: float, intercept: float, queued: bool) -> Coefficients:
    """Coefficients to expect from a datasheet alone; a fit starts from them, and kinds without data keep them.

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
