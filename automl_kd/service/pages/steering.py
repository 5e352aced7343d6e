"""What the buttons of a search's page do: what the API's routes do, and back to the page."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response

from automl_kd.core import UserError
from automl_kd.service.bounds import DOCUMENT_BYTES, too_large
from automl_kd.service.callers import Caller, Submitter
from automl_kd.service.context import Service, TheService
from automl_kd.service.pages.file_forms import FileForm
from automl_kd.service.pages.forms import Mistake, Sent, go_to
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.pages.search_page import shown_search
from automl_kd.service.problems import ProblemError
from automl_kd.service.routes import results, searches, trials
from automl_kd.service.views import ExportRequest, Extension

router = page_router()


@router.post("/searches/{name}/stop")
async def stop(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Take it out of the queue, or stop it."""
    return await _done(service, caller, name, "stop", form.typed(), searches.cancel(service, caller, name))


@router.post("/searches/{name}/resume")
async def resume(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Go on with what was stopped or failed."""
    return await _done(service, caller, name, "resume", form.typed(), searches.resume(service, caller, name))


@router.post("/searches/{name}/extend")
async def extend(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Add time to its budget."""
    work = searches.extend(service, caller, name, Extension(by=form.text("by")))
    return await _done(service, caller, name, "extend", form.typed(), work)


@router.post("/searches/{name}/exports")
async def export(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Deliver a student as an archive that can be downloaded."""
    work = results.export(service, caller, name, ExportRequest(pick=form.text("pick") or "knee"))
    return await _done(service, caller, name, "export", form.typed(), work, "downloads")


@router.post("/searches/{name}/report")
async def report(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Write the report of the study."""
    work = results.report(service, caller, name)
    return await _done(service, caller, name, "report", form.typed(), work, "downloads")


@router.post("/searches/{name}/kit")
async def kit(service: TheService, caller: Submitter, name: str, form: Sent) -> Response:
    """Make a folder that measures the picks on their device."""
    return await _done(service, caller, name, "kit", form.typed(), results.kit(service, caller, name), "downloads")


@router.post("/searches/{name}/measurements")
async def measurements(service: TheService, caller: Submitter, name: str, request: Request) -> Response:
    """Put what the device measured beside the predictions."""
    form = await FileForm.read(request)
    return await _done(service, caller, name, "measurements", {}, _measured(service, caller, name, form), "measured")


async def _measured(service: Service, caller: Caller, name: str, form: FileForm) -> Any:
    lines = b""
    async for part in form.content():
        lines += part
        if len(lines) > DOCUMENT_BYTES:
            await form.hear_out()
            raise ProblemError(413, too_large(DOCUMENT_BYTES))
    if not form.name:
        raise UserError("results.jsonl: choose the file that measure.py wrote on the device")
    return await results.measurements(service, caller, name, lines)


@router.post("/searches/{name}/trials/{number}/end")
async def end(service: TheService, caller: Submitter, name: str, number: int, form: Sent) -> Response:
    """End one trial of a running search."""
    place = f"/ui/searches/{quote(name, safe='')}/trials/{number}"
    work = trials.end(service, caller, name, number)
    return await _done(service, caller, name, "end", form.typed(), work, address=place)


async def _done(
    service: Service,
    caller: Caller,
    name: str,
    form: str,
    typed: dict[str, str],
    work: Awaitable[Any],
    place: str = "",
    address: str | None = None,
) -> Response:
    """Waits for what a form asks for and goes back to the page, or shows the page with what was wrong by the form."""
    try:
        await work
    except (UserError, ProblemError) as error:
        return await shown_search(service, caller, name, mistake=Mistake.of(form, error, typed))
    return go_to(address or f"/ui/searches/{quote(name, safe='')}{f'#{place}' if place else ''}")
