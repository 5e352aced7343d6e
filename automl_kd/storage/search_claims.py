"""The queue of searches as runners see it: claimed one at a time, and taken over from runners that died."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

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

_MOST_DEATHS = 3


class SearchClaims:
    """The searches of a database, for those who drive them. A claim that was lost changes nothing any more.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database.served()

    def take(self, runner: str) -> SubmittedSearch | None:
        """Claim the search whose turn it is, None where none waits.

        Args:
            runner: Host and process of who claims it.
        """
        claim = uuid.uuid4().hex

        def work(session: Session) -> SubmittedSearch | None:
            take_turn(session)
            mine = session.scalar(select(SearchRow).where(SearchRow.claim == claim))
            if mine is not None:  # stored before; the answer was lost
                return submitted(mine)
            name = next(iter(in_turn(session)), None)
            if name is None:
                return None
            row = session.get_one(SearchRow, name)
            become(row, "running")
            row.claim, row.runner, row.beats, row.reason = claim, runner, 0, None
            session.flush()
            append_event(session, name, "state", {"state": "running"}, f"{claim[:31]}r")
            session.refresh(row)
            return submitted(row)

        return self._database.transact(work)

    def beat(self, name: str, claim: str) -> SubmittedSearch | None:
        """Renew a claim: its runner is alive. Returns what is asked of the search now, None where the claim is lost."""
        mine = and_(SearchRow.name == name, SearchRow.claim == claim)

        def work(session: Session) -> SubmittedSearch | None:
            session.execute(update(SearchRow).where(mine).values(beats=SearchRow.beats + 1))
            row = session.scalar(select(SearchRow).where(mine))
            return None if row is None else submitted(row)

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
                enqueue(row, None)
            else:
                become(row, state)
            row.reason, row.cancelled = reason, False
            return {"state": row.state, **({} if reason is None else {"reason": reason})}

        return self._change(name, claim, work)

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
                become(row, "cancelled")
                row.cancelled = False
            elif row.deaths >= _MOST_DEATHS:
                become(row, "failed")
                row.reason = f"its process died {row.deaths} times in a row without getting anywhere: {reason}"
            else:
                enqueue(row, reason)
            row.claim, row.runner = None, None
            return {"state": row.state, **({} if row.reason is None else {"reason": row.reason})}

        return self._change(name, claim, work)

    def running(self) -> Sequence[SubmittedSearch]:
        """Searches that runners have claimed."""
        query = select(SearchRow).where(SearchRow.state == "running")
        return self._database.transact(lambda session: [submitted(row) for row in session.scalars(query)])

    def _change(self, name: str, claim: str, work: Change) -> bool:
        mine = and_(SearchRow.name == name, SearchRow.claim == claim)
        return change_search(self._database, mine, work) is not None
