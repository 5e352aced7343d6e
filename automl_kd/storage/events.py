"""What happened to a search, numbered, so that a listener that was away goes on where it stopped."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from automl_kd.core import finite
from automl_kd.storage.tables import EventRow, SearchRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database


@dataclass(frozen=True)
class Event:
    """Something that happened to a search.

    Attributes:
        search: Name of the search.
        number: Counts from 1, without a gap.
        time: When, in seconds since 1970 by the clock of who wrote it.
        kind: ``state``, ``progress``, ``front`` or ``note``.
        document: What, as plain data.
    """

    search: str
    number: int
    time: float
    kind: str
    document: Mapping[str, Any]


class EventLog:
    """The events of all searches.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database.served()

    def add(self, search: str, kind: str, document: Mapping[str, Any], claim: str | None = None) -> bool:
        """Tell what happened.

        Args:
            search: Name of the search.
            kind: As of :class:`Event`.
            document: Plain data.
            claim: Where given, nothing is told once another runner has claimed the search.

        Returns:
            Whether it was told.
        """
        key = uuid.uuid4().hex
        return self._database.transact(lambda session: append_event(session, search, kind, document, key, claim))

    def last_numbers(self, searches: Collection[str]) -> dict[str, int]:
        """The number of the last event of each search that exists."""
        query = select(SearchRow.name, SearchRow.events).where(SearchRow.name.in_(searches))
        return self._database.transact(lambda session: dict(session.execute(query).all()))

    def after(self, search: str, number: int, most: int = 500) -> list[Event]:
        """The events of a search behind one, oldest first, at most so many."""
        query = (
            select(EventRow)
            .where(EventRow.search == search, EventRow.number > number)
            .order_by(EventRow.number)
            .limit(most)
        )
        return self._database.transact(lambda session: [_event(row) for row in session.scalars(query)])

    def last(self, search: str, kinds: Collection[str], most: int) -> list[Event]:
        """The last events of some kinds, newest first, at most so many."""
        query = (
            select(EventRow)
            .where(EventRow.search == search, EventRow.kind.in_(kinds))
            .order_by(EventRow.number.desc())
            .limit(most)
        )
        return self._database.transact(lambda session: [_event(row) for row in session.scalars(query)])

    def latest(self, search: str, kind: str) -> Event | None:
        """The last event of a kind, None where there was none."""
        return self.latest_of([search], kind).get(search)

    def latest_of(self, searches: Collection[str], kind: str) -> dict[str, Event]:
        """The last event of a kind by search, where there was one."""
        mine = aliased(EventRow)
        # One look into the index a search, however many events it has.
        last = select(func.max(mine.number)).where(mine.search == SearchRow.name, mine.kind == kind).scalar_subquery()
        query = (
            select(EventRow)
            .select_from(SearchRow)
            .join(EventRow, (EventRow.search == SearchRow.name) & (EventRow.number == last))
            .where(SearchRow.name.in_(searches))
        )
        return self._database.transact(lambda session: {row.search: _event(row) for row in session.scalars(query)})


def append_event(
    session: Session, search: str, kind: str, document: Mapping[str, Any], key: str, claim: str | None = None
) -> bool:
    """Add an event within a transaction. The search's row is changed first, so that numbers are stored in their order.

    Args:
        session: The transaction.
        search: Name of the search.
        kind: Of the event.
        document: Of the event.
        key: Equal for the same event, which then is added once.
        claim: Where given, nothing is added once another runner has claimed the search.

    Returns:
        Whether the event is there now.
    """
    mine = SearchRow.name == search if claim is None else (SearchRow.name == search) & (SearchRow.claim == claim)
    counted = update(SearchRow).where(mine).values(events=SearchRow.events + 1).returning(SearchRow.events)
    number = session.execute(counted).scalar_one_or_none()
    if number is None:
        return False
    if session.scalar(select(EventRow.number).where(EventRow.key == key)) is not None:
        session.execute(update(SearchRow).where(SearchRow.name == search).values(events=SearchRow.events - 1))
        return True
    row = EventRow(search=search, number=number, key=key, time=time.time(), kind=kind, document=finite(document))
    session.add(row)
    return True


def _event(row: EventRow) -> Event:
    return Event(row.search, row.number, row.time, row.kind, row.document)
