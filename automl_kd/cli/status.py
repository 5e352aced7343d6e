"""``automl-kd status``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet
from automl_kd.cli.result_text import result_text
from automl_kd.core import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status")(status)


def status(
    study: Annotated[str | None, typer.Option(help="The study; by default all.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """How studies stand, also while they run."""
    with quiet(json):
        from automl_kd.workflows.status import status as find

        found = find(study, storage=storage)
    text = "\n\n".join(result_text(each) for each in found) or "no study yet"
    documents = [each.model_dump(mode="json") for each in found]
    answer(documents[0] if study is not None else {"studies": documents}, text, json)
