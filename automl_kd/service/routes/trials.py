"""Trials: one in detail, two or three side by side, the front, and the same on another device."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from automl_kd.service import chores
from automl_kd.service.callers import Reader, Submitter
from automl_kd.service.context import TheService, in_thread
from automl_kd.service.places import reads_like_a_path
from automl_kd.service.problems import PROBLEMS, ProblemError
from automl_kd.service.routes.results import begun
from automl_kd.service.routes.searches import shown
from automl_kd.service.views import RepriceRequest, SearchView

router = APIRouter(prefix="/searches/{name}", tags=["trials"], responses=PROBLEMS)

_SECONDS = 120.0
Number = Annotated[int, Path(ge=0, le=10_000_000, description="The trial's number.")]


@router.get("/trials/{number}", summary="One trial: recipe, curve, price and its parts, confusions, reason")
async def trial(service: TheService, caller: Reader, name: str, number: Number) -> dict[str, Any]:
    """The document of automl-kd trial. The confusion matrix is computed once, from the student's weights."""
    found, _ = await begun(service, caller, name)
    arguments = (service.database.url, found.name, number)
    document: dict[str, Any] = await service.quick.call(chores.trial_found, *arguments, seconds=_SECONDS)
    return document


@router.post("/trials/{number}/end", response_model=SearchView, summary="Give a trial up")
async def end(service: TheService, caller: Submitter, name: str, number: Number) -> SearchView:
    """One that waits is given up at once, one that trains at its next step; the search goes on without it."""
    found = await in_thread(service.visible, name, caller)
    return await shown(service, await in_thread(service.queue.end_trial, found.name, number))


@router.get("/front", summary="The front, or those of its points of which a rule holds")
async def front(
    service: TheService,
    caller: Reader,
    name: str,
    where: Annotated[
        str | None,
        Query(
            max_length=1000, description="A rule: it is read, never run.", examples=["score >= 0.95 and params < 100k"]
        ),
    ] = None,
) -> dict[str, Any]:
    """Names are score, metrics, objectives, params, epochs, form and family."""
    found, _ = await begun(service, caller, name)
    document: dict[str, Any] = await service.quick.call(chores.front_where, service.database.url, found.name, where)
    return document


@router.get("/compare", summary="Two or three finished trials, in words and side by side")
async def compare(
    service: TheService,
    caller: Reader,
    name: str,
    trials: Annotated[
        str, Query(max_length=100, description="Numbers or roles, separated by commas.", examples=["3,7"])
    ],
) -> dict[str, Any]:
    """The document of automl-kd compare."""
    found, _ = await begun(service, caller, name)
    asked = [each.strip() for each in trials.split(",")]
    document: dict[str, Any] = await service.quick.call(chores.compared, service.database.url, found.name, asked)
    return document


@router.post("/reprice", summary="The finished trials on another device, without training")
async def reprice(service: TheService, caller: Submitter, name: str, asked: RepriceRequest) -> dict[str, Any]:
    """The document of automl-kd reprice: which are on the front there, at what price."""
    if reads_like_a_path(asked.hw):
        raise ProblemError(422, f"hw {asked.hw[:120]!r}: name a device of GET /hardware")
    found, _ = await begun(service, caller, name)
    arguments = (service.database.url, found.name, asked.hw, asked.max_latency)
    document: dict[str, Any] = await service.slow.call(chores.repriced, *arguments, seconds=_SECONDS)
    return document
