"""All that is known of one trial, also while the search runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from automl_kd.core import DEFAULT_STORAGE, UserError
from automl_kd.results import CurvePoint, Estimate, Reading, StudySummary, TrialDetail
from automl_kd.storage import Database
from automl_kd.studies.asked_trial import AskedTrial
from automl_kd.studies.attributes import TrialAttributes
from automl_kd.studies.lookup import the_study
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.summary import summarize
from automl_kd.studies.trial_state import reason_of, state_of, told

_LOG_LINES = 100
_UNFINISHED = "it has not reached the top rung, and of other trials no weights are kept"


def trial_detail(
    study: str | None, number: int, *, storage: str = DEFAULT_STORAGE, read: bool = True, allow_code: bool = False
) -> TrialDetail:
    """One trial of a study: recipe, curve, price and what it consists of, reason, and where its student errs.

    The student of a finished trial is asked for its answers to search-validation when that is first wanted; what it
    said is kept beside the study. Nothing of the study itself is changed, and no lease is needed.

    Args:
        study: The study's name; None for the only one.
        number: The trial's.
        storage: Database URL or path of an SQLite file.
        read: Whether to ask the student where it was not asked before.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.

    Raises:
        UserError: If there is no such study or trial, or the database cannot be read.
    """
    database = Database(storage, create=False)
    name = the_study(database, study)
    summary = summarize(database, name)
    trial, kept = _found(database, name, number)
    pick = next((each for each in summary.picks if each.trial == number), None)
    files = StudyFiles(database.files / name)
    state = state_of(trial, kept, database.driver(name, watch=False) is not None)
    asked = AskedTrial(files, number, kept, summary.hw, f"trial {number} of study {name}", allow_code)
    reading, unread = asked.reading(read=read) if state == "complete" else (None, _UNFINISHED)
    return TrialDetail(
        study=name,
        trial=number,
        task=summary.task,
        hw=summary.hw,
        state=state,
        reason=reason_of(state, kept),
        told=told(state, kept),
        training_until=kept.training if state == "running" else None,
        on_front=any(each.trial == number for each in summary.front),
        objectives=summary.objectives,
        metric_details=summary.metrics,
        score=kept.scores[max(kept.scores)] if kept.scores else None,
        epochs=max(kept.scores, default=0),
        metrics=_metrics(kept, summary, reading),
        curve=_curve(kept, database.jobs(name), number),
        seconds=kept.seconds,
        attempts=kept.attempts,
        origin=kept.origin,
        price=kept.price,
        breakdown=asked.breakdown(),
        shipped=None if pick is None else pick.shipped,
        pick=pick,
        reading=reading,
        unread=unread,
        log=_log(files.trial_log(number)),
        recipe=kept.recipe,
    )


def _found(database: Database, study: str, number: int) -> tuple[FrozenTrial, TrialAttributes]:
    try:
        trials = optuna.load_study(study_name=study, storage=database.optuna()).get_trials(deepcopy=False)
    except KeyError:
        trials = []
    if not trials:
        raise UserError(f"study {study} has no trial yet; automl-kd status --study {study} tells how far it is")
    if not 0 <= number < len(trials):
        raise UserError(f"study {study} has no trial {number}; it has those from 0 to {len(trials) - 1}")
    return trials[number], TrialAttributes.of(trials[number])


def _metrics(kept: TrialAttributes, summary: StudySummary, reading: Reading | None) -> dict[str, Estimate]:
    """The stored metrics; those that a search stores no error of have that of the same student's answers, if known."""
    read = {} if reading is None or reading.student != "search checkpoint" else reading.metrics
    errors = {name: each.error for name, each in read.items()} | {summary.metric: kept.error}
    units = {each.name: each.unit for each in summary.metrics}
    return {name: Estimate.of(value, errors.get(name), units.get(name, "")) for name, value in kept.metrics.items()}


def _curve(kept: TrialAttributes, jobs: Mapping[str, Mapping[str, Any]], number: int) -> tuple[CurvePoint, ...]:
    rungs = [CurvePoint(training="search", epochs=epochs, score=score) for epochs, score in sorted(kept.scores.items())]
    full = [
        CurvePoint(training="in full", arm=each.get("arm"), epochs=each["epochs"], score=each["score"])
        for each in jobs.values()
        if each.get("trial") == number and {"epochs", "score"} <= each.keys()
    ]
    return (*rungs, *full)


def _log(path: Path) -> tuple[str, ...]:
    """The last lines of a trial's log."""
    try:
        return tuple(path.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
    except OSError:  # none of its jobs has begun, or they were done before there were such logs
        return ()
