"""optuna-dashboard behind the gate: each sees the studies of the own searches; who may only look cannot change them."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from a2wsgi import WSGIMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from automl_kd.service.callers import CALLER, Caller
from automl_kd.service.problems import problem
from automl_kd.storage import ArtifactStore, Database, SearchQueue
from automl_kd.studies.summary import study_of_picks

_PAGES = re.compile(r"/dashboard(/.*)?|/favicon\.ico|/static/[A-Za-z0-9._-]+|/api/meta")
_LIST = "/api/studies"
_OF_STUDY = re.compile(r"/(?:api/studies|api/artifacts|artifacts|csv)/(\d{1,9})(/.*)?")
_STRUCTURE = re.compile(r"/api/studies/\d{1,9}(/rename)?")
"""What deletes or renames a whole study."""
_SAFE = ("GET", "HEAD")
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline';"
        b" img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none';"
        b" frame-ancestors 'none'",
    ),
)


class Dashboard:
    """Serves the paths of optuna-dashboard; every other goes to the application.

    Args:
        app: The application.
        database: Whose studies are shown.
        queue: Whose they are.
    """

    def __init__(self, app: ASGIApp, database: Database, queue: SearchQueue) -> None:
        self._app = app
        self._database = database
        self._queue = queue
        self._storage: Any = None
        self._inner: ASGIApp | None = None
        self._opening = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] != "http" or not is_of_dashboard(scope["path"]):
            await self._app(scope, receive, send)
            return
        async with self._opening:
            if self._inner is None:  # its libraries take seconds to load
                self._inner = await asyncio.to_thread(self._open)
        caller: Caller = scope[CALLER]
        refused = await asyncio.to_thread(self._refusal, caller, scope["method"], scope["path"])
        if refused is not None:
            await problem(*refused)(scope, receive, send)
        elif scope["path"] == _LIST and caller.sees is not None:
            await self._list(caller, scope, receive, send)
        else:
            await self._inner(scope, receive, _with_headers(send))

    def _open(self) -> ASGIApp:
        from optuna_dashboard import wsgi

        self._storage = self._database.optuna()
        inner = wsgi(self._storage, artifact_store=ArtifactStore(self._database.files / "artifacts"))
        opened: ASGIApp = WSGIMiddleware(inner, workers=4)  # type: ignore[arg-type, assignment]
        return opened

    def _refusal(self, caller: Caller, method: str, path: str) -> tuple[int, str] | None:
        """Status and reason why somebody may not do this, None where one may."""
        changes = method not in _SAFE
        if changes and not caller.token.may("run"):
            return 403, f"token {caller.token.name} has the scope {caller.token.scope}; this needs run"
        study = _OF_STUDY.fullmatch(path)
        if study is None:
            known = _PAGES.fullmatch(path) or path == _LIST
            return None if known and not changes else (404, "there is nothing at this address")
        search = self._search_of(int(study[1]))
        found = None if search is None else self._queue.find(search)
        if caller.sees is not None and (found is None or not caller.may_see(found.owner)):
            return 404, f"study {study[1]}: there is none of that number"
        if changes and _STRUCTURE.fullmatch(path):
            return 403, "studies are not deleted or renamed here, because searches go on with them"
        return None

    def _search_of(self, study: int) -> str | None:
        """The search that a study belongs to."""
        try:
            name: str = self._storage.get_study_name_from_id(study)
        except KeyError:
            return None
        return study_of_picks(name)

    async def _list(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """The list of studies without those of others."""
        assert self._inner is not None
        own = {each.name for each in await asyncio.to_thread(self._queue.searches, caller.sees)}
        start: Message = {}
        body = b""

        async def sending(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self._inner(scope, receive, sending)
        if start.get("status") == 200:
            document = json.loads(body)
            document["study_summaries"] = [
                each for each in document["study_summaries"] if study_of_picks(each["study_name"]) in own
            ]
            body = json.dumps(document).encode()
        kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
        start["headers"] = [*kept, (b"content-length", str(len(body)).encode())]
        await send(start)
        await send({"type": "http.response.body", "body": body})


ADDRESSES = ("/dashboard", "/api/", "/artifacts/", "/csv/", "/static/", "/favicon.ico")
"""What paths of optuna-dashboard begin with, which has its own at the root of an address."""


def is_of_dashboard(path: str) -> bool:
    """Whether a path is one of optuna-dashboard's."""
    return path.startswith(ADDRESSES)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *_HEADERS]
        await send(message)

    return sending
