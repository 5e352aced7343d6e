"""What pages say of a study's findings, worked out by a helper process: words, tables, drawings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import optuna
from optuna.trial import TrialState

from automl_kd.core import UNKNOWN, count, milliseconds, size
from automl_kd.delivery import (
    Arms,
    arm_heads,
    deployed_score,
    form_sentences,
    front_table,
    metrics_table,
    not_converted,
    text,
    understood_rows,
    verdict,
)
from automl_kd.delivery import FloatScore as Floats
from automl_kd.objectives import Objective
from automl_kd.results import Arm, FailureCount, PickResult, Rule, StoppedTrial, StudySummary, TrialResult
from automl_kd.service.pages.front_svg import front_svgs
from automl_kd.storage import Database
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.summary import summarize


def search_words(storage: str, study: str) -> dict[str, Any] | None:
    """All that the page of a search says of its study; None as long as it is not begun."""
    database = Database(storage, create=False)
    if database.find_study(study) is None:
        return None
    summary = summarize(database, study)
    advice = verdict(summary)
    return {
        "task": summary.task,
        "hw": summary.hw,
        "space": summary.space,
        "score": asdict(summary.objective),
        "title": text.capital(summary.objective.title),
        "verdict": asdict(advice),
        "plots": front_svgs(summary),
        "front": {**asdict(front_table(summary)), "chosen": advice.trial} if summary.front else None,
        "metrics": _metrics(summary, advice.trial),
        "arms": arm_heads(summary.picks),
        "picks": [_pick(each, summary) for each in summary.picks],
        "undistilled": [_undistilled(each.trial, each.role, each.missing) for each in summary.undistilled],
        "trials": _trials(summary, _unfinished(database, study)),
        "failures": [_failure(each) for each in summary.failures],
        "counts": {"screened": summary.screened, **summary.trials.model_dump()},
        "seconds": summary.seconds.model_dump(),
        "understood": understood_rows(summary.understood) if summary.understood else [],
    }


def _metrics(summary: StudySummary, chosen: int | None) -> dict[str, Any] | None:
    table = metrics_table(summary, chosen)
    return None if table is None else {**asdict(table), "chosen": chosen}


def _pick(pick: PickResult, summary: StudySummary) -> dict[str, Any]:
    score = summary.objective
    spread = None if pick.test_score_std is None else score.shown_spread(pick.test_score_std)
    deployed = deployed_score(pick)
    return {
        "trial": pick.trial,
        "role": pick.role,
        "score": score.shown(pick.test_score),
        "spread": spread,
        "seeds": len(pick.seeds),
        "deployed": None if deployed is None else score.shown(deployed),
        "arms": {arm: _beside(pick, arm, score) for arm in arm_heads(summary.picks)},
        "latency": text.latency(pick.latency_ms, pick.latency_low, pick.latency_high),
        "measured": None if pick.measured_ms is None else _measured(pick.measured_ms, pick),
        "form": pick.form,
        "sentences": [*Arms.of(pick).sentences(score), *pick_form(pick, score)],
    }


def pick_form(pick: PickResult, score: Objective) -> list[str]:
    """What a pick's form costs, what of it falls back to floats, and what it takes; nothing of a plain one."""
    if not pick.recipe.compress:
        return []
    return [*form_sentences(pick.form, Floats.of(pick), pick.shipped, score), *not_converted(pick.shipped)]


def _measured(ms: float, pick: PickResult) -> dict[str, str]:
    """What the device measured, and how far from the prediction."""
    return {
        "ms": milliseconds(ms),
        "off": f"{100 * (ms / pick.latency_ms - 1):+.0f} %",
        "inside": "inside" if pick.measured_inside else "outside",
    }


