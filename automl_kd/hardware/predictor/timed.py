"""Measured networks as kernels: their times as a function of a target's coefficients, and its linearisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, Floats
from automl_kd.hardware.predictor.prior import WIDTH


@dataclass(frozen=True, slots=True)
class TimedKernels:
    """A network as the kernels of a target, and how long the target took for it.

    Attributes:
        features: Its kernels.
        seconds: Its measured latency.
        flops: Its operations in multiply-accumulates, each counted as 2.
        streaming: Seconds of that latency in which weights are streamed; no coefficient changes them.
    """

    features: Features
    seconds: float
    flops: float
    streaming: float = 0.0


class TimedNetworks:
    """N measured networks of one target in one table of kernels.

    Args:
        networks: At least one.
    """

    def __init__(self, networks: Sequence[TimedKernels]) -> None:
        self._kernels = Features.joined([network.features for network in networks])
        self._network = np.repeat(np.arange(len(networks)), [len(network.features.kinds) for network in networks])
        self._streaming = np.array([network.streaming for network in networks])
        self.logarithms: Floats = np.log([network.seconds for network in networks])
        """Of their measured seconds, (N,)."""
        self.flops: Floats = np.array([network.flops for network in networks], dtype=np.float64)
        """Their operations, (N,)."""

    def linearised(self, coefficients: Coefficients) -> tuple[Floats, Floats]:
        """Logarithms of predicted seconds, (N,), and their derivatives by the log-coefficients, (N, 3 K + 1)."""
        count = len(self.logarithms)
        parts = self._kernels.limited_seconds(coefficients)
        total = self._streaming + coefficients.intercept + np.bincount(self._network, parts.sum(axis=0), count)
        table = np.zeros(count * WIDTH)
        for offset, sign, part in zip((0, len(KINDS), 2 * len(KINDS)), (-1.0, -1.0, 1.0), parts, strict=True):
            table += np.bincount(self._network * WIDTH + offset + self._kernels.kinds, sign * part, len(table))
        matrix = table.reshape(count, WIDTH)
        matrix[:, -1] = coefficients.intercept
        return np.log(total), matrix / total[:, None]
