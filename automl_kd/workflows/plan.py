"""What a search would do, without doing it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from automl_kd.hardware import LatencyError
from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.results import Observer
from automl_kd.storage import Database
from automl_kd.studies.policy import split
from automl_kd.studies.preparation import prepare
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.survey import Survey
from automl_kd.studies.timing import epoch_seconds
from automl_kd.studies.understanding import Understanding


@dataclass(frozen=True)
class SearchPlan:
    """What a search would do (``--dry-run``).

    Attributes:
        study: The study's name.
        objectives: What would be searched for: the score first, then prices.
        architectures: Number of student architectures in the space, infinite where a real number is free.
        recipes: Number of recipes.
        hw: The device's name.
        latency_error: How far off its prices are.
        notes: What they rest on, a sentence each.
        survey: Prices of a random sample.
        understood: What was read of task and teacher.
        teacher_seconds: What training the teacher is estimated to take, 0 where it is there.
        budget: Seconds in all.
        search: Seconds that the search may take.
        rungs: Epochs at which candidates are compared.
        epoch_seconds: Time of an epoch of a typical student of the sample on one worker, without its teacher.
        workers: Trainings at a time.
        trials: Candidates that the search time buys.
    """

    study: str
    objectives: tuple[Objective, ...]
    architectures: float
    recipes: float
    hw: str
    latency_error: LatencyError
    notes: tuple[str, ...]
    survey: Survey
    understood: Understanding
    teacher_seconds: float
    budget: float
    search: float
    rungs: tuple[int, ...]
    epoch_seconds: float
    workers: int
    trials: int

    def document(self) -> dict[str, Any]:
        """The plan as ``search --dry-run --json`` prints it; an infinite size is null."""
        score = self.objectives[0]
        sample = [
            {"student": recipe.document()["student"], **price.stored().model_dump(mode="json")}
            for recipe, price in self.survey.examples
        ]
        return {
            "study": self.study,
            "metric": score.name,
            "direction": score.direction,
            "objectives": [asdict(each) for each in self.objectives],
            "space": {"architectures": _finite(self.architectures), "recipes": _finite(self.recipes)},
            "sampled": self.survey.sampled,
            "feasible": self.survey.feasible,
            "latency_ms": list(self.survey.latency_ms),
            **self.latency_error.document(),
            "notes": list(self.notes),
            "extrapolated": self.survey.extrapolated,
            "params": list(self.survey.params),
            "sample": sample,
            "teacher": self.understood.status,
            "understood": self.understood.document(),
            "rungs": list(self.rungs),
            "workers": self.workers,
            "epoch_seconds": self.epoch_seconds,
            "trials": self.trials,
            "seconds": {
                "budget": self.budget,
                "teacher": self.teacher_seconds,
                "search": self.search,
                "picks": self.budget - self.teacher_seconds - self.search,
            },
        }


def plan_search(request: SearchRequest, observer: Observer) -> SearchPlan:
    """What :func:`search` would do with the same request: nothing is stored, and only a few epochs are timed.

    Raises:
        UserError: As the search itself would.
    """
    prepared = prepare(request, Database(request.storage), observer)
    task, space = prepared.task, prepared.space
    rungs = request.rungs(space, len(task.train))
    epoch = epoch_seconds(_typical(prepared.survey), task, rungs[-1], request.allow_code)
    workers = max(1, request.worker_count())  # who will join is not known
    seconds = split(request.seconds, prepared.teacher_seconds, None).search
    return SearchPlan(
        study=prepared.request.name,
        objectives=prepared.objectives.all,
        architectures=space.size("student"),
        recipes=space.size(),
        hw=prepared.profile.name,
        latency_error=prepared.profile.latency_error(),
        notes=prepared.profile.notes,
        survey=prepared.survey,
        understood=prepared.understood,
        teacher_seconds=prepared.teacher_seconds,
        budget=request.seconds,
        search=seconds,
        rungs=rungs,
        epoch_seconds=epoch,
        workers=workers,
        trials=int(seconds * workers / (epoch * _epochs_per_candidate(rungs, space.halving.reduction))),
    )


def _typical(survey: Survey) -> Recipe:
    """The recipe of a sample whose student computes as much as half of them at most: timing them all takes long."""
    by_work = sorted(survey.examples, key=lambda each: each[1].here.flops)
    recipe, _ = by_work[(len(by_work) - 1) // 2]
    return recipe


def _epochs_per_candidate(rungs: tuple[int, ...], reduction: int) -> float:
    """Epochs that a candidate takes on average when one in ``reduction`` goes on at every rung."""
    before = (0, *rungs[:-1])
    return sum(
        (rung - last) / float(reduction) ** level for level, (last, rung) in enumerate(zip(before, rungs, strict=True))
    )


def _finite(number: float) -> float | None:
    return None if number == float("inf") else number
