"""The queue of searches: submitted, claimed by runners, and taken over from runners that died."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automl_kd.core import UserError
from automl_kd.storage.events import append_event
from automl_kd.storage.tables import EventRow, QueueRow, SearchRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database

SearchState = Literal["queued", "running", "done", "failed", "cancelled"]
_MOST_DEATHS = 3
_ADOPTED = 5
"""Priority of searches that nobody submitted."""
_QUEUE = 1
"""The row of ``akd_queue``."""
_Change = Callable[[SearchRow, Session], Mapping[str, Any] | None]
"""Changes the row of a search; returns what is told of it, None for nothing."""


class NameTakenError(UserError):
    """A search of that name was submitted before."""


class QueueFullError(UserError):
    """An owner has as many searches in the queue as one may have."""


class WrongStateError(UserError):
    """A search is in a state in which this cannot be done."""


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


class SearchQueue:
    """The searches of a database.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database.served()

    # -- who asks -----------------------------------------------------------------------------------------------------

    def submit(
        self, name: str, owner: str, request: Mapping[str, Any], budget: float, *, priority: int, most: int
    ) -> SubmittedSearch:
        """Put a search into the queue.

        Args:
            name: Of the search.
            owner: Who submits it.
            request: Its options as plain data.
            budget: Seconds in all.
            priority: The larger, the earlier.
            most: Searches that an owner may have queued or running.

        Raises:
            NameTakenError: If there is a search of that name.
            QueueFullError: If the owner has as many already.
        """
        now, key = time.time(), uuid.uuid4().hex

        def work(session: Session) -> None:
            _take_turn(session)
            there = session.get(SearchRow, name)
            if there is not None:
                if there.owner == owner and there.created == now:  # stored before; the answer was lost
                    return
                raise NameTakenError(f"search {name}: is taken; choose another name with study")
            _refuse_more_than(most, session, owner)
            session.add(_fresh(name, owner, request, budget, priority, "queued", now))
            session.flush()
            append_event(session, name, "state", {"state": "queued"}, key)

        self._database.transact(work)
        return self.search(name)

    def adopt(self, name: str, owner: str, request: Mapping[str, Any], budget: float, state: SearchState) -> None:
        """Add a search that was not submitted, in the state in which its study is; one that is there stays."""
        now, key = time.time(), uuid.uuid4().hex

        def work(session: Session) -> None:
            _take_turn(session)
            if session.get(SearchRow, name) is None:
                session.add(_fresh(name, owner, request, budget, _ADOPTED, state, now))
                session.flush()
                append_event(session, name, "state", {"state": state}, key)

        self._database.transact(work)

    def find(self, name: str) -> SubmittedSearch | None:
        """A search by name, or None."""

        def work(session: Session) -> SubmittedSearch | None:
            row = session.get(SearchRow, name)
            return None if row is None else _submitted(row)

        return self._database.transact(work)

    def search(self, name: str) -> SubmittedSearch:
        """A search by name.

        Raises:
            UserError: If there is none.
        """
        found = self.find(name)
        if found is None:
            raise UserError(f"search {name}: there is none of that name")
        return found

    def searches(self, owner: str | None = None, most: int = 1000) -> list[SubmittedSearch]:
        """Searches of an owner, or all, newest first."""
        query = select(SearchRow).order_by(SearchRow.created.desc(), SearchRow.name).limit(most)
        if owner is not None:
            query = query.where(SearchRow.owner == owner)
        return self._database.transact(lambda session: [_submitted(row) for row in session.scalars(query)])

    def positions(self) -> dict[str, int]:
        """The place in the queue of each search that waits, from 1."""
        query = select(SearchRow.name).where(SearchRow.state == "queued").order_by(*_ORDER)
        names = self._database.transact(lambda session: list(session.scalars(query)))
        return {name: place for place, name in enumerate(names, start=1)}

    def counts(self) -> dict[str, int]:
        """Numbers of searches by state."""
        query = select(SearchRow.state, func.count()).group_by(SearchRow.state)
        return self._database.transact(lambda session: dict(session.execute(query).all()))

    def cancel(self, name: str) -> SubmittedSearch:
        """Take a search out of the queue, or ask its runner to stop it; nothing that it finished is lost.

        Raises:
            WrongStateError: If it has ended.
        """

        def work(row: SearchRow, _: Session) -> Mapping[str, Any] | None:
            if row.state == "running":
                row.cancelled = True
                return {"state": "running", "stopping": True}
            if row.state != "queued":
                raise WrongStateError(f"search {name}: is {row.state}; only what is queued or running can be cancelled")
            _become(row, "cancelled")
            return {"state": "cancelled"}

        return self._change(name, work)

    def resume(self, name: str, *, most: int) -> SubmittedSearch:
        """Put a search that was cancelled or failed into the queue again, to go on where it stopped.

        Args:
            name: Of the search.
            most: Searches that its owner may have queued or running.

        Raises:
            WrongStateError: If it was not.
            QueueFullError: If its owner has as many already.
        """

        def work(row: SearchRow, session: Session) -> Mapping[str, Any]:
            if row.state not in ("cancelled", "failed"):
                more = "; extend it to go on" if row.state == "done" else ""
                raise WrongStateError(f"search {name}: is {row.state}; only what was cancelled or failed resumes{more}")
            _refuse_more_than(most, session, row.owner)
            _enqueue(row, None)
            row.deaths = 0
            return {"state": "queued"}

        return self._change(name, work)

    def extend(self, name: str, seconds: float, *, most: int) -> SubmittedSearch:
        """Add time to a search; one that is done goes into the queue again.

        Args:
            name: Of the search.
            seconds: To add to its budget.
            most: Searches that its owner may have queued or running.

        Raises:
            WrongStateError: If it was cancelled or failed.
            QueueFullError: If it is done and its owner has as many already.
        """

        def work(row: SearchRow, session: Session) -> Mapping[str, Any]:
            if row.state in ("cancelled", "failed"):
                raise WrongStateError(f"search {name}: is {row.state}; resume it first, then extend it")
            row.budget += seconds
            if row.state != "done":
                return {"state": row.state, "budget": row.budget}
            _refuse_more_than(most, session, row.owner)
            _enqueue(row, None)
            return {"state": "queued", "budget": row.budget}

        return self._change(name, work)

    def end_trial(self, name: str, trial: int) -> SubmittedSearch:
        """Ask the runner of a search to end one of its trials.

        Raises:
            WrongStateError: If the search does not run.
        """

        def work(row: SearchRow, _: Session) -> None:
            if row.state != "running":
                raise WrongStateError(f"search {name}: is {row.state}; trials end while a search runs")
            row.ended = sorted({*row.ended, trial})

        return self._change(name, work)

    # -- runners ------------------------------------------------------------------------------------------------------

    def take(self, runner: str) -> SubmittedSearch | None:
        """Claim the search whose turn it is, None where none waits.

        Args:
            runner: Host and process of who claims it.
        """
        claim = uuid.uuid4().hex

        def work(session: Session) -> str | None:
            _take_turn(session)
            mine = session.scalar(select(SearchRow).where(SearchRow.claim == claim))
            if mine is not None:  # stored before; the answer was lost
                return mine.name
            row = session.scalar(select(SearchRow).where(SearchRow.state == "queued").order_by(*_ORDER).limit(1))
            if row is None:
                return None
            _become(row, "running")
            row.claim, row.runner, row.beats, row.reason = claim, runner, 0, None
            session.flush()
            append_event(session, row.name, "state", {"state": "running"}, f"{claim[:31]}r")
            return row.name

        name = self._database.transact(work)
        return None if name is None else self.search(name)

    def beat(self, name: str, claim: str) -> SubmittedSearch | None:
        """Renew a claim: its runner is alive. Returns what is asked of the search now, None where the claim is lost."""
        mine = and_(SearchRow.name == name, SearchRow.claim == claim)

        def work(session: Session) -> SubmittedSearch | None:
            session.execute(update(SearchRow).where(mine).values(beats=SearchRow.beats + 1))
            row = session.scalar(select(SearchRow).where(mine))
            return None if row is None else _submitted(row)

        return self._database.transact(work)

    def progressed(self, name: str, claim: str) -> None:
        """The search got somewhere: earlier deaths of runners were not its fault."""
        mine = and_(SearchRow.name == name, SearchRow.claim == claim)
        self._database.transact(lambda session: session.execute(update(SearchRow).where(mine).values(deaths=0)))

    def finish(
        self, name: str, claim: str, state: SearchState, reason: str | None = None, *, budget: float = math.inf
    ) -> bool:
        """A search came to an end.

        Args:
            name: Of the search.
            claim: Its runner's.
            state: ``done``, ``failed`` or ``cancelled``.
            reason: Why, in one line.
            budget: Seconds that its runner knew of; where it is done and has got more since, it is queued again.

        Returns:
            Whether the claim was still good.
        """

        def work(row: SearchRow, _: Session) -> Mapping[str, Any]:
            row.claim, row.runner, row.deaths = None, None, 0
            if state == "done" and row.budget > budget and not row.cancelled:
                _enqueue(row, None)
            else:
                _become(row, state)
            row.reason, row.cancelled = reason, False
            return {"state": row.state, **({} if reason is None else {"reason": reason})}

        return self._change_claimed(name, claim, work)

    def hand_back(self, name: str, claim: str, reason: str | None, *, died: bool) -> bool:
        """A runner gives a search back; where it died under too many runners in a row, the search has failed.

        Args:
            name: Of the search.
            claim: The runner's.
            reason: Why, in one line.
            died: Whether the runner or its process died.

        Returns:
            Whether the claim was still good.
        """

        def work(row: SearchRow, _: Session) -> Mapping[str, Any]:
            row.deaths += died
            if row.cancelled:
                _become(row, "cancelled")
                row.cancelled = False
            elif row.deaths >= _MOST_DEATHS:
                _become(row, "failed")
                row.reason = f"its process died {row.deaths} times in a row without getting anywhere: {reason}"
            else:
                _enqueue(row, reason)
            row.claim, row.runner = None, None
            return {"state": row.state, **({} if row.reason is None else {"reason": row.reason})}

        return self._change_claimed(name, claim, work)

    def running(self) -> Sequence[SubmittedSearch]:
        """Searches that runners have claimed."""
        query = select(SearchRow).where(SearchRow.state == "running")
        return self._database.transact(lambda session: [_submitted(row) for row in session.scalars(query)])

    # -- changes ------------------------------------------------------------------------------------------------------

    def _change(self, name: str, work: _Change) -> SubmittedSearch:
        """Change a search and tell so.

        Raises:
            UserError: If there is none of that name.
        """
        if self._changed(SearchRow.name == name, work) is None:
            raise UserError(f"search {name}: there is none of that name")
        return self.search(name)

    def _change_claimed(self, name: str, claim: str, work: _Change) -> bool:
        return self._changed(and_(SearchRow.name == name, SearchRow.claim == claim), work) is not None

    def _changed(self, where: ColumnElement[bool], work: _Change) -> str | None:
        key = uuid.uuid4().hex

        def change(session: Session) -> str | None:
            _take_turn(session)
            before = session.scalar(select(EventRow.search).where(EventRow.key == key))
            if before is not None:  # stored before; the answer was lost
                return before
            row = session.scalar(select(SearchRow).where(where))
            if row is None:
                return None
            told = work(row, session)
            session.flush()
            if told is not None:
                append_event(session, row.name, "state", told, key)
            return row.name

        return self._database.transact(change)


