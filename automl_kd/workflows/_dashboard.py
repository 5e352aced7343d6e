"""The studies of a database in optuna-dashboard."""

from __future__ import annotations

from collections.abc import Callable

from automl_kd.errors import UserError
from automl_kd.storage import DEFAULT_STORAGE, ArtifactStore, Database

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
        ready: Called once the database is open, just before the server listens.

    Raises:
        UserError: If the host is no loopback address, the port is taken, or the database cannot be read.
    """
    from optuna_dashboard import run_server

    if host not in _LOOPBACK:
        raise UserError(
            f"host {host}: the dashboard has no authentication and can delete studies; it listens on loopback only"
            " (put an authenticated proxy before it)"
        )
    database = Database(storage, create=False)
    optuna_storage = database.optuna()
    ready()
    try:
        run_server(optuna_storage, host, port, artifact_store=ArtifactStore(database.files / "artifacts"))
    except OSError as error:
        raise UserError(f"port {port}: {error.strerror or error}; choose another with --port") from None
