"""The parts of a price: by kind of kernel and by what limits it, with what is known of each kind."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, Floats
from automl_kd.hardware.predictor.posterior import Posterior
from automl_kd.hardware.predictor.prediction import Prediction


@dataclass(frozen=True, slots=True)
class Part:
    """A row of an explanation: the kernels of a kind, or what comes on top of all kernels.

    Attributes:
        name: A kind; ``intercept``, ``streaming`` of weights that the device does not keep, or ``correction`` of the
            sum.
        ms: Its milliseconds; a correction may be negative.
        share: Its share of the price.
        kernels: How many are executed; None where it is no kind, like all that follows.
        gflops: 10⁹ operations in multiply-accumulates, each counted as 2.
        mb: 10⁶ bytes of activations and weights that are read and written.
        arithmetic: Milliseconds that arithmetic takes. Where arithmetic, memory and launches overlap, a kernel's time
            is that of the longest of them; where they do not, its sum divides.
        memory: Milliseconds of memory traffic.
        launch: Milliseconds of launches.
        extrapolated: Whether no measured network holds the kind.
        networks: How many measured networks spend a noteworthy share of their time in the kind.
        off_by: Factor by which the time may be off either way, as a 90 % interval.
        on_host: How many of the kernels the runtime leaves to the device's host.
    """

    name: str
    ms: float
    share: float
    kernels: int | None = None
    gflops: float | None = None
    mb: float | None = None
    arithmetic: float | None = None
    memory: float | None = None
    launch: float | None = None
    extrapolated: bool = False
    networks: int | None = None
    off_by: float | None = None
    on_host: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A price and its parts.

    Attributes:
        prediction: The price.
        parts: What adds up to it, kinds first, dearest first; empty where the network does not fit the device.
    """

    prediction: Prediction
    parts: tuple[Part, ...]

    @property
    def extrapolated(self) -> dict[Kind, float]:
        """Shares of the time in kinds that no measured network holds, dearest first."""
        return {Kind(part.name): part.share for part in self.parts if part.extrapolated}


def explain(
    prediction: Prediction,
    network: Network,
    features: Features,
    coefficients: Coefficients,
    streaming: float,
    holders: Mapping[Kind, int],
    posterior: Posterior,
) -> Explanation:
    """The parts of a price.

    Args:
        prediction: The price.
        network: What it is for.
        features: Its kernels.
        coefficients: What priced them.
        streaming: Seconds in which weights are streamed.
        holders: How many measured networks tell of each kind.
        posterior: How far off the coefficients may be.
    """
    if not prediction.fits:
        return Explanation(prediction, ())
    limits = 1e3 * features.limited_by_kind(coefficients)
    kinds = sorted(_kinds(prediction.ms, network, limits, holders, posterior), key=lambda part: -part.ms)
    rest = {"intercept": 1e3 * coefficients.intercept, "streaming": 1e3 * streaming}
    summed = float(limits.sum()) + sum(rest.values())
    if not math.isclose(prediction.ms, summed, rel_tol=1e-9):
        rest["correction"] = prediction.ms - summed
    others = [Part(name, ms, ms / prediction.ms) for name, ms in rest.items() if ms]
    return Explanation(prediction, (*kinds, *others))


def _kinds(
    whole: float, network: Network, limits: Floats, holders: Mapping[Kind, int], posterior: Posterior
) -> Iterator[Part]:
    for index, kind in enumerate(KINDS):
        kernels = [kernel for kernel in network.kernels if kernel.kind is kind]
        if not kernels:
            continue
        arithmetic, memory, launch = limits[:, index].tolist()
        ms = arithmetic + memory + launch
        yield Part(
            name=kind.value,
            ms=ms,
            share=ms / whole,
            kernels=sum(kernel.times for kernel in kernels),
            gflops=1e-9 * sum(kernel.flops * kernel.times for kernel in kernels),
            mb=1e-6 * sum((kernel.read + kernel.written + kernel.weights) * kernel.times for kernel in kernels),
            arithmetic=arithmetic,
            memory=memory,
            launch=launch,
            extrapolated=not holders[kind],
            networks=holders[kind],
            off_by=math.exp(_half_width(limits[:, index], index, posterior)) if ms else None,
            on_host=sum(kernel.times for kernel in kernels if kernel.on_host),
        )


def _half_width(parts: Floats, index: int, posterior: Posterior) -> float:
    """Half-width of the time of one kind, from its milliseconds of arithmetic, memory and launches."""
    mix = np.zeros((3, len(KINDS)))
    mix[:, index] = parts / parts.sum() * (-1.0, -1.0, 1.0)
    return float(posterior.of_coefficients(np.append(mix, 0.0)[None])[0])
