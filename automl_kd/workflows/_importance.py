"""Which holes of a space decide accuracy, by what the finished trials of a study show."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState, create_trial

_LEAST_TRIALS = 20
"""Fewer tell nothing of a hole."""
_MOST_TRIALS = 400
_SHUFFLES = 12


def importances(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """Importance of every hole for accuracy, the most important first; holes that could be chance are left out.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv:2304.10255): how far the best tenth of the trials differs in a hole
    from all of them. A hole is judged by the trials that have it, so conditional holes are judged within their branch.
    It counts where it is above what shuffled accuracies give, of a dozen shuffles the highest.

    Args:
        trials: Of one study; only complete ones count, for accuracies at other rungs are not comparable.

    Returns:
        ``hole``, ``importance`` (shares of those listed) and ``trials``, how many had the hole.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE][-_MOST_TRIALS:]
    names = sorted({name for trial in complete for name in trial.params})
    rng = random.Random(0)
    found: list[tuple[str, float, int]] = []
    for name in names:
        having = [trial for trial in complete if name in trial.params]
        if len(having) < _LEAST_TRIALS or len({repr(trial.params[name]) for trial in having}) < 2:
            continue
        accuracies = [trial.values[0] for trial in having]
        share = _divergence(having, name, accuracies)
        chance = max(_divergence(having, name, rng.sample(accuracies, len(accuracies))) for _ in range(_SHUFFLES))
        if share > chance:
            found.append((name, share, len(having)))
    total = sum(share for _, share, _ in found)
    return [
        {"hole": name, "importance": share / total, "trials": count}
        for name, share, count in sorted(found, key=lambda each: (-each[1], each[0]))
    ]


def _divergence(trials: Sequence[FrozenTrial], name: str, accuracies: Sequence[float]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = _study(trials, name, accuracies)
        return float(PedAnovaImportanceEvaluator().evaluate(study, params=[name])[name])


def _study(trials: Sequence[FrozenTrial], name: str, accuracies: Sequence[float]) -> optuna.Study:
    """A study of that one hole; Optuna's evaluator knows studies only."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(direction="maximize")
    finally:
        optuna.logging.set_verbosity(verbosity)
    study.add_trials(
        [
            create_trial(
                params={name: trial.params[name]},
                distributions={name: trial.distributions[name]},
                value=accuracy,
            )
            for trial, accuracy in zip(trials, accuracies, strict=True)
        ]
    )
    return study
