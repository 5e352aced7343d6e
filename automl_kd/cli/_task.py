"""``automl-kd task``."""

from __future__ import annotations

import typer

from automl_kd.cli._answer import Json, Storage, answer, quiet, table
from automl_kd.paths import DEFAULT_STORAGE


def app() -> typer.Typer:
    """The group of verbs."""
    group = typer.Typer(name="task", help="What can be learned.", no_args_is_help=True)
    group.command("list")(list_tasks)
    group.callback()(_group)
    return group


def list_tasks(storage: Storage = DEFAULT_STORAGE, json: Json = False) -> None:
    """The built-in tasks; any other is a task file given by its path."""
    with quiet(json):
        from automl_kd.tasks import task_names

        tasks = task_names()
    rows = [[name, description] for name, description in tasks.items()]
    document = {"tasks": [{"name": name, "description": text} for name, text in tasks.items()]}
    answer(document, table(rows, ["task", "what it is"]), json)


def _group() -> None:
    """What can be learned."""
