"""The names by which callers know files: lines that tell of one tell nothing of where this machine keeps it.

Such lines come from everywhere: mistakes, reasons of searches that failed, events, logs of trials, plans. All of them
leave in answers of text, so that is where paths become names.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from automl_kd.core import cache_dir, config_dir
from automl_kd.service.places import UPLOAD

_HERE = "."
"""Folders below which paths are told without anything before them."""
_TEXTS = ("application/json", "application/problem+json", "text/html", "text/csv")
_STREAM = "text/event-stream"
_PARTIAL = 206
_LONG = 200_000
"""Bytes from which on another thread looks through a text."""


class Names:
    """What paths of this machine are called.

    Args:
        uploads: Where what was sent lies, by owner and hash: ``upload:SHA256/my.yaml``.
        roots: The operator's folders: what lies below is told from there, as searches may name it.
        own: Where database and files of the service are, told from there, too.
        addresses: First parts of the service's own addresses, which are no folders.
    """

    def __init__(self, uploads: Path, roots: Iterable[Path], own: Path, addresses: Iterable[str]) -> None:
        folders = {Path(sysconfig.get_path(kind)): "python" for kind in ("stdlib", "purelib", "platlib")}
        folders |= {Path(__file__).parents[2]: _HERE, Path.home(): "~", cache_dir(): "cache", config_dir(): "config"}
        folders |= dict.fromkeys((own, *roots), _HERE)
        reserved = {(part,) for part in addresses} | {()}
        self._called = {
            form: called.encode()
            for folder, called in folders.items()
            for place in _written(folder)
            if place.parts[1:] not in reserved
            for form in _forms(place)
        }
        sent = [form for place in _written(uploads) for form in _forms(place)]
        self._sent = re.compile(rb"(?:%b)/[^/\s]+/([0-9a-f]{64})" % _any_of(sent))
        # What ends where the folder ends, or goes on below it; not a longer name, nor the middle of another path.
        self._paths = re.compile(
            rb"(?<![\w\x80-\xff.~-])(%b)(?:(/(?=[^\s'\"&:;,)<\\]))|/?(?!\.?[\w\x80-\xff-]))" % _any_of(self._called)
        )
        self._known = (*sent, *self._called)

    def told(self, text: bytes) -> bytes:
        """A text with names in the place of paths."""
        if not any(each in text for each in self._known):
            return text
        return self._paths.sub(self._name, self._sent.sub(UPLOAD.encode() + rb"\1", text))

    def _name(self, found: re.Match[bytes]) -> bytes:
        called, below = self._called[found[1]], found[2] is not None
        if called == _HERE.encode():
            return b"" if below else called
        return called + b"/" if below else called


class Naming:
    """Has an application's answers of text tell names instead of paths.

    Args:
        app: The application.
        names: What paths are called.
    """

    def __init__(self, app: ASGIApp, names: Names) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        kind, body = "", b""

        async def sending(message: Message) -> None:
            nonlocal start, kind, body
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                kind = headers.get("content-type", "").partition(";")[0]
                if kind in _TEXTS and message["status"] != _PARTIAL and "content-encoding" not in headers:
                    start = message  # its length is known once all of it is there
                    return
            elif message["type"] == "http.response.body" and start is not None:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                message = {**message, "body": await self._told(body)}
                MutableHeaders(raw=start["headers"])["content-length"] = str(len(message["body"]))
                await send(start)
                start = None
            elif message["type"] == "http.response.body" and kind == _STREAM:
                message = {**message, "body": self._names.told(message.get("body", b""))}
            await send(message)

        await self._app(scope, receive, sending)

    async def _told(self, body: bytes) -> bytes:
        if len(body) < _LONG:
            return self._names.told(body)
        return await asyncio.to_thread(self._names.told, body)


def _written(folder: Path) -> set[Path]:
    """A folder as its whole path may be written, links followed or not."""
    return {folder.absolute(), folder.resolve()}


def _forms(place: Path) -> set[bytes]:
    """A path as it stands in plain text, in JSON and in HTML."""
    text = str(place)
    return {each.encode(errors="surrogateescape") for each in (text, json.dumps(text)[1:-1], html.escape(text))}


def _any_of(texts: Iterable[bytes]) -> bytes:
    return b"|".join(re.escape(each) for each in sorted(texts, key=len, reverse=True))
