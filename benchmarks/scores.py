"""Predictions against measurements in a few figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from automl_kd.hardware import Network, Profile

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """Predictions against measurements."""

    spearman: float
    median_error: float
    mean_error: float
    within_10: float
    coverage: float

    @staticmethod
    def of(profile: Profile, found: Sequence[Network], ms: Floats) -> Score:
        said = profile.price_networks(found)
        middle = np.array([each.ms for each in said])
        error = np.abs(middle / ms - 1)
        inside = np.mean([each.low <= value <= each.high for each, value in zip(said, ms, strict=True)])
        return Score(
            float(spearmanr(middle, ms)[0]),
            float(np.median(error)),
            float(error.mean()),
            float(np.mean(error <= 0.1)),
            float(inside),
        )

    @staticmethod
    def median(scores: Sequence[Score]) -> Score:
        table = np.array([list(vars(score).values()) for score in scores])
        return Score(*(float(value) for value in np.median(table, axis=0)))
