"""What a search begins with: everything read and checked before anything is stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from automl_kd.core import UserError
from automl_kd.distillation import (
    ExpectedTeacher,
    answers,
    budget_too_short,
    expect_teacher,
    resolve_device,
    teacher_recipe,
    training_was_begun,
)
from automl_kd.execution import EXECUTORS
from automl_kd.hardware import Profile, load_profile
from automl_kd.recipes import Recipe, load_space
from automl_kd.results import Observer, naming, sharing
from automl_kd.storage import Database
from automl_kd.studies.default_space import with_space
from automl_kd.studies.deployed_form import Deployable, deployable
from automl_kd.studies.layer_check import check_decidable
from automl_kd.studies.loss_check import check_custom_losses, check_losses, suited
from automl_kd.studies.objectives import StudyObjectives
from automl_kd.studies.pricing import Pricing
from automl_kd.studies.record import Identified, check_comparable, identity_of, is_settled, refuse_another
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.resolutions import resolvable
from automl_kd.studies.starts import Startable, startable
from automl_kd.studies.state import DeployedForm, settings_of
from automl_kd.studies.survey import Survey, survey
from automl_kd.studies.timing import epoch_seconds
from automl_kd.studies.understanding import Understanding, understand
from automl_kd.tasks import Task, open_task

_BYTES = 4
"""Of a weight."""


@dataclass(frozen=True)
class Preparation(Identified):
    """What a search begins with: what identifies it, and what was found out about that.

    Attributes:
        request: What is asked for, its space settled.
        pricing: Prices on the devices.
        survey: Prices of a random sample of the space.
        teacher: Who teaches, as far as it is there.
        teacher_seconds: What its training is estimated to take, 0 where it is there.
        understood: What was read of task and teacher.
        starting: What students of the space start from.
        deployed: In which form they ship.
    """

    request: SearchRequest
    pricing: Pricing
    survey: Survey
    teacher: ExpectedTeacher
    teacher_seconds: float
    understood: Understanding
    starting: Startable
    deployed: Deployable


def prepare(request: SearchRequest, database: Database, observer: Observer) -> Preparation:
    """Read everything that a search needs and make every check that can refuse it; nothing is stored.

    A dry run and a search call it alike, so that the one accepts what the other does.

    Args:
        request: What is asked for.
        database: Where the study is, or would be begun.
        observer: Told what is being done, how far the reading of the data is, and where the device is ``local`` the
            measuring of this machine.

    Raises:
        UserError: If something does not fit.
    """
    for name in request.from_study:
        database.study(name)
    doing = naming(observer, "prepare")
    EXECUTORS.find(request.executor).check(request.executor_options)
    task = open_task(request.task, request.data, request.metric, progress=sharing(observer, "read"))
    _check_metric(task)
    request, chosen = with_space(request, task, database)
    database.refuse_if_driven(request.name)
    whole_space = load_space(request.space_name, request.pins, allow_code=request.allow_code)
    suiting, left_out = suited(whole_space, request.space_name, task, answers(task, request.teacher))
    sized, too_fine = resolvable(suiting, request.space_name, task)
    found = database.find_study(request.name)
    settled = found if found is not None and is_settled(found) else None
    begun = None if settled is None else settings_of(settled)
    form = None if begun is None else begun.form or DeployedForm()
    profile = load_profile(request.hw, progress=sharing(observer, "calibrate"))
    elsewhere = _elsewhere(request, observer, profile)
    deployed = deployable(
        sized,
        request.space_name,
        task,
        profile,
        form,
        elsewhere=elsewhere.values(),
        allow_code=request.allow_code,
    )
    check_decidable(deployed.space, request.space_name, request.limits.max_latency_ms)
    doing("looking for weights to start from")
    starting = startable(deployed.space, request.space_name, task, None if begun is None else begun.without)
    space = starting.space
    check_energy(request, profile)
    objectives = StudyObjectives(task.metric.objective, request.known)
    identity = identity_of(request, Identified(task, space, profile, elsewhere, objectives))
    if settled is not None:
        refuse_another(settled, identity)
    pricing = Pricing(task, profile, elsewhere, request.allow_code)
    doing("pricing a sample of the space")
    sample = survey(space, pricing, request.limits, request.seed)
    check_custom_losses(space, request)
    teacher = expect_teacher(task, request.teacher)
    check_losses(space, request, task, teacher.teacher)
    if teacher.resolved is not None:
        identity = {**identity, "teacher": teacher.resolved.teacher.sha256}
        if settled is not None:
            refuse_another(settled, identity)
    check_comparable(database, request.earlier, identity)
    understood = understand(task, teacher, resolve_device(request.device))
    told = (*left_out, *too_fine, *deployed.told, *starting.told)
    understood = replace(understood, chosen=chosen, ships=deployed.ships, space=told)
    _check_disk(request, sample)
    if teacher.missing:
        doing("trying the first steps of the teacher's training")
    trainings = _trainings(teacher, task)
    if found is None:  # of one that was begun the clock knows more
        _check_time(request, request.rungs(space, len(task.train))[-1], trainings)
    seconds = sum(each.seconds for each in trainings)
    return Preparation(
        task,
        space,
        profile,
        elsewhere,
        objectives,
        request,
        pricing,
        sample,
        teacher,
        seconds,
        understood,
        starting,
        deployed,
    )


def _check_metric(task: Task) -> None:
    """See to it that the labels define the metric that is searched, which networks of equal outputs show."""
    for words, split in (("search-validation", task.validation), ("test", task.test)):
        outputs = torch.zeros(len(split), task.signature.output.width)
        if math.isnan(task.metric.value(task.metric.statistics(outputs, split.labels.cpu()))):
            others = ", ".join(each.name for each in task.metrics[1:])
            raise UserError(
                f"metric {task.metric.name}: the labels of the {words} split do not define it, as where all are alike;"
                f" search another with --metric: {others}"
            )


def _elsewhere(request: SearchRequest, observer: Observer, here: Profile) -> dict[str, Profile]:
    devices = [each.device for each in request.known if each.device is not None]
    return {name: load_profile(name, sharing(observer, "calibrate"), beside=here) for name in devices}


def check_energy(request: SearchRequest, profile: Profile) -> None:
    """Make sure that a device's profile knows energies where they are to be made small.

    Raises:
        UserError: If it does not.
    """
    refusal = profile.objective_refusal("energy") if any(each.quantity == "energy" for each in request.known) else None
    if refusal is not None:
        raise UserError(f"--objective energy: {refusal}")


def _check_disk(request: SearchRequest, sample: Survey) -> None:
    least = _BYTES * sample.params[0]
    if request.disk is not None and least > request.disk:
        raise UserError(
            f"--max-disk {request.max_disk}: does not hold one student: the weights of the smallest of the sample take"
            f" {least / 1e6:.3g} MB"
        )


def _check_time(request: SearchRequest, epochs: int, teacher: Sequence[_Training]) -> None:
    # A student's epoch costs at most about a teacher's: it hears one.
    trial = teacher[-1].epoch_seconds * epochs if teacher else 0.0
    short = budget_too_short(
        request.seconds + request.extension, 0.0, sum(each.seconds for each in teacher), trial, epochs
    )
    if short is not None:
        raise UserError(short)


@dataclass(frozen=True)
class _Training:
    """A teacher's training that was not begun before."""

    epochs: int
    epoch_seconds: float

    @property
    def seconds(self) -> float:
        return self.epochs * self.epoch_seconds


def _trainings(teacher: ExpectedTeacher, task: Task) -> list[_Training]:
    new = [_with_all_learning(teacher_recipe(spec)) for spec in teacher.missing if not training_was_begun(spec, task)]
    lengths = [(recipe, recipe.train.epochs) for recipe in new]
    return [
        _Training(epochs, epoch_seconds(recipe, task, epochs, allow_code=False, must_learn=True))
        for recipe, epochs in lengths
    ]


def _with_all_learning(recipe: Recipe) -> Recipe:
    """The recipe without the part in which the head alone learns, which takes less time than the rest."""
    part = recipe.train.freeze is not None and recipe.train.freeze < 1
    return recipe.with_(train=recipe.train.model_dump() | {"freeze": None}) if part else recipe
