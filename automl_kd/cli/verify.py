"""``automl-kd verify``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, answer, quiet, table
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("verify")(verify)


def verify(
    folder: Annotated[str, typer.Argument(help="What export, distill or a search has delivered.")],
    task: Annotated[str | None, typer.Option(help="The task's file, if not where the recipe says.")] = None,
    data: Annotated[str | None, typer.Option(help="Where the task's data are, if not where the task says.")] = None,
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Check a delivery again: hashes, files, parity with PyTorch, and the test score where the data are at hand."""
    with quiet(json):
        from automl_kd.workflows.verify import verify as check

        with watching(json) as observer:
            found = check(folder, task=task, data=data, allow_code=allow_code, observer=observer)
    rows = [[each.name, each.outcome, each.told] for each in found.checks]
    fault = found.fault
    document = found.model_dump(mode="json") | ({} if fault is None else {"error": fault})
    answer(document, table(rows, ["check", "outcome", "found"]), json)
    if fault is not None:
        print(f"automl-kd: {fault}", file=sys.stderr, flush=True)
        raise typer.Exit(2)
