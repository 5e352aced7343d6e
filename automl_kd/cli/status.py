"""``automl-kd status``."""

from __future__ import annotations

import json as json_format
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from automl_kd.cli.answer import Json, Storage, answer, quiet
from automl_kd.cli.front_plot import front_plot
from automl_kd.cli.progress import watching
from automl_kd.cli.result_text import result_text
from automl_kd.core import DEFAULT_STORAGE, finite

if TYPE_CHECKING:
    from automl_kd.results import StudyResult, StudySummary

_PLOT_LINES, _WIDEST = 15, 110


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("status")(status)


def status(
    study: Annotated[str | None, typer.Option(help="The study; by default all.")] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="Show the panel of a search that another process runs, until it ends or Ctrl-C; with --json a line for"
            " every change, each a document as search --json prints.",
        ),
    ] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """How studies stand, also while they run."""
    if follow:
        last = _followed(study, storage, json)
        if last is not None and not json:
            answer(None, _text([last]), json)
        return
    with quiet(json):
        from automl_kd.workflows.status import status as find

        found = find(study, storage=storage)
    documents = [each.model_dump(mode="json") for each in found]
    answer(documents[0] if study is not None else {"studies": documents}, _text(found), json)


def _followed(study: str | None, storage: str, json: bool) -> StudySummary | None:
    """Watch a study; its last summary, None where there was none before Ctrl-C."""
    last, screen = None, sys.stdout
    try:
        with quiet(json):
            from automl_kd.studies.summary import result_of
            from automl_kd.workflows.follow import follow

            with watching(json) as observer:
                for last in follow(study, storage=storage, observer=observer):
                    if json:
                        document = finite(result_of(last).model_dump(mode="json"))
                        print(json_format.dumps(document, ensure_ascii=False), file=screen, flush=True)
    except KeyboardInterrupt:  # the usual end of watching
        pass
    return last


def _text(found: list[StudySummary]) -> str:
    plot = _plot(found[0]) if len(found) == 1 else ()
    return "\n\n".join(result_text(each, plot) for each in found) or "no study yet"


def _plot(result: StudyResult) -> list[str]:
    """The front for a terminal; nothing where the answer goes elsewhere."""
    if not sys.stdout.isatty():
        return []
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    return front_plot(result.front, result.objectives, width, _PLOT_LINES, plain=plain)
