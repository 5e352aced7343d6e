"""``automl-kd distill``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, answer, quiet
from automl_kd.cli.export import delivery_text
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("distill")(distill)


def distill(
    recipe: Annotated[str, typer.Argument(help="The recipe's file.")],
    out: Annotated[str, typer.Option(help="Folder to write.")] = "student",
    task: Annotated[str | None, typer.Option(help="The task's file, if not where the recipe says.")] = None,
    data: Annotated[str | None, typer.Option(help="Where the task's data are, if not where the task says.")] = None,
    teacher: Annotated[str | None, typer.Option(help="Where the teacher is, if not where recipe or task say.")] = None,
    hw: Annotated[str | None, typer.Option(help="Device to deliver for; by default the recipe's.")] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(help="What the student may take there, e.g. 4ms; decides which layers keep_float: auto keeps."),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to train: auto, cpu or cuda.")] = "auto",
    allow_code: AllowCode = False,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Compile the student; pays on long runs, and moves its last bits.")
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Make the student that a recipe describes: equal recipes give equal weights on one machine."""
    with quiet(json):
        from automl_kd.workflows.distill import distill as make

        with watching(json) as observer:
            document = make(
                recipe,
                out=out,
                task=task,
                data=data,
                teacher=teacher,
                hw=hw,
                max_latency=max_latency,
                device=device,
                allow_code=allow_code,
                compiled=compiled,
                observer=observer,
            )
    answer(document, delivery_text(document), json)
