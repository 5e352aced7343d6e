"""A search that another process runs, watched over its database until it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from automl_kd.core import DEFAULT_STORAGE
from automl_kd.results import Observer, PhaseSeconds, Snapshot, StudySummary
from automl_kd.storage import Database
from automl_kd.studies.lookup import the_study
from automl_kd.studies.summary import summarize
from automl_kd.workflows.search_events import front_document, progress_document

_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 5.0
"""A search saves the time that it used as often."""
_MOST_READING = 0.1
"""Share of the time that is spent on reading, where a study is large."""
_PHASES = ("prepare", "teacher", "search", "picks")


def follow(
    study: str | None = None, *, storage: str = DEFAULT_STORAGE, observer: Observer | None = None
) -> Iterator[StudySummary]:
    """Tell an observer where a study is, about once a second, until it is done or nobody searches it.

    Args:
        study: The study, None for the only one.
        storage: Database URL or path of an SQLite file.
        observer: Told what happens.

    Yields:
        The study's summary at first, whenever a trial, a pick or the phase has changed, and at the end.

    Raises:
        UserError: If there is no such study, or the database cannot be read.
    """
    observer, database = observer or Observer(), Database(storage, create=False)
    name = the_study(database, study)
    before: StudySummary | None = None
    phase = ""
    while True:
        began = time.monotonic()
        driver = database.driver(name)  # asked first: what it finished before it ended is then in the summary
        summary = summarize(database, name)
        now = _phase(summary.seconds, None if before is None else before.seconds) or phase
        if before is None or now != phase or _found(summary) != _found(before):
            yield summary
        before, phase = summary, now
        if driver is None or summary.state == "done":
            if summary.state != "done":
                observer.note(f"nobody searches {name} now; its automl-kd search command goes on with it")
            return
        observer.update(_snapshot(summary, phase, f"study {name}, searched by {driver}"))
        reading = time.monotonic() - began  # at first also loading
        time.sleep(min(_LONGEST_PAUSE_SECONDS, max(_PAUSE_SECONDS, reading * (1 / _MOST_READING - 1))))


def standing(study: str, *, storage: str = DEFAULT_STORAGE) -> dict[str, dict[str, Any]]:
    """Where a study stands that nobody searches now, as its driver would tell it in events.

    Args:
        study: The study.
        storage: Database URL or path of an SQLite file.

    Returns:
        The documents of its events ``front`` and ``progress``, by kind.

    Raises:
        UserError: If there is no such study.
    """
    summary = summarize(Database(storage, create=False), study)
    snapshot = _snapshot(summary, _phase(summary.seconds, None) or "", "nobody searches it now")
    return {
        "front": front_document(snapshot.front, snapshot.objectives),
        "progress": progress_document(snapshot),
    }


def _found(summary: StudySummary) -> tuple[object, ...]:
    return (
        summary.state,
        summary.trials,
        [each.trial for each in summary.front],
        [(each.round, each.trial) for each in summary.picks],
    )


def _phase(seconds: PhaseSeconds, before: PhaseSeconds | None) -> str | None:
    """The phase whose time has grown; at first the last that has any, None where none has grown."""
    spent = {name: getattr(seconds, name) - (getattr(before, name) if before else 0.0) for name in _PHASES}
    grown = [name for name in _PHASES if spent[name] > 0]
    return grown[-1] if grown else None


def _snapshot(summary: StudySummary, phase: str, doing: str) -> Snapshot:
    trials = summary.trials
    counts = {"running or waiting": trials.running, "pruned": trials.pruned, "complete": trials.complete}
    return Snapshot(
        phase=phase or "prepare",
        doing=doing,
        spent=summary.seconds.total,
        budget=summary.seconds.budget,
        counts={"screened": summary.screened} | counts | {"failed": trials.failed, "picks": len(summary.picks)},
        objectives=summary.objectives,
        front=summary.front,
    )
