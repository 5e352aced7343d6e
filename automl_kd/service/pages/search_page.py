"""Page: one search, as it runs and as it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Response

from automl_kd.core import UserError, duration
from automl_kd.service.callers import Caller, Reader
from automl_kd.service.context import Service, TheService, in_thread
from automl_kd.service.pages import wording
from automl_kd.service.pages.budget_svg import budget_svg
from automl_kd.service.pages.choices import choices
from automl_kd.service.pages.forms import Mistake
from automl_kd.service.pages.page import page
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.pages.search_list import service_time
from automl_kd.service.problems import ProblemError
from automl_kd.service.routes.results import artifact_files
from automl_kd.service.views import SearchView, view_of
from automl_kd.storage import Event

router = page_router()
PHASES = (
    ("prepare", "Prepare", ("prepare", "read", "calibrate")),
    ("teacher", "Teacher", ("teacher",)),
    ("search", "Search", ("search",)),
    ("picks", "Picks", ("picks",)),
)
_EVENTS = 40
_ROWS = 100
"""Rows of the table of trials that are shown unless all are asked for."""
_WORDS = {"queued": "waits in the queue", "cancelled": "stopped"}


@router.get("/searches/{name}")
async def search(
    service: TheService,
    caller: Reader,
    name: str,
    where: Annotated[str, Query(description="Rule that trials must meet.")] = "",
    rows: str = "",
) -> Response:
    """How it stands, its front, picks, trials, and what can be done with it."""
    return await shown_search(service, caller, name, where=where, every=rows == "all")


async def shown_search(
    service: Service,
    caller: Caller,
    name: str,
    *,
    where: str = "",
    every: bool = False,
    mistake: Mistake | None = None,
) -> Response:
    """The page of a search.

    Args:
        service: What routes share.
        caller: Who asked.
        name: Of the search.
        where: Rule that trials must meet; empty for all.
        every: Whether all rows of the table of trials are shown.
        mistake: What was wrong with one of its forms.
    """
    view = await _view(service, caller, name)
    stored = await in_thread(service.visible, name, caller)
    found = await service.read(stored, wording.search_words)
    trials: Sequence[Mapping[str, Any]] = [] if found is None else found["trials"]
    if where and found is not None:
        try:
            held = set(await service.quick.call(wording.trials_meeting, service.database.url, name, where))
            trials = [each for each in trials if each["trial"] in held]
        except (UserError, ProblemError) as error:
            mistake = mistake or Mistake.of("where", error, {"where": where})
    log = await in_thread(service.events.last, name, ("state", "note"), _EVENTS)
    artifacts = await in_thread(artifact_files, service.artifacts(name))
    may_run = caller.token.may("run")
    devices = (await choices(service))["hw"] if may_run and found is not None and found["front"] is not None else []
    return page(
        "search.html",
        caller,
        200 if mistake is None else mistake.status,
        view=view,
        told=state_words(view),
        phases=phases(view),
        budget=budget_svg(view),
        found=found,
        where=where,
        shown=trials if every else trials[:_ROWS],
        number=len(trials),
        log=[_line(each) for each in log],
        artifacts=[(each.name, each.stat().st_size, _what(each)) for each in artifacts],
        devices=devices,
        mistake=mistake,
    )


async def _view(service: Service, caller: Caller, name: str) -> SearchView:
    stored = await in_thread(service.visible, name, caller)
    positions = await in_thread(service.queue.positions)
    latest = await in_thread(service.events.latest, name, "progress")
    return view_of(stored, positions.get(name), latest)


def state_words(view: SearchView) -> str:
    """How a search stands, in one sentence."""
    state = "is being stopped" if view.stopping else _WORDS.get(view.state, view.state)
    parts = [state[:1].upper() + state[1:]]
    if view.position is not None:
        parts.append(f"place {view.position}")
    if view.state == "running" and view.progress is not None:
        parts.append(f"{view.progress.phase}: {view.progress.doing}")
    if view.progress is not None:
        parts.append(f"{duration(service_time(view))} of {duration(view.budget)} used")
    if view.seconds_left is not None:
        parts.append(f"{duration(view.seconds_left)} left")
    return "; ".join(parts) + "."


def phases(view: SearchView) -> list[dict[str, str]]:
    """The phases of a search, each ``done``, ``now`` or ``ahead``."""
    ended, begun = view.state == "done", view.progress is not None
    current = next(
        (index for index, (_, _, names) in enumerate(PHASES) if view.progress and view.progress.phase in names), 0
    )
    found = []
    for index, (name, title, _) in enumerate(PHASES):
        state = "done" if ended or (begun and index < current) else "ahead"
        if view.state == "running" and begun and index == current:
            state = "now"
        planned = None if view.progress is None else view.progress.split.get(name)
        found.append({"title": title, "state": state, "planned": "" if planned is None else f"≈ {duration(planned)}"})
    return found


def _line(event: Event) -> dict[str, Any]:
    """An event for people."""
    document = event.document
    if event.kind == "note":
        return {"time": event.time, "told": document["text"], "kind": "note"}
    told = f"{document.get('state')}"
    if "budget" in document:
        told += f"; the budget is {duration(document['budget'])} now"
    if document.get("reason"):
        told += f": {document['reason']}"
    return {"time": event.time, "told": told, "kind": "state"}


def _what(artifact: Path) -> str:
    if artifact.suffix == ".html":
        return "report, a page"
    return "measures the picks on the device" if artifact.stem == "kit" else "student, weights, recipe, model card"
