"""Searches: submitted, listed, steered."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from automl_kd.core import parse_duration
from automl_kd.service.callers import Caller, Reader, Submitter
from automl_kd.service.context import Service, TheService, in_thread
from automl_kd.service.problems import PROBLEMS, ProblemError
from automl_kd.service.submission import PRIORITIES, planned, submitted
from automl_kd.service.views import Extension, SearchList, SearchView, view_of
from automl_kd.storage import SubmittedSearch
from automl_kd.studies.request import SearchRequest

router = APIRouter(prefix="/searches", tags=["searches"], responses=PROBLEMS)

_EXAMPLES = {
    "minutes": {
        "summary": "Three minutes for this machine",
        "value": {"task": "cluttered-digits", "space": "tiny_resnet", "hw": "local", "budget": "3m"},
    },
    "limits": {
        "summary": "Two hours for a board, under a limit",
        "value": {"hw": "jetson-nano", "budget": "2h", "max_latency": "4ms", "metric": "macro_f1"},
    },
    "sent": {
        "summary": "A task that was sent before, by POST /uploads",
        "value": {"task": f"upload:{'0' * 64}/my.yaml", "hw": "raspberry-pi-4", "budget": "1h"},
    },
}
Asked = Annotated[
    dict[str, Any],
    Body(description="The options of automl-kd search: see GET /schema.", openapi_examples=_EXAMPLES),
]
Priority = Annotated[int, Query(ge=PRIORITIES.start, le=PRIORITIES.stop - 1, description="The larger, the earlier.")]


@router.post(
    "",
    status_code=201,
    response_model=SearchView,
    summary="Submit a search",
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": SearchRequest.model_json_schema()}}}},
)
async def submit(service: TheService, caller: Submitter, asked: Asked, priority: Priority = 5) -> SearchView:
    """Checks it and puts it into the queue. Nothing of it runs code, and files are named as the operator allows."""
    return await shown(service, await submitted(service, caller, asked, priority))


@router.post("/plan", summary="What a search would do, without doing it")
async def plan(service: TheService, caller: Submitter, asked: Asked) -> dict[str, Any]:
    """The answer of automl-kd search --dry-run: candidates that the budget buys, prices of a sample, what is odd."""
    return await planned(service, caller, asked)


@router.get("", response_model=SearchList, summary="All searches, newest first")
async def searches(service: TheService, caller: Reader) -> SearchList:
    """Those of the token's owner; of every owner for the scope admin."""
    found = await in_thread(service.queue.searches, caller.sees)
    positions = await in_thread(service.queue.positions)
    latest = await in_thread(service.events.latest_of, [each.name for each in found], "progress")
    return SearchList(searches=[view_of(each, positions.get(each.name), latest.get(each.name)) for each in found])


@router.get("/{name}", response_model=SearchView, summary="A search, and how it stands")
async def search(service: TheService, caller: Reader, name: str) -> SearchView:
    """The same as in the list."""
    return await shown(service, await in_thread(service.visible, name, caller))


@router.get(
    "/{name}/events",
    summary="What happens to a search, as it happens",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    service: TheService,
    caller: Reader,
    request: Request,
    name: str,
    last_event_id: Annotated[str | None, Header(description="Number of the last event that was received.")] = None,
    after: Annotated[int, Query(ge=0, description="The same, for those who cannot send headers.")] = 0,
) -> EventSourceResponse:
    """Server-sent events ``state``, ``progress``, ``front`` and ``note``, numbered without a gap from 1."""
    found = await in_thread(service.visible, name, caller)
    number = after
    if last_event_id:
        if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 9:
            raise ProblemError(422, f"Last-Event-ID {last_event_id[:20]!r}: write the number of an event")
        number = int(last_event_id)
    return EventSourceResponse(_told(service, caller, found, number), ping=15)


async def _told(
    service: Service, caller: Caller, search: SubmittedSearch, number: int
) -> AsyncIterator[ServerSentEvent]:
    async def may() -> bool:
        return await in_thread(service.tokens.lets_in, caller.token.name)

    async for event in service.hub.listen(search.name, number, may):
        document = {**event.document, "time": event.time}
        yield ServerSentEvent(json.dumps(document, ensure_ascii=False), id=str(event.number), event=event.kind)


@router.post("/{name}/cancel", response_model=SearchView, summary="Take it out of the queue, or stop it")
async def cancel(service: TheService, caller: Submitter, name: str) -> SearchView:
    """Nothing that it finished is lost; it can be resumed."""
    await in_thread(service.visible, name, caller)
    return await shown(service, await in_thread(service.queue.cancel, name))


@router.post("/{name}/resume", response_model=SearchView, summary="Go on with what was cancelled or failed")
async def resume(service: TheService, caller: Submitter, name: str) -> SearchView:
    """It waits in the queue and goes on where it stopped."""
    await in_thread(service.visible, name, caller)
    return await shown(service, await in_thread(lambda: service.queue.resume(name, most=service.settings.max_searches)))


@router.post("/{name}/extend", response_model=SearchView, summary="Add time to its budget")
async def extend(service: TheService, caller: Submitter, name: str, asked: Extension) -> SearchView:
    """A running search counts with it at once; one that is done goes into the queue again."""
    seconds = parse_duration(asked.by, "by")
    await in_thread(service.visible, name, caller)
    most = service.settings.max_searches
    return await shown(service, await in_thread(lambda: service.queue.extend(name, seconds, most=most)))


async def shown(service: Service, search: SubmittedSearch) -> SearchView:
    """A search as the service shows it."""
    positions = await in_thread(service.queue.positions)
    latest = await in_thread(service.events.latest, search.name, "progress")
    return view_of(search, positions.get(search.name), latest)
