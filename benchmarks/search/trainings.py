"""Searches of ``tiny_cnn`` on digits that end after so many trainings, whatever else the machine does meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import optuna
import torch

from automl_kd.distillation import Diverged, TeacherOutputPolicy, distill, evaluate, find_teacher
from automl_kd.execution import Trained
from automl_kd.hardware import load_profile
from automl_kd.recipes import Recipe, Space, load_space
from automl_kd.storage import Database
from automl_kd.studies.admission import Admission
from automl_kd.studies.objectives import StudyObjectives, parse_objectives
from automl_kd.studies.pricing import Limits, Priced, Pricing
from automl_kd.studies.proposer import Proposer
from automl_kd.studies.sampling import sampler_for
from automl_kd.studies.state import ACCURACY as SCORE
from automl_kd.studies.survey import survey
from automl_kd.studies.trials import TrialStore
from automl_kd.tasks import Task, open_task
from automl_kd.teachers import Teacher
from benchmarks.search.arms import HW, TASK

PINS = (
    "search_epochs=6",
    "student.family=resnet",
    "student.stem.stride=2",
    "student.width={choice: [0.25, 0.375, 0.5]}",
    "train.batch_size=128",
)
"""What is not searched, so that a training takes a second or two."""
ACCURACY = 0.5
"""Reference, below what students of six epochs reach; that of latency is the slowest of 64 random students."""

OBJECTIVES = StudyObjectives(SCORE, parse_objectives(("latency",), HW))
"""Accuracy, and latency on the device that is searched for."""

Point = tuple[float, float, float]
"""Accuracy on search-validation and on the test split, latency in ms."""


def space(pins: Iterable[str] = ()) -> Space:
    """The space, with more of it pinned."""
    return load_space("tiny_cnn", (*PINS, *pins))


@cache
def pricing(hw: str) -> Pricing:
    """Prices on a device."""
    return Pricing(open_task(TASK), load_profile(hw))


@cache
def slowest(hw: str) -> float:
    """The reference in ms."""
    return survey(space(), pricing(hw), Limits(), 0).latency_ms[-1]


def open_store(folder: Path, study: str) -> TrialStore:
    """A study in a folder's database, without rungs."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return TrialStore(Database(str(folder / "study.db")).optuna(), study, (space().search_epochs,), OBJECTIVES)


def train(store: TrialStore, sampler: str, pins: Iterable[str], hw: str, seed: int, count: int) -> list[Point]:
    """What so many trainings came to, in their order; one that ended early stands with accuracies of 0.

    Args:
        store: The study to go on with.
        sampler: As ``--sampler`` takes it.
        pins: More of the space that is pinned.
        hw: The device.
        seed: Of the sampler and of the students' weights.
        count: How many trainings.
    """
    torch.set_num_threads(1)
    searched, (task, teacher), points = space(pins), _classroom(), []
    draws = seed + store.count_all()  # as the product has it
    known = store.objectives.known
    admission = Admission(searched, pricing(hw), Limits(), _affordable)
    asked = sampler_for(sampler, admission, known, draws)
    targets = TeacherOutputPolicy(task, teacher, device="cpu", threads=1, runs=count, allow_code=False)
    fixed = {"seed": seed}
    proposer = Proposer(store, asked, admission, fixed, targets.decided)
    while len(points) < count and (candidate := proposer.next()) is not None:
        try:
            outcome = distill(candidate.recipe, task, teacher, device="cpu", total_epochs=searched.search_epochs)
        except Diverged as error:
            store.fail(candidate, error.reason)
            points.append((0.0, 0.0, candidate.price.latency_ms))
            continue
        trained = Trained(outcome.score, 0.0, outcome.values, outcome.epoch, outcome.seconds, None)
        store.arrive(candidate, 0, trained)
        test = evaluate(outcome.student, task, task.test, "cpu").score
        points.append((outcome.score, test, candidate.price.latency_ms))
    return points


def _affordable(recipe: Recipe, price: Priced) -> bool:
    """There is no budget: every training is."""
    return True


@cache
def _classroom() -> tuple[Task, Teacher]:
    task = open_task(TASK)
    return task, find_teacher(task, None, device="cpu").teacher
