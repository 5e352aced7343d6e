"""What all routes of the service share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from automl_kd.service import chores
from automl_kd.service.backstage import Backstage
from automl_kd.service.callers import Caller
from automl_kd.service.gauges import Gauges
from automl_kd.service.hub import EventHub
from automl_kd.service.names import Names
from automl_kd.service.places import Places
from automl_kd.service.problems import ProblemError
from automl_kd.service.settings import ServiceSettings
from automl_kd.storage import Database, EventLog, SearchQueue, SubmittedSearch, TokenStore, UploadBook

_FRESH_SECONDS = 2.0
_KEPT = 50
"""Summaries that are kept in memory."""
_Reading = Callable[[str, str], Any]


@dataclass
class _Summary:
    events: int
    made: float
    document: dict[str, Any] | None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Service:
    """What all routes share.

    Args:
        settings: What the operator decided.
        database: Where everything is.
    """

    def __init__(self, settings: ServiceSettings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.queue = SearchQueue(database)
        self.events = EventLog(database)
        self.tokens = TokenStore(database)
        self.uploads = UploadBook(database)
        self.hub = EventHub(self.events)
        self.registry = CollectorRegistry()
        self.gauges = Gauges(self.registry)
        self._summaries: dict[tuple[str, _Reading], _Summary] = {}

    def open_backstage(self) -> None:
        """Start the helper processes: for what is read often, for what takes long, and for what was sent."""
        log = own_folder(self.database) / "helpers.log"
        self.quick = Backstage(1, log)
        self.slow = Backstage(1, log, waiting=20)
        self.receiving = Backstage(1, log, waiting=20)

    def close_backstage(self) -> None:
        """End the helper processes."""
        self.quick.close()
        self.slow.close()
        self.receiving.close()

    def visible(self, name: str, caller: Caller) -> SubmittedSearch:
        """A search that a caller may see.

        Raises:
            ProblemError: With status 404 if there is none, or it is another owner's; both are told alike.
        """
        found = self.queue.find(name) if name.isprintable() and name.isascii() else None
        if found is None or not caller.may_see(found.owner):
            raise ProblemError(404, f"search {name[:120]}: there is none of that name")
        return found

    async def summary(self, search: SubmittedSearch) -> dict[str, Any] | None:
        """All that storage says of a search's study, at most a few seconds old; None as long as it is not begun."""
        return await self.read(search, chores.summarized)

    async def read(self, search: SubmittedSearch, reading: _Reading) -> dict[str, Any] | None:
        """What a helper reads of a search's study, at most a few seconds old; None as long as it is not begun.

        Any number of readers cost one reading.

        Args:
            search: The search.
            reading: Given the database's address and the study's name.
        """
        kept = self._summaries.setdefault((search.name, reading), _Summary(-1, 0.0, None))
        async with kept.lock:
            if kept.events != search.events and time.monotonic() - kept.made > _FRESH_SECONDS:
                arguments = (self.database.url, search.name)
                kept.document = await self.quick.call(reading, *arguments)
                kept.events, kept.made = search.events, time.monotonic()
        if len(self._summaries) > _KEPT:
            oldest = min(self._summaries, key=lambda each: self._summaries[each].made)
            del self._summaries[oldest]
        return kept.document

    def names(self, addresses: Iterable[str]) -> Names:
        """What callers call the files of this machine; ``addresses`` are first parts of the service's own."""
        uploads, own = self.uploads_of(""), self.database.files.parent
        return Names(uploads, self.settings.roots, own, addresses)

    async def changed(self, search: SubmittedSearch, told: str) -> None:
        """Tell listeners that a study changed without its driver, and have it read anew.

        Args:
            search: The search.
            told: What happened, in one line.
        """
        await in_thread(self.events.add, search.name, "note", {"text": told})
        for (name, _), kept in self._summaries.items():
            if name == search.name:
                kept.events, kept.made = -1, 0.0

    def places(self, caller: Caller) -> Places:
        """Which files a caller may name."""
        hashes = frozenset(self.uploads.hashes(caller.token.owner))
        return Places(self.settings.roots, self.uploads_of(caller.token.owner), hashes)

    @property
    def own_folder(self) -> Path:
        """Where the service keeps what is no study's."""
        folder = own_folder(self.database)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def uploads_of(self, owner: str) -> Path:
        """Where what somebody sent lies, each under its hash; what others sent must not come between."""
        return own_folder(self.database) / "uploads" / owner

    def artifacts(self, search: str) -> Path:
        """Where what can be downloaded of a search lies."""
        return self.database.files / search / "artifacts"


def own_folder(database: Database) -> Path:
    """What the service keeps beside the files of studies, none of whose names begins with a dot."""
    return database.files / ".service"


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]


in_thread = asyncio.to_thread
"""What a function gives that waits for the database; the event loop goes on meanwhile."""
