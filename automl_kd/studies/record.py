"""What a study is: its identity, which must not change under it, its settings and its progress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from automl_kd.core import UserError
from automl_kd.hardware import Profile
from automl_kd.recipes import Space
from automl_kd.storage import Database, StudyRecord
from automl_kd.studies.clock import Clock
from automl_kd.studies.objectives import StudyObjectives
from automl_kd.studies.options import Options
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.state import (
    ACCURACY,
    LATENCY,
    DeployedForm,
    StudyProgress,
    StudySettings,
    settings_of,
    with_state,
)
from automl_kd.tasks import Task

_WORDS = {
    "data": "data of the task",
    "space": "search space (or its pins)",
    "hardware": "device (or its prices)",
    "limits": "limits",
    "seed": "seed",
    "teacher": "teacher",
    "metric": "metric",
    "objectives": "set of objectives",
    "elsewhere": "second device (or its prices)",
}
_OF_0_1 = {"metric": ACCURACY.name, "objectives": [LATENCY.name], "elsewhere": {}}
"""What version 0.1 did not keep, for there was one only."""

_COMPARABLE = {"data": "other data", "teacher": "another teacher", "metric": "another metric"}


@dataclass(frozen=True)
class Identified:
    """What was read of a request, as far as a study's results depend on it.

    Attributes:
        task: What is learned.
        space: What is searched.
        profile: The device.
        elsewhere: Further devices whose latency is an objective, by name.
        objectives: What is searched for: a score and prices.
    """

    task: Task
    space: Space
    profile: Profile
    elsewhere: Mapping[str, Profile]
    objectives: StudyObjectives


def identity_of(request: SearchRequest, found: Identified) -> dict[str, Any]:
    """What a study's results depend on, the teacher aside, which may still have to be trained."""
    return {
        "data": found.task.sha256,
        "space": found.space.digest(),
        "hardware": found.profile.digest(),
        "limits": request.limits.document(),
        "seed": request.seed,
        "metric": found.objectives.score.name,
        "objectives": [each.objective.name for each in found.objectives.known],
        "elsewhere": {name: each.digest() for name, each in found.elsewhere.items()},
    }


def is_settled(record: StudyRecord) -> bool:
    """Whether a study has its teacher; before, nothing was trained and a mistake in the command can be mended."""
    return "teacher" in record.identity


def refuse_another(record: StudyRecord, identity: Mapping[str, Any]) -> None:
    """Never mix results that cannot be compared.

    Raises:
        UserError: If some part of the identity differs from the record's; parts that the record lacks do not.
    """
    theirs = {**_OF_0_1, **record.identity}
    different = [_WORDS[key] for key, value in identity.items() if theirs.get(key, value) != value]
    if different:
        raise UserError(
            f"study {record.name} was begun with another {' and another '.join(different)}; results would not be"
            " comparable: name a new study with --study"
        )


def check_comparable(database: Database, names: Sequence[str], identity: Mapping[str, Any]) -> None:
    """See to it that scores of earlier studies can be compared with those of the study at hand.

    Args:
        database: Where the earlier studies are.
        names: Theirs.
        identity: Of the study at hand: hashes of its data and teacher, and its metric.

    Raises:
        UserError: If there is no such study, or it was searched with other data or another teacher.
    """
    for name in names:
        theirs = {"metric": ACCURACY.name, **database.study(name).identity}
        for part, words in _COMPARABLE.items():
            if part in theirs and theirs[part] != identity.get(part, theirs[part]):
                raise UserError(f"--from-study {name}: was searched with {words}; scores would not be comparable")


class StudyBook:
    """The record of a study while it is driven; every change is saved, with the time used.

    Args:
        database: Where it is.
        record: As it is stored.
        clock: Time used.
    """

    def __init__(self, database: Database, record: StudyRecord, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.record = record
        self.settings = settings_of(record)
        self.progress = StudyProgress.of(record)

    def note(self, **changes: Any) -> None:
        """Keep how far the study is: fields of :class:`StudyProgress`."""
        self.progress = self.progress.model_copy(update=changes)
        self._save()

    def recognise(self, identity: Mapping[str, Any]) -> None:
        """Keep more of the study's identity.

        Raises:
            UserError: If it is another than the study was begun with.
        """
        refuse_another(self.record, identity)
        self.record = replace(self.record, identity={**self.record.identity, **identity})
        self._save()

    def grow(self, budget: float) -> None:
        """Take a larger budget over within the round under way."""
        self.record = replace(self.record, budget=budget)
        self._clock.budget = budget
        self._save()

    def extend(self, seconds: float) -> None:
        """Add time to the budget, which begins another round."""
        self.record = replace(self.record, budget=self.record.budget + seconds, state="open")
        self._clock.budget = self.record.budget
        self.note(round=self.progress.round + 1)

    def finish(self) -> None:
        """The round came to its end."""
        self.record = replace(self.record, state="done")
        self.cut()

    def cut(self) -> None:
        """What the round has used is kept, so that another one counts from there."""
        seconds = self._clock.seconds()
        self.note(spent={phase: seconds.get(phase, 0.0) for phase in ("search", "picks")})

    def _save(self) -> None:
        self.record = with_state(replace(self.record, seconds=self._clock.seconds()), self.settings, self.progress)
        self._database.save_study(self.record)


def open_record(
    database: Database,
    request: SearchRequest,
    identity: Mapping[str, Any],
    read: Identified,
    without: Options,
    form: DeployedForm,
) -> tuple[StudyRecord, float]:
    """The study that a request is about, begun where it does not exist.

    Args:
        database: Where it is.
        request: The request.
        identity: As :func:`identity_of` gives it.
        read: What was read of the request.
        without: Options of its space that no student can start with.
        form: How its space was made to ship what the device runs.

    Returns:
        The record as stored, and the seconds to add to its budget once its teacher is recognised, too.

    Raises:
        UserError: If the study was begun with other data, another space, device, metric, objective, limits or seed.
    """
    settings = StudySettings(
        task=request.task,
        data=request.data,
        teacher=request.teacher,
        space=request.space_name,
        pins=request.pins,
        hw=request.hw,
        limits=request.limits,
        seed=request.seed,
        device=request.device,
        executor=request.executor,
        objectives=read.objectives.all,
        metrics=tuple(each.objective for each in read.task.metrics),
        without={hole: list(options) for hole, options in without.items()},
        form=form,
    )
    found = database.find_study(request.name)
    extension = 0.0
    if found is None:
        fresh = StudyRecord(request.name, identity, {}, request.seconds + request.extension)
        record = with_state(fresh, settings, StudyProgress())
    elif not is_settled(found):
        budget = max(found.budget, request.seconds + request.extension)
        record = with_state(replace(found, identity=identity, budget=budget), settings, StudyProgress.of(found))
    else:
        refuse_another(found, identity)
        extension = request.extension
        kept, progress = settings_of(found), StudyProgress.of(found)
        budget = max(found.budget, request.seconds)
        more = budget > found.budget
        record = with_state(
            replace(found, budget=budget, state="open" if more else found.state),
            kept.model_copy(update={"executor": request.executor, "metrics": settings.metrics}),
            progress.model_copy(update={"round": progress.round + more}),
        )
    database.save_study(record)
    return record, extension
