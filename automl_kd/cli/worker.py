"""``automl-kd worker``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, TrialMemory, TrialTimeout, answer, quiet
from automl_kd.cli.progress import watching
from automl_kd.core import DEFAULT_STORAGE


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("worker")(worker)


def worker(
    study: Annotated[str, typer.Option(help="The study to work for.")],
    workers: Annotated[int | None, typer.Option(help="Trainings at a time; by default one a core.")] = None,
    data: Annotated[
        str | None, typer.Option(help="This machine's own copy of the data, instead of fetching it.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="This machine's own copy of the teacher, instead of fetching it.")
    ] = None,
    trial_timeout: TrialTimeout = None,
    trial_memory: TrialMemory = None,
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Train for a study that another machine searches, over the database that both reach."""
    with quiet(json):
        from automl_kd.workflows.worker import work

        with watching(json) as observer:
            document = work(
                study,
                storage=storage,
                workers=workers,
                data=data,
                teacher=teacher,
                trial_timeout=trial_timeout,
                trial_memory=trial_memory,
                allow_code=allow_code,
                observer=observer,
            )
    answer(document, f"study {study} is finished; {document['jobs']} jobs were done here", json)
