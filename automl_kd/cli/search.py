"""``automl-kd search``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from automl_kd.cli.answer import Json, answer, quiet
from automl_kd.cli.options import with_fields
from automl_kd.cli.plan_text import plan_text
from automl_kd.cli.progress import watching
from automl_kd.cli.result_text import result_text
from automl_kd.studies.request import SearchRequest


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("search")(search)


@with_fields(SearchRequest)
def search(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the search would do, and stop.")] = False,
    json: Json = False,
    **options: Any,
) -> None:
    """Search students and their distillation together; the same command resumes."""
    with quiet(json):
        from automl_kd.workflows.plan import plan_search
        from automl_kd.workflows.search import run_search

        request = SearchRequest(**options)
        with watching(json) as observer:
            if dry_run:
                plan = plan_search(request, observer)
                document, text = plan.document(), plan_text(plan)
            else:
                result = run_search(request, observer)
                document, text = result.model_dump(mode="json"), result_text(result)
    answer(document, text, json)
