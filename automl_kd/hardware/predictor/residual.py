"""A correction of the kernel sum by boosted trees, learned once enough networks were measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl_kd.hardware.predictor.cost import Floats

LEAST_PAIRS = 20
"""Measured networks from which on a correction is tried."""
_FOLDS = 5
_LEAST_GAIN = 0.05
"""A correction is kept only if it removes this share of the error on networks that it did not see."""


def residual_features(seconds_by_kind: Floats, kernels: Floats) -> Floats:
    """What a correction learns from: the size, the mean kernel, and the shares of time by kind, (N, 2 + K).

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
        errors: ``log(measured / predicted)`` of every network by the fit without it, (N,). Residuals of the fit itself
            are smaller, because that fit has seen the network.
    """

    def __init__(self, features: Floats, errors: Floats) -> None:
        self._trees = _trees().fit(features, errors)

    def __call__(self, features: Floats) -> Floats:
        """What to add to the logarithm of the predictions, (N,)."""
        found: Floats = self._trees.predict(features)
        return found


def left_out_corrections(features: Floats, errors: Sequence[float]) -> Floats | None:
    """The correction of every network by trees that did not see it, (N,); None where it does not help.

    Args:
        features: Of the networks, (N, F).
        errors: As :class:`Correction`.
    """
    from sklearn.model_selection import KFold, cross_val_predict

    known = np.asarray(errors)
    if len(known) < LEAST_PAIRS:
        return None
    folds = KFold(_FOLDS, shuffle=True, random_state=0)  # type: ignore[no-untyped-call]
    said: Floats = cross_val_predict(_trees(), features, known, cv=folds)
    before, after = np.abs(known).mean(), np.abs(known - said).mean()
    return said if after < (1 - _LEAST_GAIN) * before else None


def _trees() -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(  # type: ignore[no-untyped-call]
        n_estimators=120, learning_rate=0.06, max_depth=3, min_samples_leaf=3, subsample=0.7, random_state=0
    )
