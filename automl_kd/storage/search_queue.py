"""The queue of searches as their owners see it: submitted, looked at and steered."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from automl_kd.core import UserError
from automl_kd.storage.events import append_event
from automl_kd.storage.search_order import in_turn
from automl_kd.storage.submitted import (
    Change,
    SearchState,
    SubmittedSearch,
    become,
    change_search,
    enqueue,
    submitted,
    take_turn,
)
from automl_kd.storage.tables import SearchRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database

_ADOPTED = 5
"""Priority of searches that nobody submitted."""


class NameTakenError(UserError):
    """A search of that name was submitted before."""


class QueueFullError(UserError):
    """An owner has as many searches in the queue as one may have."""


class WrongStateError(UserError):
    """A search is in a state in which this cannot be done."""


class SearchQueue:
    """The searches of a database, for those who own them (:class:`automl_kd.storage.SearchClaims` is for runners).

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database.served()

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
            take_turn(session)
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
            take_turn(session)
            if session.get(SearchRow, name) is None:
                session.add(_fresh(name, owner, request, budget, _ADOPTED, state, now))
                session.flush()
                append_event(session, name, "state", {"state": state}, key)

        self._database.transact(work)

    def find(self, name: str) -> SubmittedSearch | None:
        """A search by name, or None."""

        def work(session: Session) -> SubmittedSearch | None:
            row = session.get(SearchRow, name)
            return None if row is None else submitted(row)

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
        return self._database.transact(lambda session: [submitted(row) for row in session.scalars(query)])

    def positions(self) -> dict[str, int]:
        """The place of each search that waits, from 1: the order of :func:`in_turn`, as things are now."""
        names = self._database.transact(in_turn)
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
            become(row, "cancelled")
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
            enqueue(row, None)
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
            enqueue(row, None)
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

    def _change(self, name: str, work: Change) -> SubmittedSearch:
        """Change a search and tell so.

        Raises:
            UserError: If there is none of that name.
        """
        found = change_search(self._database, SearchRow.name == name, work)
        if found is None:
            raise UserError(f"search {name}: there is none of that name")
        return found


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
