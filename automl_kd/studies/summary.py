"""What a study has found, read from storage alone: the search's result, the status, and the report's data."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from automl_kd.objectives import Point, pareto_front
from automl_kd.results import (
    FailureCount,
    HistoryRow,
    PhaseSeconds,
    PickResult,
    StoppedTrial,
    StudyResult,
    StudySummary,
    TrialCounts,
)
from automl_kd.storage import Database, StudyRecord
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.objectives import StudyObjectives
from automl_kd.studies.pick_attributes import stored_pick
from automl_kd.studies.state import StudyProgress, settings_of

_PICKS = "-picks"
"""What ends the name of a study of picks, and of no other."""


def picks_study(name: str) -> str:
    """The Optuna study that holds the picks of a study."""
    return f"{name}{_PICKS}"


def study_of_picks(name: str) -> str:
    """The study that a study of picks belongs to; of any other, its own name."""
    return name.removesuffix(_PICKS)


def summarize(database: Database, name: str) -> StudySummary:
    """Everything that reports and JSON say of a study.

    Raises:
        UserError: If there is no such study.
    """
    record = database.study(name)
    storage = database.optuna()
    summary = summary_of(record, _trials(storage, name), _trials(storage, picks_study(name)))
    return summary.model_copy(update={"storage": database.url})


def result_of(summary: StudySummary) -> StudyResult:
    """The part of a summary that a search returns."""
    return StudyResult.model_construct(**{name: getattr(summary, name) for name in StudyResult.model_fields})


def summary_of(record: StudyRecord, trials: Sequence[FrozenTrial], picks: Sequence[FrozenTrial]) -> StudySummary:
    """The summary of a study from its record and its trials."""
    settings, progress = settings_of(record), StudyProgress.of(record)
    objectives = StudyObjectives.named(settings.objectives)
    kept = [(trial, TrialAttributes.of(trial)) for trial in trials]
    priced = [(trial, each) for trial, each in kept if each.price is not None]
    finished = [(trial, each) for trial, each in priced if trial.state == TrialState.COMPLETE]
    complete = {trial.number: objectives.trial_result(trial.number, each, trial.values) for trial, each in finished}
    front = pareto_front([Point(trial.number, tuple(trial.values)) for trial, _ in finished], objectives.all)
    failures = Counter(each.reason for _, each in kept if each.ending == "failed")
    return StudySummary(
        study=record.name,
        task=settings.task,
        hw=settings.hw,
        space=settings.space,
        seed=settings.seed,
        state="done" if record.state == "done" else "open",
        metric=objectives.score.name,
        direction=objectives.score.direction,
        metrics=settings.metrics,
        objectives=objectives.all,
        teacher=progress.teacher,
        understood=progress.understood,
        limits=settings.limits,
        screened=sum(each.ending == "screened" for _, each in kept),
        trials=TrialCounts(
            complete=len(complete),
            pruned=sum(trial.state == TrialState.PRUNED for trial, _ in priced),
            failed=sum(each.ending == "failed" for _, each in kept),
            running=sum(trial.state == TrialState.RUNNING for trial, _ in priced),
        ),
        front=tuple(complete[point.trial] for point in front),
        picks=_current(picks, objectives, record.budget, progress.measured),
        undistilled=progress.undistilled,
        seconds=_seconds(record.budget, record.seconds),
        complete=tuple(complete.values()),
        stopped=tuple(
            _stopped(trial, each, objectives)
            for trial, each in priced
            if trial.state != TrialState.COMPLETE and each.scores
        ),
        failures=tuple(FailureCount(reason=str(why), count=count) for why, count in failures.most_common()),
        between_ms=_between([each for _, each in priced]),
        history=_history(trials, finished, objectives),
    )


def _trials(storage: RDBStorage, name: str) -> list[FrozenTrial]:
    try:
        return optuna.load_study(study_name=name, storage=storage).get_trials(deepcopy=False)
    except KeyError:
        return []


def _current(
    trials: Sequence[FrozenTrial], objectives: StudyObjectives, budget: float, measured: Mapping[int, float]
) -> tuple[PickResult, ...]:
    """The picks of the last round: a study that was given more time picks anew."""
    picks = [pick for trial in trials if (pick := stored_pick(trial, objectives, budget)) is not None]
    last = max((pick.round for pick in picks), default=0)
    current = {pick.trial: pick for pick in picks if pick.round == last}
    return tuple(pick.model_copy(update={"measured_ms": measured.get(pick.trial)}) for pick in current.values())


def _stopped(trial: FrozenTrial, kept: TrialAttributes, objectives: StudyObjectives) -> StoppedTrial:
    assert kept.price is not None
    epochs = max(kept.scores)
    score = kept.scores[epochs]
    return StoppedTrial(
        trial=trial.number,
        epochs=epochs,
        score=score,
        metrics=kept.metrics,
        objectives=objectives.values([score, *objectives.known_values(kept.price)]),
        latency_ms=kept.price.latency_ms,
        params=kept.price.params,
    )


def _seconds(budget: float, seconds: Mapping[str, float]) -> PhaseSeconds:
    parts = {phase: round(seconds.get(phase, 0.0), 2) for phase in ("prepare", "teacher", "search", "picks")}
    return PhaseSeconds(budget=budget, total=round(sum(seconds.values()), 2), **parts)


def _between(kept: Sequence[TrialAttributes]) -> float | None:
    gaps = [each.between for each in kept if each.between is not None]
    return round(1000 * statistics.median(gaps), 1) if gaps else None


def _history(
    trials: Sequence[FrozenTrial],
    finished: Sequence[tuple[FrozenTrial, TrialAttributes]],
    objectives: StudyObjectives,
) -> tuple[HistoryRow, ...]:
    begun = min((trial.datetime_start for trial in trials if trial.datetime_start), default=None)
    rows = []
    for trial, kept in sorted(finished, key=lambda each: str(each[0].datetime_complete)):
        if trial.datetime_complete and begun and kept.price is not None:
            rows.append(
                HistoryRow(
                    trial=trial.number,
                    seconds=(trial.datetime_complete - begun).total_seconds(),
                    score=trial.values[0],
                    metrics=kept.metrics,
                    objectives=objectives.values(trial.values),
                    latency_ms=kept.price.latency_ms,
                )
            )
    return tuple(rows)
