"""Bounds of a request's body: its size, and the time that it may take to arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from automl_kd.service.problems import problem

DOCUMENT_BYTES = 1_000_000
"""Size of a body that holds no file."""
_PAUSES = 2
"""The longest pauses that a body may take to arrive in all, and the seconds that a megabyte adds."""
_SECONDS_A_MEGABYTE = 2.0
_DIGITS = 20
"""Of a length, at most."""


class _RefusedError(HTTPException):
    """Ends the reading of a body; frameworks let this kind of error through."""


class Bounds:
    """Refuses bodies that are too large, or arrive too slowly; nothing of them is kept.

    Args:
        app: What stands behind.
        most_bytes: Gives the bytes that the body of a request to a path may have.
        patience: Seconds that may pass between two parts of it.
    """

    def __init__(self, app: ASGIApp, most_bytes: Callable[[str], int], patience: float) -> None:
        self._app = app
        self._patience = patience
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through with its body watched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._most_bytes(scope["path"])
        stated = Headers(scope=scope).get("content-length", "0")
        if not (stated.isascii() and stated.isdigit() and len(stated) < _DIGITS):
            await problem(400, f"Content-Length {stated[:20]!r}: is no number")(scope, receive, send)
            return
        if int(stated) > most:
            await problem(413, too_large(most), {"Connection": "close"})(scope, receive, send)
            return
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, _Watched(receive, most, self._patience).receive, sending)
        except _RefusedError as error:
            if not begun:
                await problem(error.status_code, error.detail, {"Connection": "close"})(scope, receive, send)


class _Watched:
    """Reads a body within its bounds."""

    def __init__(self, receive: Receive, most: int, patience: float) -> None:
        self._receive = receive
        self._patience = patience
        self._most = most
        self._read = 0
        self._began = time.monotonic()
        self._whole = False

    async def receive(self) -> Message:
        """The next message, within its time as long as the body is not whole."""
        if self._whole:
            return await self._receive()
        end = self._began + _PAUSES * self._patience + _SECONDS_A_MEGABYTE * self._read / 1e6
        wait = min(self._patience, end - time.monotonic())
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, wait))
        except TimeoutError:
            raise _RefusedError(408, "the body arrives too slowly") from None
        self._read += len(message.get("body", b""))
        self._whole = message["type"] != "http.request" or not message.get("more_body")
        if self._read > self._most:
            raise _RefusedError(413, too_large(self._most))
        return message


def too_large(most: int) -> str:
    """What is said of a body of more bytes."""
    return f"the body is larger than the {most} bytes that are taken here"
