"""What a search tells about itself, as events that a database keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from automl_kd.objectives import Objective
from automl_kd.results import Observer, Snapshot, TrialResult
from automl_kd.storage import EventLog

_OFTEN = 2.0
"""Seconds at least between two events of progress."""
_PICKS = "picks"
_SELDOM = 15.0
"""Seconds at most, as long as there is any progress to tell."""


class EventObserver(Observer):
    """Writes what it is told as events: notes, progress now and then, and the front whenever it changes.

    Args:
        log: Where events are kept.
        search: Name of the search.
        claim: Of the runner that drives it.
        lost: Called once another runner has claimed the search.
    """

    def __init__(self, log: EventLog, search: str, claim: str, lost: Callable[[], None]) -> None:
        self._log = log
        self._search = search
        self._claim = claim
        self._lost = lost
        self._noted: set[str] = set()
        self._told = 0.0
        self._what: object = None
        self._front: tuple[tuple[int, float], ...] = ()
        self._at_first: int | None = None
        self._candidates = 0
        self._pick: str | None = None
        self._picks = 0

    @property
    def finished(self) -> int:
        """Candidates and full trainings that have come to an end since this driver began."""
        return self._candidates + self._picks

    def update(self, snapshot: Snapshot) -> None:
        """Tell of a snapshot what is new in it."""
        front = tuple((each.trial, each.score) for each in snapshot.front)
        if front != self._front:
            self._front = front
            self._add("front", front_document(snapshot.front, snapshot.objectives))
        if snapshot.counts:
            finished = sum(number for name, number in snapshot.counts.items() if name in ("complete", "pruned"))
            self._at_first = finished if self._at_first is None else self._at_first
            self._candidates = finished - self._at_first
        pick = snapshot.doing if snapshot.phase == _PICKS else None
        self._picks += self._pick is not None and pick != self._pick
        self._pick = pick
        now = time.monotonic()
        what = (snapshot.phase, snapshot.doing, tuple(snapshot.counts.items()))
        if now - self._told >= (_SELDOM if what == self._what else _OFTEN):
            self._told, self._what = now, what
            self._add("progress", progress_document(snapshot))

    def note(self, text: str) -> None:
        """Tell a line; one that was told before says nothing new."""
        if text not in self._noted:
            self._noted.add(text)
            self._add("note", {"text": text})

    def _add(self, kind: str, document: Mapping[str, Any]) -> None:
        if not self._log.add(self._search, kind, document, self._claim):
            self._lost()


def progress_document(snapshot: Snapshot) -> dict[str, Any]:
    """Where a search is, as plain data: seconds, counts, and the best score so far."""
    best = None
    if snapshot.front and snapshot.objectives:
        score = snapshot.objectives[0]
        first = max(snapshot.front, key=lambda each: score.goodness(each.score))
        best = {"trial": first.trial, "score": first.score, "latency_ms": first.latency_ms}
    return {
        "phase": snapshot.phase,
        "doing": snapshot.doing,
        "spent": round(snapshot.spent, 1),
        "budget": snapshot.budget,
        "split": dict(snapshot.split),
        "counts": dict(snapshot.counts),
        "done": snapshot.done,
        "best": best,
    }


def front_document(front: Sequence[TrialResult], objectives: Sequence[Objective]) -> dict[str, Any]:
    """A front as plain data."""
    return {
        "objectives": [asdict(each) for each in objectives],
        "front": [
            {
                "trial": each.trial,
                "score": each.score,
                "objectives": each.objectives,
                "latency_ms": each.latency_ms,
                "latency_low": each.latency_low,
                "latency_high": each.latency_high,
                "params": each.params,
                "form": each.recipe.form,
            }
            for each in front
        ],
    }
