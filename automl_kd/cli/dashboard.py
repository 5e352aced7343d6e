"""``automl-kd dashboard``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet
from automl_kd.core import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("dashboard")(dashboard)


def dashboard(
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8080,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Open the studies in optuna-dashboard, until Ctrl-C."""
    with quiet(json):
        from automl_kd.workflows.dashboard import dashboard as serve

    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def announce() -> None:
        answer({"url": url}, f"optuna-dashboard at {url} (Ctrl-C ends it)", json)

    serve(storage=storage, host=host, port=port, ready=announce)  # outside: what it announces is the answer
