"""``automl-kd task``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet, table
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE


def app() -> typer.Typer:
    """The group of verbs."""
    group = typer.Typer(name="task", help="What can be learned.", no_args_is_help=True)
    group.command("list")(list_tasks)
    group.command("check")(check)
    group.command("init")(init)
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


def check(
    task: Annotated[str, typer.Argument(help="A built-in task or the path of a task file.")],
    data: Annotated[str | None, typer.Option(help="Data instead of those that the task names.")] = None,
    teacher: Annotated[str | None, typer.Option(help="Teacher instead of the task's, as for automl-kd search.")] = None,
    device: Annotated[str, typer.Option(help="Where the teacher is asked: auto, cpu or cuda.")] = "auto",
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """What is understood of a task's data and its teacher; nothing is trained."""
    with quiet(json):
        from automl_kd.workflows.task_check import check_task

        with watching(json) as observer:
            understood = check_task(task, data=data, teacher=teacher, device=device, observer=observer)
    answer(understood.document(), "\n".join([f"task {understood.task}", *understood.lines()]), json)


def init(
    place: Annotated[
        str, typer.Argument(help="A folder of pictures, a .csv or .parquet list of pictures or texts, or an .npz file.")
    ],
    out: Annotated[str, typer.Option(metavar="FILE", help="Task file to write, ending in .yaml; never replaced.")],
    teacher: Annotated[
        str | None, typer.Option(help="Teacher, as for automl-kd search; by default the best that can be trained here.")
    ] = None,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out pictures that cannot be read.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Write a task file for data of yours, and say what is understood of it."""
    with quiet(json):
        from automl_kd.workflows.task_init import init_task

        with watching(json) as observer:
            made = init_task(place, out, teacher=teacher, skip_damaged=skip_damaged, observer=observer)
    document = {"path": str(made.path), "understood": made.understood.document(), "next": made.next}
    lines = [f"task {made.understood.task} in {made.path}", *made.understood.lines(), f"next: {made.next}"]
    answer(document, "\n".join(lines), json)


def _group() -> None:
    """What can be learned."""
