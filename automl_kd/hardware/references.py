"""Measured networks before a fit, as timed kernels of a target, and after it, as reference networks of a profile."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_kd.hardware.fit_section import ReferenceNetwork
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.predictor.fit import Fitted
from automl_kd.hardware.predictor.timed import TimedKernels
from automl_kd.hardware.profile_file import Target
from automl_kd.hardware.target import features_of


def timed_kernels(target: Target, limits: Limits, network: Network, ms: float) -> TimedKernels:
    """A measured network as a fit takes it.

    Args:
        target: That it was measured on.
        limits: Of the device, which say what is streamed.
        network: As kernels of the target.
        ms: Measured milliseconds.
    """
    return TimedKernels(
        features=features_of(target, network),
        seconds=1e-3 * ms,
        flops=float(max(network.flops, 1)),
        streaming=float(limits.streaming_seconds(network.weights)),
    )


def reference_networks(
    names: Sequence[str],
    networks: Sequence[Network],
    ms: Sequence[float],
    fitted: Fitted,
    source: str,
    errors: Sequence[float] | None = None,
) -> list[ReferenceNetwork]:
    """The networks that a fit rests on, as its profile keeps them.

    Args:
        names: What to call them, N.
        networks: As kernels of the target.
        ms: Measured milliseconds.
        fitted: The fit on them.
        source: Where the measurements are from.
        errors: ``log(measured / predicted)`` of every network when it was left out, where a correction changed them.
    """
    return [
        ReferenceNetwork(
            model=name,
            input=network.input[1:],
            gflops=max(network.flops, 1) / 1e9,
            ms=each,
            fitted_ms=each / math.exp(residual),
            left_out_ms=each / math.exp(error),
            source=source,
            time=ReferenceNetwork.time_of(sensitivities),
            intercept=float(sensitivities[-1]),
        )
        for name, network, each, residual, error, sensitivities in zip(
            names,
            networks,
            ms,
            fitted.residuals.tolist(),
            fitted.errors if errors is None else errors,
            fitted.sensitivities,
            strict=True,
        )
    ]
