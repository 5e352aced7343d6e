"""Studies of the command line as searches of the service, so that one page shows all that a database holds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from automl_kd.core import UserError
from automl_kd.service import chores
from automl_kd.service.context import Service, in_thread
from automl_kd.service.problems import ProblemError
from automl_kd.storage import Database, SearchQueue, SearchState, StudyRecord
from automl_kd.studies.objectives import KnownObjective
from automl_kd.studies.state import settings_of

OWNER = "command-line"
"""Who owns searches that nobody submitted; only the scope admin sees them."""
_MOST = 1_000_000
_GOING_ON = ("queued", "running")


def adopt_studies(database: Database, queue: SearchQueue) -> None:
    """Give every study that nobody searches now, and that was not submitted, its search."""
    known = {each.name for each in queue.searches(most=_MOST)}
    for record in database.studies():
        if record.name in known:
            continue
        try:
            database.refuse_if_driven(record.name)
        except UserError:  # it runs on the command line, and is adopted at the next start
            continue
        state: SearchState = "done" if record.state == "done" else "cancelled"
        queue.adopt(record.name, OWNER, _request(record), record.budget, state)


async def tell_of_adopted(service: Service) -> None:
    """Tell as events how adopted studies stand, their best scores among it: each once, again after it went on."""
    with suppress(UserError):  # the database is away; the next start tells
        for name in await in_thread(_untold, service):
            with suppress(UserError, ProblemError):  # one that cannot be read goes without a score
                told = await service.slow.call(chores.standing_of, service.database.url, name)
                for kind, document in told.items():
                    await in_thread(service.events.add, name, kind, document)


def _untold(service: Service) -> list[str]:
    """Adopted searches whose last progress says another time than their studies have used."""
    adopted = {each.name for each in service.queue.searches(OWNER, most=_MOST) if each.state not in _GOING_ON}
    told = service.events.latest_of(adopted, "progress")
    used = {each.name: sum(each.seconds.values()) for each in service.database.studies() if each.name in adopted}
    return [name for name, spent in used.items() if name not in told or abs(told[name].document["spent"] - spent) > 0.1]


def _request(record: StudyRecord) -> dict[str, Any]:
    """What a study was asked for, as far as it is kept; what is not has its default."""
    settings = settings_of(record)
    known = settings.model_dump(
        mode="json", include={"task", "data", "teacher", "space", "pins", "hw", "seed", "device"}, exclude_defaults=True
    )
    limits = {
        "max_latency": settings.limits.max_latency_ms,
        "max_params": settings.limits.max_params,
        "max_memory": settings.limits.max_memory_bytes,
    }
    given = {name: value for name, value in limits.items() if value is not None}
    objectives = [_word(each.name) for each in settings.objectives[1:]]
    return {
        **known,
        **given,
        "hw": settings.hw,
        "budget": record.budget,
        "metric": settings.objectives[0].name,
        "objectives": objectives,
    }


def _word(objective: str) -> str:
    """An objective as a request names it: ``latency_ms@nano`` is ``latency@nano`` there."""
    known = KnownObjective.of_name(objective)
    return known.quantity if known.device is None else f"{known.quantity}@{known.device}"
