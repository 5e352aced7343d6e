"""The studies of a database in optuna-dashboard."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from automl_kd.core import DEFAULT_STORAGE, UserError
from automl_kd.storage import ArtifactStore, Database

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def dashboard(
    *,
    storage: str = DEFAULT_STORAGE,
    host: str = "127.0.0.1",
    port: int = 8080,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve optuna-dashboard until interrupted.

    Args:
        storage: Database URL or path of an SQLite file.
        host: A loopback address: the dashboard has no authentication and can delete studies.
        port: Where to listen.
        ready: Called once the server listens.

    Raises:
        UserError: If the host is no loopback address, the port is taken, or the database cannot be read.
    """
    from optuna_dashboard import wsgi

    if host not in _LOOPBACK:
        raise UserError(
            f"host {host}: the dashboard has no authentication and can delete studies; it listens on loopback only"
            " (put an authenticated proxy before it)"
        )
    database = Database(storage, create=False)
    app = wsgi(database.optuna(), artifact_store=ArtifactStore(database.files / "artifacts"))
    listener = _ListenerV6 if ":" in host else WSGIServer
    try:
        server = make_server(host, port, app, listener, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"port {port}: {reason}; choose another with --port") from None
    # In a thread, because a request under way would swallow the Ctrl-C.
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    with server:
        serving.start()
        ready()
        try:
            serving.join()
        except KeyboardInterrupt:
            server.shutdown()


class _ListenerV6(WSGIServer):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    """Serves without a line for every request."""

    def log_message(self, format: str, *args: object) -> None:
        pass
