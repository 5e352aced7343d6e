"""``automl-kd serve`` and ``automl-kd runner``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE, import_extra, parse_bytes


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("serve")(serve)
    app.command("runner")(runner)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at; others than loopback need a token first.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8765,
    runners: Annotated[int, typer.Option(help="Searches at a time here; 0 leaves them to automl-kd runner.")] = 1,
    cores: Annotated[
        int | None, typer.Option(help="Trainings at a time of all these searches; by default one a core.")
    ] = None,
    roots: Annotated[
        list[Path] | None,
        typer.Option("--root", help="Folder from which searches may name tasks, data and teachers; repeatable."),
    ] = None,
    max_upload: Annotated[str, typer.Option(help="Size of a file that may be sent.")] = "500MB",
    max_searches: Annotated[int, typer.Option(help="Searches of one owner that may be queued or running.")] = 20,
    rate: Annotated[float, typer.Option(help="Requests a second that one token may make for long.")] = 50.0,
    patience: Annotated[
        float, typer.Option(help="Seconds that a request's head, and a pause in its body, may take.")
    ] = 10.0,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate, a PEM file.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key, a PEM file.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Serve searches over HTTP, an API and a page, to those who have a token, until Ctrl-C."""
    with quiet(json):
        import_extra("fastapi", "service", "automl-kd serve")
        from automl_kd.service.server import serve as run
        from automl_kd.service.settings import ServiceSettings

        settings = ServiceSettings(
            storage=storage,
            host=host,
            port=port,
            runners=runners,
            cores=cores,
            roots=tuple(root.expanduser() for root in roots or ()),
            max_upload_bytes=int(parse_bytes(max_upload, "max_upload") or 0),
            max_searches=max_searches,
            rate=rate,
            patience=patience,
            certificate=certificate,
            key=key,
        )

    def announce(address: str, secret: str | None) -> None:
        whole = address if secret is None else f"{address}?token={secret}"
        told = "" if secret is None else " (this token is shown once; automl-kd token lists and revokes)"
        answer({"url": whole}, f"automl-kd at {whole}{told}, Ctrl-C ends it", json)

    run(settings, announce)  # outside: what it announces is the answer


def runner(
    cores: Annotated[int | None, typer.Option(help="Trainings at a time; by default one a core.")] = None,
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End once no search waits.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Drive searches that were submitted to a service, over the database that both reach."""
    with quiet(json):
        from automl_kd.workflows.runner import run_searches

        with watching(json) as observer:
            driven = run_searches(storage=storage, cores=cores, until_empty=until_empty, observer=observer)
    answer({"searches": driven}, f"{driven} searches were driven here", json)
