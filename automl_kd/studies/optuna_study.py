"""Optuna's study of a name, made where it does not exist."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage

from automl_kd.objectives import Objective


def open_study(
    storage: RDBStorage, name: str, objectives: Sequence[Objective], names: Sequence[str] | None = None
) -> optuna.Study:
    """Optuna's study of that name, created where it does not exist, its objectives named.

    Args:
        storage: Optuna's storage.
        name: Of the study.
        objectives: What it is of.
        names: What its values are called, by default as the objectives.
    """
    directions = [each.direction for each in objectives]
    study = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
    if study.metric_names is None:
        with warnings.catch_warnings():  # Optuna calls that experimental, and would warn at every start
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names(list(names or [each.name for each in objectives]))
    return study