def _beside(pick: PickResult, arm: Arm, score: Objective) -> dict[str, Any]:
    """An arm in a table of picks: its score, and what is delivered against it."""
    if arm not in pick.arms:
        return {"score": UNKNOWN, "gain": None, "interval": None, "why": pick.missing.get(arm)}
    result = pick.arms[arm]
    if arm == pick.arm or result.gain is None:
        return {"score": score.shown(result.score), "gain": None, "interval": None, "why": "delivered"}
    return {
        "score": score.shown(result.score),
        "gain": score.shown_difference(result.gain.difference),
        "interval": text.interval(result.gain, score),
        "why": "includes 0: no difference shown" if text.inconclusive(result.gain) else None,
    }


def _undistilled(trial: int, role: str, missing: Mapping[Arm, str]) -> str:
    return f"Trial {trial}, {role}: {missing.get('searched') or next(iter(missing.values()), 'no time was left')}."


def _failure(failure: FailureCount) -> tuple[str, int]:
    return failure.reason, failure.count


def _unfinished(database: Database, study: str) -> dict[int, TrialAttributes]:
    """The trials that train or wait at a rung now, by number."""
    try:
        stored = optuna.load_study(study_name=study, storage=database.optuna())
    except KeyError:
        return {}
    trials = stored.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial.number: kept for trial in trials if (kept := TrialAttributes.of(trial)).price is not None}


def _trials(summary: StudySummary, unfinished: Mapping[int, TrialAttributes]) -> list[dict[str, Any]]:
    """Every trial that was trained: those in training, complete ones, those that were stopped; each the best first."""
    score = summary.objective
    roles = {pick.trial: pick.role for pick in summary.picks}
    front = {each.trial for each in summary.front}
    complete = sorted(summary.complete, key=lambda each: score.goodness(each.score), reverse=True)
    stopped = sorted(summary.stopped, key=lambda each: score.goodness(each.score), reverse=True)
    return [
        *(_running(number, kept, score) for number, kept in unfinished.items()),
        *(_complete(each, summary, roles.get(each.trial), on_front=each.trial in front) for each in complete),
        *(_stopped(each, score) for each in stopped if each.trial not in unfinished),
    ]


def _running(number: int, kept: TrialAttributes, score: Objective) -> dict[str, Any]:
    assert kept.price is not None
    price, epochs = kept.price, max(kept.scores, default=0)
    return {
        "trial": number,
        "state": "waits at a rung" if kept.training is None else f"trains to epoch {kept.training}",
        "score": score.shown(kept.scores.get(epochs)),
        "latency": text.latency(price.latency_ms, price.latency_low, price.latency_high),
        "params": count(price.params),
        "memory": size(price.memory_bytes),
        "form": UNKNOWN if kept.recipe is None else kept.recipe.form,
        "epochs": epochs,
        "complete": False,
    }


def _complete(trial: TrialResult, summary: StudySummary, role: str | None, *, on_front: bool) -> dict[str, Any]:
    state = "complete" if not on_front else "on the front"
    return {
        "trial": trial.trial,
        "state": state if role is None else f"pick: {role}",
        "score": summary.objective.shown(trial.score),
        "latency": text.latency(trial.latency_ms, trial.latency_low, trial.latency_high),
        "params": count(trial.params),
        "memory": size(trial.memory_bytes),
        "form": trial.recipe.form,
        "epochs": trial.epochs,
        "complete": True,
    }


def _stopped(trial: StoppedTrial, score: Objective) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "state": "stopped early",
        "score": score.shown(trial.score),
        "latency": milliseconds(trial.latency_ms),
        "params": count(trial.params),
        "memory": UNKNOWN,
        "form": UNKNOWN,
        "epochs": trial.epochs,
        "complete": False,
    }


def trials_meeting(storage: str, study: str, where: str) -> list[int]:
    """The finished trials of a study that meet a rule.

    Raises:
        UserError: If the rule cannot be read.
    """
    summary = summarize(Database(storage, create=False), study)
    rule = Rule.parse(where, summary.objectives, summary.metrics)
    return [each.trial for each in summary.complete if rule.holds(each)]
