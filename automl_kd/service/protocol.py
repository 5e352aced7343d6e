"""HTTP on a connection: what uvicorn speaks, with a bound on the time that the head of a request may take."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from automl_kd.service.ledger import HEADERS
from automl_kd.service.problems import document_of


class Protocol(H11Protocol):
    """Closes connections that never come to a request, and refuses malformed ones as every other mistake is."""

    patience: float
    """Seconds that a client may take to say what it wants."""
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Something has arrived."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._forget()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        body = json.dumps(document_of(400, "the request is no valid HTTP")).encode()
        headers = {**HEADERS, "Content-Type": "application/problem+json", "Connection": "close"}
        headers["Content-Length"] = str(len(body))
        events: list[Any] = [
            h11.Response(status_code=400, headers=list(headers.items()), reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        try:
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer is under way already
            pass
        self.transport.close()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._waiting is None and not self.transport.is_closing():
            self._waiting = self.loop.call_later(self.patience, self._give_up)

    def _give_up(self) -> None:
        self._waiting = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def speaking(patience: float) -> type[Protocol]:
    """The protocol with its bound, as uvicorn takes it."""
    return type("BoundedProtocol", (Protocol,), {"patience": patience})
