"""From a request over the network to a search in the queue."""

from __future__ import annotations

import itertools
from typing import Any

from automl_kd.service import chores
from automl_kd.service.callers import Caller
from automl_kd.service.context import Service, in_thread
from automl_kd.storage import NameTakenError, SubmittedSearch
from automl_kd.studies.request import SearchRequest

PRIORITIES = range(10)
_ADMISSION_SECONDS = 60.0
_PLAN_SECONDS = 300.0


async def admitted(service: Service, caller: Caller, document: dict[str, Any]) -> SearchRequest:
    """A search's options, checked, with whole paths of files.

    Raises:
        UserError: If something is wrong with them.
    """
    places = await in_thread(service.places, caller)
    kept = await service.quick.call(chores.admitted, document, places, seconds=_ADMISSION_SECONDS)
    return SearchRequest(**kept)


async def planned(service: Service, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
    """What a search would do: the answer of a dry run.

    Raises:
        UserError: As the search itself would.
    """
    request = await admitted(service, caller, document)
    asked = request.model_dump(mode="json", exclude={"storage"})
    plan: dict[str, Any] = await service.slow.call(chores.planned, asked, service.database.url, seconds=_PLAN_SECONDS)
    return plan


async def submitted(service: Service, caller: Caller, document: dict[str, Any], priority: int) -> SubmittedSearch:
    """Put a search into the queue; without a name of its own it gets the first that is free.

    Raises:
        UserError: If something is wrong with it, its name is taken, or its owner has too many searches.
    """
    request = await admitted(service, caller, document)
    kept = request.model_dump(mode="json", exclude={"storage", "study", "extend"}, exclude_defaults=True)
    kept |= {"hw": request.hw, "budget": request.budget}
    for number in itertools.count(1):
        name = request.name if number == 1 else f"{request.name}-{number}"
        try:
            return await in_thread(_submit, service, caller, name, kept, request.seconds, priority)
        except NameTakenError:
            if request.study is not None:
                raise
    raise AssertionError("numbers do not end")


def _submit(
    service: Service, caller: Caller, name: str, kept: dict[str, Any], seconds: float, priority: int
) -> SubmittedSearch:
    if service.database.find_study(name) is not None and service.queue.find(name) is None:
        raise NameTakenError(f"search {name}: a study of that name was begun on the command line; choose another name")
    most = service.settings.max_searches
    return service.queue.submit(name, caller.token.owner, kept, seconds, priority=priority, most=most)
