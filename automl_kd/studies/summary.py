"""What a study has found, read from storage alone: the search's JSON, the status, and the report's data."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from automl_kd.controller import Point, pareto_front
from automl_kd.storage import Database, StudyRecord

_RESULT = (
    "study",
    "task",
    "hw",
    "space",
    "state",
    "teacher",
    "understood",
    "screened",
    "trials",
    "front",
    "picks",
    "undistilled",
    "seconds",
    "between_ms",
)
_PRICE = ("latency_ms", "latency_low", "latency_high", "params", "memory_bytes", "coverage")


def picks_study(name: str) -> str:
    """The Optuna study that holds the picks of a study."""
    return f"{name}-picks"


def summarize(database: Database, name: str) -> dict[str, Any]:
    """Everything that reports and JSON say of a study, as plain data.

    Raises:
        UserError: If there is no such study.
    """
    record = database.study(name)
    storage = database.optuna()
    return summary_of(record, _trials(storage, name), _trials(storage, picks_study(name)))


def summary_of(record: StudyRecord, trials: Sequence[FrozenTrial], picks: Sequence[FrozenTrial]) -> dict[str, Any]:
    """The summary of a study from its record and its trials."""
    settings, seconds = record.settings, record.seconds
    measured: Mapping[str, float] = settings.get("measured", {})
    complete = [_entry(trial) for trial in trials if trial.state == TrialState.COMPLETE]
    points = [Point(each["trial"], each["accuracy"], each["latency_ms"]) for each in complete]
    front = [point.trial for point in pareto_front(points)]
    priced = [trial for trial in trials if "akd:price" in trial.user_attrs]
    failures = Counter(trial.user_attrs["akd:failed"] for trial in trials if "akd:failed" in trial.user_attrs)
    return {
        "study": record.name,
        "task": settings["task"],
        "hw": settings["hw"],
        "space": settings["space"],
        "seed": settings["seed"],
        "state": record.state,
        "teacher": dict(settings.get("teacher_facts", {})) or {"accuracy": None},
        "understood": settings.get("understood"),
        "limits": settings["limits"],
        "screened": sum("akd:screened" in trial.user_attrs for trial in trials),
        "trials": {
            "complete": len(complete),
            "pruned": sum(trial.state == TrialState.PRUNED for trial in priced),
            "failed": sum("akd:failed" in trial.user_attrs for trial in trials),
            "running": sum(trial.state == TrialState.RUNNING for trial in priced),
        },
        "front": [each for number in front for each in complete if each["trial"] == number],
        "picks": [entry | _measured(entry, measured.get(str(entry["trial"]))) for entry in _current(picks)],
        "undistilled": settings.get("undistilled", []),
        "seconds": _seconds(record.budget, seconds),
        "complete": complete,
        "stopped": [_stopped(trial) for trial in priced if trial.state != TrialState.COMPLETE and reached(trial)],
        "failures": [{"reason": reason, "count": count} for reason, count in failures.most_common()],
        "between_ms": _between(priced),
        "history": _history(trials),
    }


def result_document(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary that ``search --json`` prints."""
    return {key: summary[key] for key in _RESULT}


def _trials(storage: RDBStorage, name: str) -> list[FrozenTrial]:
    try:
        return optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
    except KeyError:
        return []


def _current(picks: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """The picks of the last round: a study that was given more time picks anew."""
    entries = [_pick(trial) for trial in picks if "akd:pick" in trial.user_attrs]
    last = max((entry["round"] for entry in entries), default=0)
    return list({entry["trial"]: entry for entry in entries if entry["round"] == last}.values())


def _pick(trial: FrozenTrial) -> dict[str, Any]:
    entry: dict[str, Any] = trial.user_attrs["akd:pick"]
    # Studies of before an arm could be delivered always delivered the searched losses.
    before = {
        "arm": "searched",
        "searched": entry["test_accuracy"],
        "gain_over_searched": None,
        "hears_teacher": True,
        "missing": {},
    }
    return before | entry | {"recipe": trial.user_attrs["akd:recipe"]}


def _measured(pick: Mapping[str, Any], ms: float | None) -> dict[str, Any]:
    inside = None if ms is None else pick["latency_low"] <= ms <= pick["latency_high"]
    return {"measured_ms": ms, "measured_inside": inside}


def _entry(trial: FrozenTrial) -> dict[str, Any]:
    price = trial.user_attrs["akd:price"]
    return {
        "trial": trial.number,
        "epochs": max(reached(trial)),
        "accuracy": trial.values[0],
        **{key: price[key] for key in _PRICE},
        "recipe": trial.user_attrs["akd:recipe"],
    }


def reached(trial: FrozenTrial) -> dict[int, float]:
    """Accuracy by epoch, of the rungs that a trial has reached."""
    prefix = "akd:accuracy@"
    return {int(key.removeprefix(prefix)): value for key, value in trial.user_attrs.items() if key.startswith(prefix)}


def _stopped(trial: FrozenTrial) -> dict[str, Any]:
    accuracies = reached(trial)
    epochs = max(accuracies)
    price = trial.user_attrs["akd:price"]
    return {
        "trial": trial.number,
        "epochs": epochs,
        "accuracy": accuracies[epochs],
        "latency_ms": price["latency_ms"],
        "params": price["params"],
    }


def _seconds(budget: float, seconds: Mapping[str, float]) -> dict[str, float]:
    parts = {phase: round(seconds.get(phase, 0.0), 2) for phase in ("prepare", "teacher", "search", "picks")}
    return {"budget": budget, "total": round(sum(seconds.values()), 2), **parts}


def _between(trials: Sequence[FrozenTrial]) -> float | None:
    gaps = [trial.user_attrs["akd:between"] for trial in trials if "akd:between" in trial.user_attrs]
    return round(1000 * statistics.median(gaps), 1) if gaps else None


def _history(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    begun = min((trial.datetime_start for trial in trials if trial.datetime_start), default=None)
    return [
        {
            "trial": trial.number,
            "seconds": (trial.datetime_complete - begun).total_seconds(),
            "accuracy": trial.values[0],
            "latency_ms": trial.values[1],
            "state": "complete",
        }
        for trial in sorted(trials, key=lambda each: str(each.datetime_complete))
        if trial.state == TrialState.COMPLETE and trial.datetime_complete and begun
    ]
