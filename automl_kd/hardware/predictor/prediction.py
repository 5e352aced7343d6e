"""The price of a network on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """One network on one device.

    Attributes:
        ms: Predicted latency in milliseconds; infinite when the network does not fit the device.
        low: Lower end of the 90 % interval, ms.
        high: Upper end of the 90 % interval, ms.
        coverage: Share of the kernels whose operator is known, 0 to 1.
        memory_bytes: Weights and the activations alive at once, in the profile's precision; the runtime's own
            memory comes on top.
        params: Parameters.
        flops: Operations in multiply-accumulates, each counted as 2.
        missing_bytes: How much memory the device lacks; 0 when the network fits.
        energy_mj: Energy of one inference in millijoules; None where nothing is known of it.
        size_bytes: Weights in the file that ships: parameters, those of batch normalisation that an export folds away
            included, times the bytes of each; None of a network that is a file already.
        notes: Assumptions that the price rests on beside the target's fit, a sentence each.
    """

    ms: float
    low: float
    high: float
    coverage: float
    memory_bytes: int
    params: int
    flops: int
    missing_bytes: int
    energy_mj: float | None = None
    size_bytes: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is negative, infinite or out of order, whoever made it.

        Raises:
            ValueError: If a price is none.
        """
        ordered = 0 < self.low <= self.ms <= self.high < math.inf if self.fits else self.low == self.high == math.inf
        if not ordered or not 0 <= self.coverage <= 1:
            raise ValueError(f"no price: {self.low} <= {self.ms} <= {self.high} ms, coverage {self.coverage}")

    @property
    def fits(self) -> bool:
        """Whether the device has the memory; only then is there a latency."""
        return self.missing_bytes == 0
