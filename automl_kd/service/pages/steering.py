"""What the buttons of a search's page do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from fastapi import Response

from automl_kd.core import UserError, parse_duration
from automl_kd.service import chores
from automl_kd.service.callers import Caller, Submitter
from automl_kd.service.context import Service, TheService, in_thread
from automl_kd.service.pages.forms import Mistake, Sent, go_to
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.pages.search_page import shown_search
from automl_kd.service.problems import ProblemError

router = page_router()
_SECONDS = 900.0


@router.post("/searches/{name}/stop")
async def stop(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Take it out of the queue, or stop it."""
    return await _done(service, caller, name, "stop", form.typed(), lambda: in_thread(service.queue.cancel, name))


@router.post("/searches/{name}/resume")
async def resume(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Go on with what was stopped or failed."""

    async def work() -> Any:
        return await in_thread(partial(service.queue.resume, name, most=service.settings.max_searches))

    return await _done(service, caller, name, "resume", form.typed(), work)


@router.post("/searches/{name}/extend")
async def extend(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Add time to its budget."""

    async def work() -> Any:
        seconds = parse_duration(form.text("by"), "more time")
        return await in_thread(partial(service.queue.extend, name, seconds, most=service.settings.max_searches))

    return await _done(service, caller, name, "extend", form.typed(), work)


@router.post("/searches/{name}/exports")
async def export(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Deliver a student as an archive that can be downloaded."""

    async def work() -> Any:
        pick = form.text("pick") or "knee"
        arguments = (service.database.url, name, pick, service.artifacts(name))
        return await service.slow.call(chores.exported, *arguments, seconds=_SECONDS)

    return await _done(service, caller, name, "export", form.typed(), work, "downloads")


@router.post("/searches/{name}/report")
async def report(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Write the report of the study."""

    async def work() -> Any:
        arguments = (service.database.url, name, service.artifacts(name))
        return await service.slow.call(chores.reported, *arguments, seconds=_SECONDS)

    return await _done(service, caller, name, "report", form.typed(), work, "downloads")


@router.post("/searches/{name}/kit")
async def kit(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Make a folder that measures the picks on their device."""

    async def work() -> Any:
        arguments = (service.database.url, name, service.artifacts(name))
        return await service.slow.call(chores.kit_made, *arguments, seconds=_SECONDS)

    return await _done(service, caller, name, "kit", form.typed(), work, "downloads")


@router.post("/searches/{name}/trials/{number}/end")
async def end(service: TheService, caller: Submitter, name: str, number: int, form: Sent) -> Response:
    """End one trial of a running search."""

    async def work() -> Any:
        return await in_thread(service.queue.end_trial, name, number)

    place = f"/ui/searches/{quote(name, safe='')}/trials/{number}"
    return await _done(service, caller, name, "end", form.typed(), work, address=place)


async def _done(
    service: Service,
    caller: Caller,
    name: str,
    form: str,
    typed: dict[str, str],
    work: Callable[[], Awaitable[Any]],
    place: str = "",
    address: str | None = None,
) -> Response:
    """Does what a form asks for and goes back to the page, or shows the page with what was wrong beside the form."""
    await in_thread(service.visible, name, caller)
    try:
        await work()
    except (UserError, ProblemError) as error:
        return await shown_search(service, caller, name, mistake=Mistake.of(form, error, typed))
    return go_to(address or f"/ui/searches/{quote(name, safe='')}{f'#{place}' if place else ''}")
