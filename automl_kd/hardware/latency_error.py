"""How a profile does on networks that were measured and left out of its fit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from automl_kd.hardware.profile import Profile


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A measured network and what the fit without it says.

    Attributes:
        model: Its name.
        source: Where the measurement is from.
        gflops: 10⁹ operations, a multiply-accumulate counted as 2.
        measured_ms: Milliseconds.
        predicted_ms: By the fit without it.
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


def left_out(profile: Profile) -> tuple[LeftOut, ...]:
    """Every measured network of a profile's file, fastest first; empty where it has none."""
    fitted = profile.target.fit
    if fitted is None or not fitted.anchors:
        return ()
    anchors, widths = fitted.anchors, fitted.posterior().left_out_widths()
    rows = [
        LeftOut(
            model=anchor.model,
            source=anchor.source,
            gflops=anchor.gflops,
            measured_ms=anchor.ms,
            predicted_ms=anchor.left_out_ms,
            low=anchor.left_out_ms * math.exp(-width),
            high=anchor.left_out_ms * math.exp(width),
        )
        for anchor, width in zip(anchors, widths.tolist(), strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: row.measured_ms))
