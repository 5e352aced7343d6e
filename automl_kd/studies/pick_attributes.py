"""A delivered pick in the study of picks: how it is stored, and how version 0.1 stored it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optuna.trial import FrozenTrial

from automl_kd.results import ARMS, PickResult
from automl_kd.studies.objectives import StudyObjectives

PICK = "akd:pick"
_RECIPE = "akd:recipe"


def stored_pick(trial: FrozenTrial, objectives: StudyObjectives, budget: float) -> PickResult | None:
    """The pick that a trial of the picks' study is, None where it was killed before it was whole.

    Args:
        trial: Of the picks' study.
        objectives: What the study is of.
        budget: Of the study, by which version 0.1 knew its last round.
    """
    kept: Mapping[str, Any] | None = trial.user_attrs.get(PICK)
    if kept is None:
        return None
    if "test_metrics" in kept:
        return PickResult.model_validate(kept)
    return PickResult.model_validate(_of_0_1(kept, trial.user_attrs[_RECIPE], objectives, budget))


def _of_0_1(
    kept: Mapping[str, Any], recipe: Mapping[str, Any], objectives: StudyObjectives, budget: float
) -> dict[str, Any]:
    """The fields of a pick of version 0.1: accuracies alone, arms side by side, rounds by their budget."""
    # At first an arm could not be delivered: it was always the searched losses.
    before = {"arm": "searched", "searched": kept["test_accuracy"], "hears_teacher": True, "missing": {}}
    pick = {**before, **kept}
    std, deployed = pick.get("test_accuracy_std"), pick.get("test_accuracy_deployed")
    arms = {
        arm: {"score": pick[arm], "metrics": {"accuracy": pick[arm]}, "gain": pick.get(f"gain_over_{arm}")}
        for arm in ARMS
        if pick.get(arm) is not None
    }
    return pick | {
        # The round at hand is the first that is counted; those before it lie below, in the order of their budgets.
        "round": 1 if pick["round"] == budget else math.floor(pick["round"] - budget),
        "test_score": pick["test_accuracy"],
        "test_score_std": std,
        "test_metrics": {"accuracy": pick["test_accuracy"]},
        "test_metrics_std": {} if std is None else {"accuracy": std},
        "arms": arms,
        "plain_kd_setting": pick.get("plain_kd_setting"),
        "deployed_metrics": {} if deployed is None else {"accuracy": deployed},
        "test_score_deployed": deployed,
        "objectives": objectives.values([pick["test_accuracy"], pick["latency_ms"]]),
        "recipe": recipe,
    }
