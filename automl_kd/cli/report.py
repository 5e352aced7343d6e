"""``automl-kd report``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet
from automl_kd.core import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("report")(report)


def report(
    study: Annotated[str | None, typer.Option(help="The study; by default the only one.")] = None,
    out: Annotated[str, typer.Option(help="The HTML file to write.")] = "report.html",
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Write a study's report: one HTML file that needs no network."""
    with quiet(json):
        from automl_kd.workflows.report import report as write

        path = write(study, out=out, storage=storage)
    answer({"path": str(path)}, f"wrote {path}", json)
