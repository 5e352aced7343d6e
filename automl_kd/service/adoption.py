"""Studies of the command line as searches of the service, so that one page shows all that a database holds."""

from __future__ import annotations

from typing import Any

from automl_kd.core import UserError
from automl_kd.storage import Database, SearchQueue, SearchState, StudyRecord
from automl_kd.studies.objectives import KnownObjective
from automl_kd.studies.state import settings_of

OWNER = "command-line"
"""Who owns searches that nobody submitted; only the scope admin sees them."""


def adopt_studies(database: Database, queue: SearchQueue) -> None:
    """Give every study that nobody searches now, and that was not submitted, its search."""
    known = {each.name for each in queue.searches(most=1_000_000)}
    for record in database.studies():
        if record.name in known:
            continue
        try:
            database.refuse_if_driven(record.name)
        except UserError:  # it runs on the command line, and is adopted at the next start
            continue
        state: SearchState = "done" if record.state == "done" else "cancelled"
        queue.adopt(record.name, OWNER, _request(record), record.budget, state)


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
