"""One reader of events for all who listen: two hundred listeners of a search cost the database one query."""

from __future__ import annotations

import asyncio
import functools
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from automl_kd.storage import Event, EventLog

_LOOK_SECONDS = 0.4
_ASK_SECONDS = 5.0
_KEPT = 1000
"""Events of a search that are kept in memory for its listeners; older ones are read from the database."""


class EventHub:
    """Tells listeners what happens to searches.

    Args:
        log: Where events are kept.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._listeners: Counter[str] = Counter()
        self._kept: dict[str, deque[Event]] = {}
        self._news = asyncio.Condition()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listeners.total()

    async def run(self) -> None:
        """Look for events until cancelled."""
        while True:
            try:
                await self._look()
            except Exception:  # the database is away for longer than its calls wait: look again
                await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)

    async def listen(self, search: str, after: int, may: Callable[[], Awaitable[bool]]) -> AsyncIterator[Event]:
        """The events of a search behind a number, those that are still to come included.

        Args:
            search: Its name.
            after: The number.
            may: Asked every few seconds whether the listener may go on.
        """
        asked = time.monotonic()
        with self._listening(search):
            while True:
                if time.monotonic() - asked > _ASK_SECONDS:
                    asked = time.monotonic()
                    if not await may():
                        return
                events = self._in_memory(search, after)
                if events is None:
                    events = await asyncio.to_thread(self._log.after, search, after)
                for event in events:
                    after = event.number
                    yield event
                if not events:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wait(search, after), _ASK_SECONDS)

    async def _wait(self, search: str, after: int) -> None:
        async with self._news:
            await self._news.wait_for(functools.partial(self._reaches_behind, search, after))

    def _reaches_behind(self, search: str, number: int) -> bool:
        kept = self._kept.get(search)
        return bool(kept) and kept[-1].number > number  # type: ignore[index]

    @contextmanager
    def _listening(self, search: str) -> Iterator[None]:
        self._listeners[search] += 1
        try:
            yield
        finally:
            self._listeners[search] -= 1
            if not self._listeners[search]:
                del self._listeners[search]
                self._kept.pop(search, None)

    def _in_memory(self, search: str, after: int) -> list[Event] | None:
        """What memory holds behind a number, None where it does not reach back so far."""
        kept = self._kept.get(search)
        if not kept or kept[0].number > after + 1:
            return None
        return [event for event in kept if event.number > after]

    async def _look(self) -> None:
        watched = list(self._listeners)
        if not watched:
            return
        numbers = await asyncio.to_thread(self._log.last_numbers, watched)
        found = False
        for search, number in numbers.items():
            if search not in self._listeners:  # the last one has gone meanwhile
                continue
            kept = self._kept.setdefault(search, deque(maxlen=_KEPT))
            last = kept[-1].number if kept else max(0, number - _KEPT)
            if number > last:
                kept.extend(await asyncio.to_thread(self._log.after, search, last, _KEPT))
                found = True
        if found:
            async with self._news:
                self._news.notify_all()
