"""Measured networks beside the predictions of fits without them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from automl_kd.hardware.profile import Profile


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """A measured network and the prediction of a fit without it.

    Attributes:
        model: Its name.
        source: Where the measurement is from.
        gflops: 10⁹ operations, a multiply-accumulate counted as 2.
        measured_ms: Measured milliseconds.
        predicted_ms: Prediction of the fit without it, milliseconds.
        low: Lower end of the 90 % interval around the prediction, ms.
        high: Upper end, ms.
    """

    model: str
    source: str
    gflops: float
    measured_ms: float
    predicted_ms: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """``predicted / measured - 1``."""
        return self.predicted_ms / self.measured_ms - 1


def cross_validation(profile: Profile) -> tuple[CrossValidation, ...]:
    """Every measured network of a profile's file, fastest first; empty where it has none."""
    fitted = profile.target.fit
    if fitted is None or not fitted.references:
        return ()
    references, widths = fitted.references, fitted.posterior().left_out_widths()
    rows = [
        CrossValidation(
            model=reference.model,
            source=reference.source,
            gflops=reference.gflops,
            measured_ms=reference.ms,
            predicted_ms=reference.left_out_ms,
            low=reference.left_out_ms * math.exp(-width),
            high=reference.left_out_ms * math.exp(width),
        )
        for reference, width in zip(references, widths.tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.measured_ms))
