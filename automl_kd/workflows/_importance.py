"""Which holes of a space decide accuracy, by what the finished trials of a study show."""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState, create_trial

_LEAST_TRIALS = 50
"""The best tenth has to be a handful of trials; fewer tell nothing of a hole."""
_MOST_TRIALS = 400
_SHUFFLES = 19
"""With so many, chance names a hole in one report of twenty (at most, by the rank of the real one among them)."""


def importances(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """Importance of every hole for accuracy, the most important first; holes that could be chance are left out.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv:2304.10255): how far the best tenth of the trials differs in a hole
    from all of them. A hole is judged by the trials that have it, so conditional holes are judged within their branch.

    With many holes some stand out by chance. So accuracies are shuffled among all trials, each hole is measured by what
    shuffles give it on average, and one counts only above the highest that any hole reaches in any shuffle: 5 % over
    all holes together (max-T, Westfall & Young 1993).

    Args:
        trials: Of one study; only complete ones count, for accuracies at other rungs are not comparable.

    Returns:
        ``hole``, ``importance`` (shares of those listed) and ``trials``, how many had the hole.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE][-_MOST_TRIALS:]
    rows = {
        name: having
        for name in sorted({name for trial in complete for name in trial.params})
        if len(having := [row for row, trial in enumerate(complete) if name in trial.params]) >= _LEAST_TRIALS
        and len({repr(complete[row].params[name]) for row in having}) > 1
    }
    if not rows:
        return []
    accuracies = [trial.values[0] for trial in complete]
    rng = random.Random(0)
    orders = [accuracies, *(rng.sample(accuracies, len(accuracies)) for _ in range(_SHUFFLES))]
    found = np.array(
        [[_divergence(complete, name, having, order) for name, having in rows.items()] for order in orders]
    )
    relative = found / np.maximum(found[1:].mean(axis=0), np.finfo(np.float64).tiny)
    sure = relative[0] > relative[1:].max()
    total = found[0, sure].sum()
    named = [
        {"hole": name, "importance": float(share / total), "trials": len(having)}
        for (name, having), share, keep in zip(rows.items(), found[0], sure, strict=True)
        if keep
    ]
    return sorted(named, key=lambda each: (-each["importance"], each["hole"]))


def _divergence(trials: Sequence[FrozenTrial], name: str, rows: Sequence[int], accuracies: Sequence[float]) -> float:
    """Of one hole, by the trials in ``rows``, which have it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study = _study([trials[row] for row in rows], name, [accuracies[row] for row in rows])
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
