"""Which holes of a space decide score and front, by what the finished trials of a study show."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState, create_trial

from automl_kd.objectives import Objective, Point, pareto_front, ranking
from automl_kd.results import HoleImportance

_LEAST_TRIALS = 50
"""The best tenth has to be a handful of trials; fewer tell nothing of a hole."""
_MOST_TRIALS = 400
_BEST = 0.1
_SHUFFLES = 19
"""With so many, chance names a hole in one report of twenty (at most, by the rank of the real one among them)."""

Divergence = Callable[[Sequence[float], float], float]


def importances(trials: Sequence[FrozenTrial], objectives: Sequence[Objective]) -> tuple[HoleImportance, ...]:
    """Importance of every hole for the score and for the front; holes that could be chance are left out.

    PED-ANOVA (Watanabe, Bansal & Hutter 2023, arXiv:2304.10255): how far the best tenth of the trials differs in a hole
    from all of them. For the front the best are those of the lowest ranks of non-dominated sorting, within a rank the
    least crowded, and where the front is more than a tenth, as many as it has. A hole is judged by the trials that have
    it, so conditional holes are judged within their branch.

    With many holes some stand out by chance. So values are shuffled among all trials, each hole is measured by what
    all these orders give it on average, and one counts only above the highest that any hole reaches in any shuffle: 5 %
    over all holes together (max-T, Westfall & Young 1993), for the score and for the front each.

    Args:
        trials: Of one study; only complete ones count, for scores at other rungs are not comparable.
        objectives: What the study is of, the score first.

    Returns:
        The most important for the score first, then for the front.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE][-_MOST_TRIALS:]
    rows = {
        name: having
        for name in sorted({name for trial in complete for name in trial.params})
        if len(having := [row for row, trial in enumerate(complete) if name in trial.params]) >= _LEAST_TRIALS
        and len({repr(complete[row].params[name]) for row in having}) > 1
    }
    if not rows:
        return ()
    points = [Point(trial.number, tuple(trial.values)) for trial in complete]
    divergences = {name: _divergence(name, complete, having) for name, having in rows.items()}
    score = _shares(divergences, [-objectives[0].goodness(point.values[0]) for point in points], _BEST)
    places = [float(place) for place in np.argsort(ranking(points, objectives))]
    front = _shares(divergences, places, max(_BEST, len(pareto_front(points, objectives)) / len(points)))
    named = [
        HoleImportance(hole=name, score=score.get(name), front=front.get(name), trials=len(having))
        for name, having in rows.items()
        if name in score or name in front
    ]
    return tuple(sorted(named, key=lambda each: (-(each.score or 0.0), -(each.front or 0.0), each.hole)))


def _shares(divergences: Mapping[str, Divergence], losses: Sequence[float], best: float) -> dict[str, float]:
    """Importance by hole, of those beyond chance, in sum 1.

    Args:
        divergences: By hole.
        losses: Of every trial, the lower the better.
        best: How many count as the best, as a share.
    """
    rng = random.Random(0)
    orders = [losses, *(rng.sample(losses, len(losses)) for _ in range(_SHUFFLES))]
    found: NDArray[np.float64] = np.array([[each(order, best) for each in divergences.values()] for order in orders])
    # The mean includes the real order. Without it the real one would be treated differently from the shuffles, each of
    # which is part of what it is measured by, and noise was named in 9 to 18 % of reports.
    relative = found / np.maximum(found.mean(axis=0), np.finfo(np.float64).tiny)
    sure = relative[0] > relative[1:].max()
    total = found[0, sure].sum()
    return {name: float(share / total) for name, share, keep in zip(divergences, found[0], sure, strict=True) if keep}


def _divergence(name: str, trials: Sequence[FrozenTrial], rows: Sequence[int]) -> Divergence:
    """Of one hole, by the trials in ``rows``, which have it: a function of all trials' losses and the best's share."""
    from optuna.importance import PedAnovaImportanceEvaluator  # brings scikit-learn and pandas

    study = _study(name, [trials[row] for row in rows])

    def divergence(losses: Sequence[float], best: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental; low is best, as it is here
            evaluator = PedAnovaImportanceEvaluator(target_quantile=best)
            found = evaluator.evaluate(study, params=[name], target=lambda trial: losses[rows[trial.number]])
        return float(found[name])

    return divergence


def _study(name: str, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """A study of that one hole; Optuna's evaluator knows studies only."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(verbosity)
    study.add_trials(
        [
            create_trial(params={name: trial.params[name]}, distributions={name: trial.distributions[name]}, value=0.0)
            for trial in trials
        ]
    )
    return study
