"""Pages: one trial; two or three side by side; all at another device's prices."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from automl_kd.core import UserError
from automl_kd.service.callers import Reader, Submitter
from automl_kd.service.context import TheService, in_thread
from automl_kd.service.pages import wording
from automl_kd.service.pages.forms import Mistake
from automl_kd.service.pages.page import page
from automl_kd.service.pages.page_route import page_router
from automl_kd.service.pages.search_page import shown_search
from automl_kd.service.places import reads_like_a_path
from automl_kd.service.problems import ProblemError

router = page_router()
_SECONDS = 120.0
_MOST = 1_000_000_000


@router.get("/searches/{name}/trials/{number}")
async def trial(service: TheService, caller: Reader, name: str, number: int) -> Response:
    """How it is made, what became of it, what it costs and why, and where it errs."""
    search = await in_thread(service.visible, name, caller)
    if number > _MOST:
        raise ProblemError(404, f"search {name}: has no trial of that number")
    arguments = (service.database.url, name, number)
    found = await service.slow.call(wording.trial_words, *arguments, seconds=_SECONDS)
    ending = number in search.ended and found["state"] in ("running", "waiting")
    may_end = caller.token.may("run") and search.state == "running" and found["state"] in ("running", "waiting")
    return page("trial.html", caller, name=name, number=number, found=found, ending=ending, may_end=may_end)


@router.get("/searches/{name}/compare")
async def compare(
    service: TheService,
    caller: Reader,
    name: str,
    trial: Annotated[list[str] | None, Query(description="Two or three trials.")] = None,
) -> Response:
    """Two or three finished trials, in words and side by side."""
    await in_thread(service.visible, name, caller)
    try:
        numbers = [_number(each) for each in trial or []]
        if not 2 <= len(numbers) <= 3:
            raise UserError(f"{len(numbers)} trials are marked: mark two or three to compare them")
        found = await service.quick.call(wording.comparison_words, service.database.url, name, numbers)
    except (UserError, ProblemError) as error:
        return await shown_search(service, caller, name, mistake=Mistake.of("compare", error, {}))
    return page("compare.html", caller, name=name, found=found)


@router.get("/searches/{name}/reprice")
async def reprice(
    service: TheService,
    caller: Submitter,
    name: str,
    hw: str = "",
    max_latency: str = "",
) -> Response:
    """What is finished at another device's prices; nothing is trained, and the search stays as it is."""
    await in_thread(service.visible, name, caller)
    try:
        arguments = (service.database.url, name, _device(hw), max_latency.strip() or None)
        found = await service.slow.call(wording.reprice_words, *arguments, seconds=_SECONDS)
    except (UserError, ProblemError) as error:
        typed = {"hw": hw, "max_latency": max_latency}
        return await shown_search(service, caller, name, mistake=Mistake.of("reprice", error, typed))
    return page("reprice.html", caller, name=name, found=found, max_latency=max_latency)


def _device(hw: str) -> str:
    """A device by name; a path names no file of this machine.

    Raises:
        UserError: If there is none of that name.
    """
    if not hw or reads_like_a_path(hw):
        raise UserError(f"device {hw[:60]!r}: choose one by name")
    return hw


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise UserError(f"trial {text[:20]!r}: write a number")
    return int(text)
