"""``automl-kd compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet, table
from automl_kd.core import DEFAULT_STORAGE

if TYPE_CHECKING:
    from automl_kd.results import Comparison


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("compare")(compare)


def compare(
    trials: Annotated[list[str], typer.Argument(help="Two or three: numbers, or knee, best, fastest, another role.")],
    study: Annotated[str | None, typer.Option(help="The study; by default the only one.")] = None,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Two or three finished trials side by side, and in words: what differs, and whether that is more than noise."""
    with quiet(json):
        from automl_kd.workflows.compare import compare as find

        found = find(*trials, study=study, storage=storage)
        text = comparison_text(found)
    answer(found.model_dump(mode="json"), text, json)


def comparison_text(found: Comparison) -> str:
    """A comparison for people: a table, the parts of the recipes that differ, then sentences."""
    names = [
        f"trial {each}{f' ({role})' if role else ''}" for each, role in zip(found.trials, found.roles, strict=True)
    ]
    rows = [[each.title, *map(each.shown, each.values)] for each in found.quantities]
    rows += [[each.title, *each.values] for each in found.differences]
    return "\n".join([table(rows, [f"study {found.study}", *names]), "", *found.sentences])
