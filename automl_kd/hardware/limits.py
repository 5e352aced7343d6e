"""The memory that a network has to fit into, and the cost of weights that a device streams."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import psutil

from automl_kd.hardware.datasheet import Fact, Memory
from automl_kd.hardware.predictor.cost import Floats
from automl_kd.hardware.processor import shared_cache_mb


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes that a device has; infinite where nothing binds.

    Attributes:
        total: For weights and activations together.
        activations: For activations alone.
        weights: For weights alone.
        cached_weights: Weights beyond this are streamed at every inference.
        stream: Bytes per second of that.
    """

    total: float
    activations: float
    weights: float
    cached_weights: float
    stream: float

    @staticmethod
    def of(memory: Memory, this_machine: float | None = None) -> Limits:
        """The limits of a device.

        Args:
            memory: As its file says.
            this_machine: Bytes per second of this machine's memory, where the device is this machine: its memory and
                its last cache stand for what the file leaves out.
        """
        total, cached = _bytes(memory.ram_gb, 1e9), _bytes(memory.weight_cache_mb, 1e6)
        stream = _bytes(memory.stream_gb_s, 1e9)
        if this_machine is not None and memory.ram_gb is None:
            total = float(psutil.virtual_memory().total)
        if this_machine is not None and memory.weight_cache_mb is None:
            cached, stream = 1e6 * (shared_cache_mb() or math.inf), this_machine
        return Limits(total, _bytes(memory.sram_kb, 1024), _bytes(memory.flash_kb, 1024), cached, stream)

    def missing(self, peaks: Floats, weights: Floats) -> Floats:
        """Bytes that N networks lack at the limit that they exceed most; 0 where they fit, (N,)."""
        over = np.stack([peaks + weights - self.total, peaks - self.activations, weights - self.weights])
        lacking: Floats = np.maximum(0.0, over.max(axis=0))
        return np.ceil(lacking)

    def streaming_seconds(self, weights: Floats | float) -> Floats:
        """Seconds of every inference in which weights are streamed that the device cannot keep."""
        streamed: Floats = np.maximum(0.0, np.asarray(weights, dtype=np.float64) - self.cached_weights) / self.stream
        return streamed


def _bytes(fact: Fact | None, unit: float) -> float:
    return math.inf if fact is None else fact.value * unit
