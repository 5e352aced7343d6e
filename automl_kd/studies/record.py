"""What a study is: its identity, which must not change under it, its settings and its budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from automl_kd.core import UserError
from automl_kd.hardware import Profile
from automl_kd.recipes import Space
from automl_kd.storage import Database, StudyRecord
from automl_kd.studies.request import SearchRequest
from automl_kd.tasks import Task

_WORDS = {
    "data": "data of the task",
    "space": "search space (or its pins)",
    "hardware": "device (or its prices)",
    "limits": "limits",
    "seed": "seed",
    "teacher": "teacher",
}


def identity_of(request: SearchRequest, task: Task, space: Space, profile: Profile) -> dict[str, Any]:
    """What a study's results depend on, the teacher aside, which may still have to be trained."""
    return {
        "data": task.sha256,
        "space": space.digest(),
        "hardware": profile.digest(),
        "limits": request.limits.document(),
        "seed": request.seed,
    }


def is_settled(record: StudyRecord) -> bool:
    """Whether a study has its teacher; before, nothing was trained and a mistake in the command can be mended."""
    return "teacher" in record.identity


def open_record(database: Database, request: SearchRequest, identity: Mapping[str, Any]) -> tuple[StudyRecord, float]:
    """The study that a request is about, begun where it does not exist.

    Args:
        database: Where it is.
        request: The request.
        identity: As :func:`identity_of` gives it.

    Returns:
        The record as stored, and the seconds to add to its budget once its teacher is recognised, too.

    Raises:
        UserError: If the study was begun with other data, another space, device, limits or seed.
    """
    settings = {
        "task": request.task,
        "data": request.data,
        "teacher": request.teacher,
        "space": request.space,
        "pins": list(request.pins),
        "hw": request.hw,
        "limits": request.limits.document(),
        "seed": request.seed,
        "device": request.device,
    }
    found = database.find_study(request.name)
    extension = 0.0
    if found is None:
        record = StudyRecord(request.name, identity, settings, request.seconds + request.extension)
    elif not is_settled(found):
        budget = max(found.budget, request.seconds + request.extension)
        record = replace(found, identity=identity, budget=budget, settings={**found.settings, **settings})
    else:
        refuse_another(found, identity)
        extension = request.extension
        budget = max(found.budget, request.seconds)
        record = replace(found, budget=budget, state=found.state if budget == found.budget else "open")
    database.save_study(record)
    return record, extension


def refuse_another(record: StudyRecord, identity: Mapping[str, Any]) -> None:
    """Never mix results that cannot be compared.

    Raises:
        UserError: If some part of the identity differs from the record's; parts that the record lacks do not.
    """
    different = [_WORDS[key] for key, value in identity.items() if record.identity.get(key, value) != value]
    if different:
        raise UserError(
            f"study {record.name} was begun with another {' and another '.join(different)}; results would not be"
            " comparable: name a new study with --study"
        )
