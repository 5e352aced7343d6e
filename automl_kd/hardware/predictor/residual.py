"""What a sum over kernels leaves unexplained of whole networks, learned once there are enough of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_kd.hardware.predictor.cost import Floats

LEAST_PAIRS = 20
"""Measured networks from which on a correction is tried."""
_FOLDS = 5
_LEAST_GAIN = 0.05
"""Share of the error that a correction must take away on networks it did not see, or it is left out."""


def residual_features(seconds_by_kind: Floats, kernels: Floats) -> Floats:
    """What a correction sees of N networks: the size, the mean kernel, and how the time divides by kind, (N, 2 + K).

    Args:
        seconds_by_kind: Predicted seconds by kind, (N, K).
        kernels: Numbers of kernels, (N,).
    """
    total = np.maximum(seconds_by_kind.sum(axis=1), 1e-12)
    columns = (np.log(total), np.log(total / np.maximum(kernels, 1.0)))
    table: Floats = np.column_stack([*columns, seconds_by_kind / total[:, None]])
    return table


class Correction:
    """Boosted trees on the error of the kernel sum, in natural logarithms (Friedman 2001).

    Args:
        features: Of the networks it learns from, (N, F).
        errors: ``log(measured / predicted)`` of the kernel sum fitted without the network, (N,): with the errors of
            the fit itself it would learn how well that fit remembers.
    """

    def __init__(self, features: Floats, errors: Floats) -> None:
        self._trees = _trees().fit(features, errors)

    def __call__(self, features: Floats) -> Floats:
        """What to add to the logarithm of the predictions, (N,)."""
        found: Floats = self._trees.predict(features)
        return found


def left_out_corrections(features: Floats, errors: Sequence[float]) -> Floats | None:
    """The correction of every network by trees that did not see it; None where it does not help.

    Args:
        features: Of the networks, (N, F).
        errors: As :class:`Correction`.
    """
    from sklearn.model_selection import KFold, cross_val_predict

    target = np.asarray(errors)
    if len(target) < LEAST_PAIRS:
        return None
    folds = KFold(_FOLDS, shuffle=True, random_state=0)  # type: ignore[no-untyped-call]
    said: Floats = cross_val_predict(_trees(), features, target, cv=folds)
    before, after = np.abs(target).mean(), np.abs(target - said).mean()
    return said if after < (1 - _LEAST_GAIN) * before else None


def _trees() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(  # type: ignore[no-untyped-call]
        n_estimators=120, learning_rate=0.06, max_depth=3, min_samples_leaf=3, subsample=0.7, random_state=0
    )
