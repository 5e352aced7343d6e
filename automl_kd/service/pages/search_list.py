"""Pages: all searches; the way in and out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from automl_kd.core import in_unit, milliseconds
from automl_kd.service.callers import COOKIE, Reader
from automl_kd.service.context import TheService, in_thread
from automl_kd.service.pages.forms import go_to
from automl_kd.service.pages.page import page
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.views import SearchView, view_of
from automl_kd.storage import Event

router = page_router()
front_door = APIRouter(include_in_schema=False)


@front_door.get("/")
async def enter(_: Reader) -> RedirectResponse:
    """The address without a path leads to the page."""
    return RedirectResponse("/ui/", 307)


@router.get("/")
async def searches(service: TheService, caller: Reader) -> Response:
    """All searches that the token may see, newest first."""
    found = await in_thread(service.queue.searches, caller.sees)
    positions = await in_thread(service.queue.positions)
    names = [each.name for each in found]
    latest = await in_thread(service.events.latest_of, names, "progress")
    fronts = await in_thread(service.events.latest_of, names, "front")
    views = [view_of(each, positions.get(each.name), latest.get(each.name)) for each in found]
    cards = [_card(each, fronts.get(each.name)) for each in views]
    return page("searches.html", caller, searches=cards, several_owners=caller.sees is None)


@router.post("/sign-out")
async def sign_out(service: TheService, request: Request, _: Reader) -> Response:
    """Let this browser in no more."""
    await in_thread(service.tokens.send_away, request.cookies.get(COOKIE, ""))
    answer = go_to("/ui/")
    answer.delete_cookie(COOKIE, path="/")
    return answer


def _card(view: SearchView, front: Event | None) -> dict[str, Any]:
    progress = view.progress
    score = front.document["objectives"][0] if front is not None and front.document["objectives"] else None
    best = None
    if progress is not None and progress.best is not None and score is not None:
        shown = in_unit(progress.best.score, score["unit"])
        best = f"{shown} in {milliseconds(progress.best.latency_ms)}"
    return {
        "view": view,
        "best": best,
        "best_title": "score" if score is None else score["title"],
        "used": share_used(service_time(view), view.budget),
    }


def service_time(view: SearchView) -> float:
    """Seconds that a search has used."""
    if view.seconds_left is not None:
        return view.budget - view.seconds_left
    return 0.0 if view.progress is None else view.progress.spent


def share_used(spent: float, budget: float) -> float:
    """Share of a budget."""
    return min(1.0, spent / budget) if budget else 0.0
