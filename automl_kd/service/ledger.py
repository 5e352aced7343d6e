"""What is written down of every request, and the headers that every answer has."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from automl_kd.service.callers import CALLER
from automl_kd.service.problems import problem

_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_QUIET = ("GET", "HEAD", "OPTIONS")
_METHODS = (*_QUIET, "POST", "PUT", "PATCH", "DELETE")
_TOLD = (303, 401, 403, 429)
"""Who signs in by an address is sent on; the others are refused."""
_GONE, _FAULT = 499, 500
"""Written down where the client went away before the answer, and where nothing was answered."""


class Ledger:
    """Measures every request, writes a line of those that change something or are refused, and adds security headers.

    Lines name tokens, never their secrets, and paths without their queries.

    Args:
        app: What stands behind.
        registry: Where the measurements are kept.
        write: Takes a line.
    """

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, write: Callable[[str], None]) -> None:
        self._app = app
        self._write = write
        self._count = Counter("automl_kd_requests", "Requests.", ("method", "route", "status"), registry=registry)
        self._seconds = Histogram("automl_kd_request_seconds", "Time to the answer.", ("route",), registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, and write down what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status: int | None = None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                self._seconds.labels(_route(scope)).observe(time.monotonic() - began)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            status = _GONE
        except Exception:
            traceback.print_exc()
            if status is None:
                await problem(500, "a fault of automl-kd; its log says more")(scope, receive, sending)
        finally:
            status = _FAULT if status is None else status
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._count.labels(method, _route(scope), str(status)).inc()
            if scope["method"] not in _QUIET or status in _TOLD:
                self._write(_line(scope, status))


def _route(scope: Scope) -> str:
    """The pattern of the path, of which there are few; a path is whatever somebody sends."""
    return str(getattr(scope.get("route"), "path", "other"))


def _line(scope: Scope, status: int) -> str:
    caller = scope.get(CALLER)
    document = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "from": (scope.get("client") or ("?",))[0],
        "token": None if caller is None else caller.token.name,
        "owner": None if caller is None else caller.token.owner,
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
    }
    return json.dumps(document, ensure_ascii=True)
