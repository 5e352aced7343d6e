"""Whose turn it is: the more urgent first, then the owner of whom least runs, then who waits longest."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict, deque

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from automl_kd.storage.tables import SearchRow


def in_turn(session: Session) -> list[str]:
    """The searches that wait, in the order in which runners would take them if none that runs came to an end.

    Each that is taken counts as one more of its owner's that run, so that of two owners who both submit many searches
    neither waits until the other's are done.
    """
    own = select(SearchRow.owner, func.count()).where(SearchRow.state == "running").group_by(SearchRow.owner)
    waiting = select(SearchRow.priority, SearchRow.owner, SearchRow.queued, SearchRow.name).where(
        SearchRow.state == "queued"
    )
    running = Counter(dict(session.execute(own).all()))
    by_priority: defaultdict[int, defaultdict[str, deque[tuple[float, str]]]] = defaultdict(lambda: defaultdict(deque))
    for priority, owner, queued, name in session.execute(waiting.order_by(SearchRow.queued, SearchRow.name)):
        by_priority[priority][owner].append((queued, name))
    return [name for priority in sorted(by_priority, reverse=True) for name in _fairly(by_priority[priority], running)]


def _fairly(waiting: dict[str, deque[tuple[float, str]]], running: Counter[str]) -> list[str]:
    """The searches of equal priority in their order; ``running`` counts them along."""
    names = []
    first = [(running[owner], *searches.popleft(), owner) for owner, searches in waiting.items()]
    heapq.heapify(first)
    while first:
        _, _, name, owner = heapq.heappop(first)
        names.append(name)
        running[owner] += 1
        if waiting[owner]:
            heapq.heappush(first, (running[owner], *waiting[owner].popleft(), owner))
    return names
