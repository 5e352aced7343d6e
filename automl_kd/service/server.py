"""Verb ``serve``: the service until Ctrl-C."""

from __future__ import annotations

import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from automl_kd.core import UserError
from automl_kd.service.adoption import adopt_studies
from automl_kd.service.app import create_app
from automl_kd.service.context import Service
from automl_kd.service.protocol import speaking
from automl_kd.service.runners import RunnerPool
from automl_kd.service.settings import ServiceSettings
from automl_kd.storage import Database, SearchQueue, TokenStore

_FIRST, _OWNER = "first", "admin"
_CONNECTIONS = 900
"""Connections at a time: a process may usually have 1024 files open."""


def serve(settings: ServiceSettings, ready: Callable[[str, str | None], None]) -> None:
    """Serve searches over HTTP until interrupted.

    Args:
        settings: What the operator decided.
        ready: Called once the service listens, with its address, and with the token where this first start made one.

    Raises:
        UserError: If the database cannot be reached, the port is taken, or others could reach the service and it has
            no token.
    """
    database = Database(settings.storage)
    secret = _first_token(settings, TokenStore(database))
    adopt_studies(database, SearchQueue(database))
    with _listening(settings) as listener:
        port = listener.getsockname()[1]
        address = settings.address.replace(f":{settings.port}/", f":{port}/")
        config = uvicorn.Config(
            create_app(Service(settings, database)),
            log_level=logging.CRITICAL,
            access_log=False,
            server_header=False,
            date_header=True,
            lifespan="on",
            timeout_keep_alive=max(1, round(settings.patience)),
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=32_768,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            proxy_headers=False,
            http=speaking(settings.patience),
            ws="none",
            limit_concurrency=_CONNECTIONS,
        )
        _load(config, settings)
        server = _Server(config, lambda: ready(address, secret))
        with _quietly_ending(), RunnerPool(database, settings.runners, settings.cores):
            server.run([listener])


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._ready()


@contextmanager
def _quietly_ending() -> Iterator[None]:
    """The server ends by itself when asked to; the signal that it raises anew then must not cut the rest short."""
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _load(config: uvicorn.Config, settings: ServiceSettings) -> None:
    """Read what a configuration names.

    Raises:
        UserError: If certificate and key cannot be used.
    """
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or error
        files = f"--certificate {settings.certificate}, --key {settings.key}"
        raise UserError(f"{files}: no certificate with its key, unencrypted, as PEM files: {reason}") from None


def _first_token(settings: ServiceSettings, tokens: TokenStore) -> str | None:
    """The secret of a token that is made where there is none, and this machine alone reaches the service.

    Raises:
        UserError: If others reach it, and there is no token.
    """
    known = tokens.all()
    if any(each.valid for each in known):
        return None
    if not settings.loopback:
        raise UserError(
            f"host {settings.host}: others can reach it and there is no token; make one first: automl-kd token create"
            " NAME --scope admin --expires 30d, with the same --storage"
        )
    names = {each.name for each in known}
    name = next(each for each in (_FIRST, *(f"{_FIRST}-{number}" for number in range(2, 10_000))) if each not in names)
    return tokens.create(name, _OWNER, "admin", None)


def _listening(settings: ServiceSettings) -> socket.socket:
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=512,
        )
    except OSError as error:
        # What Python adds to the system's words is the address, once more.
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise UserError(f"{settings.host}:{settings.port}: {reason}; choose another with --port") from None
