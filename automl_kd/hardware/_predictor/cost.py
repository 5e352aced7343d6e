"""What a kernel costs on a device: a roofline with a launch floor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from automl_kd.hardware._kernels.graph import COMPUTE, Kind
from automl_kd.hardware._kernels.lower import Kernel

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]

THROUGHPUTS: tuple[Kind, ...] = tuple(kind for kind in Kind if kind in COMPUTE)
"""Kinds with a throughput of their own, in the order of ``Coefficients.throughput``."""

STREAMS: tuple[str, ...] = ("compute", *(kind.value for kind in Kind if kind not in COMPUTE))
"""Kinds with a bandwidth and a launch floor of their own; all kinds of multiply-accumulates share ``compute``."""

_KINDS = tuple(Kind)
_THROUGHPUT_OF = np.array([THROUGHPUTS.index(kind) if kind in COMPUTE else 0 for kind in _KINDS])
_STREAM_OF = np.array([0 if kind in COMPUTE else STREAMS.index(kind.value) for kind in _KINDS])


@dataclass(frozen=True, slots=True)
class Coefficients:
    """What a fit finds for one device.

    A kernel of kind k takes ``max(launch[k], flops / throughput[k], bytes / bandwidth[k])`` and a network takes
    ``intercept`` plus the sum of its kernels: the roofline of Williams et al. 2009 with a floor. The floor is a maximum
    and no summand because a queue hides the launch of one kernel behind the work of another.

    Attributes:
        throughput: Effective operations per second, one for each of ``THROUGHPUTS``.
        bandwidth: Effective bytes per second, one for each of ``STREAMS``.
        launch: Seconds that a kernel takes at least, one for each of ``STREAMS``.
        intercept: Seconds that every network takes besides its kernels.
    """

    throughput: tuple[float, ...]
    bandwidth: tuple[float, ...]
    launch: tuple[float, ...]
    intercept: float


@dataclass(frozen=True, slots=True)
class Features:
    """The kernels of one network as arrays of length K: kind, operations, bytes."""

    kinds: Integers
    flops: Floats
    bytes: Floats

    @staticmethod
    def of(kernels: Sequence[Kernel]) -> Features:
        return Features(
            np.array([_KINDS.index(kernel.kind) for kernel in kernels], dtype=np.intp),
            np.array([kernel.flops for kernel in kernels], dtype=np.float64),
            np.array([kernel.read + kernel.written + kernel.weights for kernel in kernels], dtype=np.float64),
        )

    @staticmethod
    def joined(networks: Sequence[Features]) -> Features:
        """The kernels of several networks, one after another."""
        return Features(
            np.concatenate([network.kinds for network in networks]),
            np.concatenate([network.flops for network in networks]),
            np.concatenate([network.bytes for network in networks]),
        )

    def kernel_seconds(self, coefficients: Coefficients) -> Floats:
        """Seconds of every kernel, (K,)."""
        throughput = np.array(coefficients.throughput)[_THROUGHPUT_OF[self.kinds]]
        stream = _STREAM_OF[self.kinds]
        bandwidth, launch = np.array(coefficients.bandwidth)[stream], np.array(coefficients.launch)[stream]
        work: Floats = np.maximum(self.flops / throughput, self.bytes / bandwidth)
        seconds: Floats = np.maximum(launch, work)
        return seconds

    def seconds(self, coefficients: Coefficients) -> float:
        """Seconds of the whole network."""
        return coefficients.intercept + float(self.kernel_seconds(coefficients).sum())


def kinds_of(features: Iterable[Features]) -> frozenset[Kind]:
    """Every kind that occurs in some networks."""
    return frozenset(_KINDS[index] for item in features for index in np.unique(item.kinds))


_SHARE_OF_PEAK = {
    Kind.CONV3X3: 0.5,
    Kind.CONV: 0.4,
    Kind.POINTWISE: 0.4,
    Kind.GROUPED: 0.2,
    Kind.TRANSPOSED: 0.25,
    Kind.DENSE: 0.3,
    Kind.DEPTHWISE: 0.1,
}


def datasheet(peak_flops: float, bandwidth: float, launch: float, intercept: float) -> Coefficients:
    """Coefficients to expect from a datasheet alone: what a fit starts from, and what kinds without data keep.

    The shares of peak are those usual for inference libraries at batch 1: half for large convolutions, a tenth for
    depthwise ones, which are short of reuse; 60 % of the nominal memory bandwidth.

    Args:
        peak_flops: Operations per second in the profile's precision.
        bandwidth: Nominal bytes per second.
        launch: Seconds per kernel.
        intercept: Seconds per network.
    """
    return Coefficients(
        throughput=tuple(peak_flops * _SHARE_OF_PEAK[kind] for kind in THROUGHPUTS),
        bandwidth=(bandwidth * 0.6,) * len(STREAMS),
        launch=(launch,) * len(STREAMS),
        intercept=intercept,
    )
