"""A search in the queue, and how it is changed: by one at a time, with an event that tells so."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automl_kd.storage.events import append_event
from automl_kd.storage.tables import EventRow, QueueRow, SearchRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database

SearchState = Literal["queued", "running", "done", "failed", "cancelled"]
Change = Callable[[SearchRow, Session], Mapping[str, Any] | None]
"""Changes the row of a search; returns what is told of it, None for nothing."""
_QUEUE = 1
"""The row of ``akd_queue``."""


@dataclass(frozen=True)
class SubmittedSearch:
    """A search as it was submitted, and how it stands.

    Attributes:
        name: Of the search and of its study.
        owner: Who submitted it.
        request: The options that were asked for, as plain data, without the database.
        budget: Seconds in all, with what was added since.
        priority: The larger, the earlier.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
        reason: Why it failed, or how it came back into the queue; None where there is nothing to say.
        cancelled: Whether it was asked to stop.
        ended: Trials that were asked to end.
        created: When it was submitted, in seconds since 1970.
        changed: When its state changed last.
        claim: What its runner claimed it by, None where none has.
        runner: The runner's host and process, None where none has claimed it.
        beats: Heartbeats of the claim.
        events: Number of its last event.
    """

    name: str
    owner: str
    request: Mapping[str, Any]
    budget: float
    priority: int
    state: SearchState
    reason: str | None
    cancelled: bool
    ended: tuple[int, ...]
    created: float
    changed: float
    claim: str | None
    runner: str | None
    beats: int
    events: int


def change_search(database: Database, where: ColumnElement[bool], work: Change) -> SubmittedSearch | None:
    """Change a search and tell so, once, also where the answer of the database is lost.

    Args:
        database: Where it is.
        where: Which search.
        work: Changes its row.

    Returns:
        The search afterwards, None where there is none.
    """
    key = uuid.uuid4().hex

    def change(session: Session) -> SubmittedSearch | None:
        take_turn(session)
        before = session.scalar(select(EventRow.search).where(EventRow.key == key))
        if before is not None:  # stored before; the answer was lost
            return submitted(session.get_one(SearchRow, before))
        row = session.scalar(select(SearchRow).where(where))
        if row is None:
            return None
        told = work(row, session)
        session.flush()
        if told is not None:
            append_event(session, row.name, "state", told, key)
            session.refresh(row)
        return submitted(row)

    return database.transact(change)


def take_turn(session: Session) -> None:
    """Wait until nobody else changes the queue, and keep others waiting until this transaction ends."""
    taken = session.execute(update(QueueRow).where(QueueRow.id == _QUEUE).values(turns=QueueRow.turns + 1))
    if taken.rowcount:  # type: ignore[attr-defined]
        return
    try:
        with session.begin_nested():
            session.add(QueueRow(id=_QUEUE, turns=1))
    except IntegrityError:  # another made the row in the same moment, and has ended its turn since
        take_turn(session)


def become(row: SearchRow, state: SearchState) -> None:
    """Put a search into a state."""
    row.state, row.changed = state, time.time()


def enqueue(row: SearchRow, reason: str | None) -> None:
    """Put a search behind its equals in the queue."""
    become(row, "queued")
    row.queued, row.reason, row.cancelled = time.time(), reason, False


def submitted(row: SearchRow) -> SubmittedSearch:
    """A search as its row says."""
    return SubmittedSearch(
        name=row.name,
        owner=row.owner,
        request=row.request,
        budget=row.budget,
        priority=row.priority,
        state=row.state,  # type: ignore[arg-type]
        reason=row.reason,
        cancelled=row.cancelled,
        ended=tuple(row.ended),
        created=row.created,
        changed=row.changed,
        claim=row.claim,
        runner=row.runner,
        beats=row.beats,
        events=row.events,
    )
