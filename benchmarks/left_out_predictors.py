"""Predictions of rows that were left out, from the rows that stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from fit_profiles import Fits, Row, document
from latency import predictions
from left_out_schemes import Case
from published_latencies import Key

from automl_kd.hardware import Profile, load_profile
from automl_kd.hardware._predictor.fit import fit
from automl_kd.hardware._target import features_of


class Answer(NamedTuple):
    """A prediction with the ends of its 90 % interval, milliseconds; infinite where the network does not fit."""

    ms: float
    low: float
    high: float


class Predictor(Protocol):
    """Predicts rows of a target from its other rows and from all rows of other targets."""

    def predict(self, key: Key, kept: Collection[int], asked: Sequence[int]) -> list[Answer]:
        """Latencies of some rows.

        Args:
            key: Profile and target.
            kept: Positions of the target's rows that may be used, two at least.
            asked: Positions of the rows to predict.
        """
        ...


class ByTarget:
    """Every target fitted on its own, around a prior that its relatives moved.

    Args:
        cases: Measured networks by target.
    """

    def __init__(self, cases: Mapping[Key, Sequence[Case]]) -> None:
        self._cases = cases
        self._profiles = {key: load_profile(":".join(key)) for key in cases}
        self._rows = {key: [_row(self._profiles[key], case) for case in found] for key, found in cases.items()}
        self._fits = Fits(self._rows)

    def predict(self, key: Key, kept: Collection[int], asked: Sequence[int]) -> list[Answer]:
        """As ``Predictor``."""
        rows = [self._rows[key][index] for index in sorted(kept)]
        features, seconds = [row.features for row in rows], [1e-3 * row.ms for row in rows]
        fitted = fit(features, seconds, self._fits.prior(key), extra=[row.streamed_seconds for row in rows])
        profile = self._profiles[key].with_fit(document(fitted, rows))
        said = predictions(profile, [self._cases[key][index].network for index in asked])
        return [Answer(each.ms, each.low, each.high) for each in said]


def _row(profile: Profile, case: Case) -> Row:
    return Row(
        case.measured.name,
        case.measured.shape,
        case.network.flops,
        features_of(profile.target, case.network),
        case.measured.ms,
        float(profile._limits.streaming_seconds(case.network.weights)),
        case.measured.source,
    )
