"""Optuna's tree-structured Parzen estimator, set up for conditional spaces and several objectives."""

from __future__ import annotations

import warnings

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler


def multivariate_tpe(seed: int) -> BaseSampler:
    """Multivariate TPE that models the holes of each branch together (Bergstra et al. 2011; Falkner et al. 2018).

    Args:
        seed: Of its draws. A resumed study takes another than the one it began with, or it would draw the same again.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed % 2**32)