_ORDER = (SearchRow.priority.desc(), SearchRow.queued, SearchRow.name)


def _take_turn(session: Session) -> None:
    """Wait until nobody else changes the queue, and keep others waiting until this transaction ends."""
    taken = session.execute(update(QueueRow).where(QueueRow.id == _QUEUE).values(turns=QueueRow.turns + 1))
    if taken.rowcount:  # type: ignore[attr-defined]
        return
    try:
        with session.begin_nested():
            session.add(QueueRow(id=_QUEUE, turns=1))
    except IntegrityError:  # another made the row in the same moment, and has ended its turn since
        _take_turn(session)


def _refuse_more_than(most: int, session: Session, owner: str) -> None:
    mine = and_(SearchRow.owner == owner, SearchRow.state.in_(("queued", "running")))
    count = session.scalar(select(func.count()).select_from(SearchRow).where(mine)) or 0
    if count >= most:
        raise QueueFullError(f"{count} searches of yours are queued or running; {most} may be at a time")


def _fresh(
    name: str, owner: str, request: Mapping[str, Any], budget: float, priority: int, state: SearchState, now: float
) -> SearchRow:
    return SearchRow(
        name=name,
        owner=owner,
        request=dict(request),
        budget=budget,
        priority=priority,
        state=state,
        cancelled=False,
        ended=[],
        created=now,
        queued=now,
        changed=now,
        beats=0,
        deaths=0,
        events=0,
    )


def _become(row: SearchRow, state: SearchState) -> None:
    row.state, row.changed = state, time.time()


def _enqueue(row: SearchRow, reason: str | None) -> None:
    _become(row, "queued")
    row.queued, row.reason, row.cancelled = time.time(), reason, False


def _submitted(row: SearchRow) -> SubmittedSearch:
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
