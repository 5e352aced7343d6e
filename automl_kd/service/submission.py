"""From a request over the network to a search in the queue."""

from __future__ import annotations

import itertools
from typing import Any

from automl_kd.service import chores
from automl_kd.service.callers import Caller
from automl_kd.service.context import Service, in_thread
from automl_kd.storage import NameTakenError, SubmittedSearch

PRIORITIES = range(10)
_ADMISSION_SECONDS = 60.0
_PLAN_SECONDS = 300.0


async def admitted(service: Service, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
    """A search, checked: its ``options`` with whole paths of files, ``name``, ``named`` and ``seconds``.

    The service itself makes no request of them, which would load torch.

    Raises:
        UserError: If something is wrong with them.
    """
    places = await in_thread(service.places, caller)
    found: dict[str, Any] = await service.quick.call(chores.admitted, document, places, seconds=_ADMISSION_SECONDS)
    return found


async def planned(service: Service, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
    """What a search would do: the answer of a dry run.

    Raises:
        UserError: As the search itself would.
    """
    search = await admitted(service, caller, document)
    asked = {**search["options"], **({"study": search["name"]} if search["named"] else {})}
    plan: dict[str, Any] = await service.slow.call(chores.planned, asked, service.database.url, seconds=_PLAN_SECONDS)
    return plan


async def submitted(service: Service, caller: Caller, document: dict[str, Any], priority: int) -> SubmittedSearch:
    """Put a search into the queue; without a name of its own it gets the first that is free.

    Raises:
        UserError: If something is wrong with it, its name is taken, or its owner has too many searches.
    """
    search = await admitted(service, caller, document)
    for number in itertools.count(1):
        name = search["name"] if number == 1 else f"{search['name']}-{number}"
        try:
            return await in_thread(_submit, service, caller, name, search["options"], search["seconds"], priority)
        except NameTakenError:
            if search["named"]:
                raise
    raise AssertionError("numbers do not end")


def _submit(
    service: Service, caller: Caller, name: str, kept: dict[str, Any], seconds: float, priority: int
) -> SubmittedSearch:
    if service.database.find_study(name) is not None and service.queue.find(name) is None:
        raise NameTakenError(f"search {name}: a study of that name was begun on the command line; choose another name")
    most = service.settings.max_searches
    return service.queue.submit(name, caller.token.owner, kept, seconds, priority=priority, most=most)
