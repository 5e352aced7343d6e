"""What a recipe's losses need of task, teacher and augmentations, checked one by one; each mistake is one line."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from automl_kd.core import Meaning, UserError
from automl_kd.distillation.fusion import TAKES
from automl_kd.distillation.losses import LOSS_SPECS, LossSpec
from automl_kd.distillation.losses.spec import Meanings
from automl_kd.recipes import Loss, Recipe
from automl_kd.recipes.losses import CustomLoss
from automl_kd.recipes.schedules import EntropyTemperature, LearnedTemperature
from automl_kd.students import HEAD, Plan
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher

_MOST_NAMED = 3
_SPOKEN: Mapping[Meaning, str] = MappingProxyType(
    {
        "categorical": "logits of classes (categorical)",
        "bernoulli": "logits of labels (bernoulli)",
        "real": "values (real)",
    }
)


def check_teacher(recipe: Recipe, task: Task, teacher: Teacher | None) -> None:
    """Refuse a teacher that is missing, or whose inputs or outputs are not the task's."""
    if teacher is None:
        name = recipe.distill.losses.needing_teacher()[0]
        raise UserError(f"distill.losses.{name} needs a teacher and there is none: give one, or leave it out")
    ours, theirs = task.signature, teacher.signature
    if teacher.headless:
        if recipe.distill.curriculum is not None:
            raise _unanswered("distill.curriculum")
    elif theirs.output.meaning != ours.output.meaning:
        raise UserError(
            f"the teacher answers {_SPOKEN[theirs.output.meaning]} and task {task.name} has"
            f" {_SPOKEN[ours.output.meaning]}: they should be the same"
        )
    elif theirs.output.width != ours.output.width:
        raise UserError(
            f"the teacher has {theirs.output.width} outputs and task {task.name} has {ours.output.width}: they should"
            " be equal"
        )
    if (theirs.input.shape, theirs.input.dtype) != (ours.input.shape, ours.input.dtype):
        raise UserError(
            f"the teacher takes {theirs.input.shape} of {theirs.input.dtype} and task {task.name} has"
            f" {task.modality.noun}s {ours.input.shape} of {ours.input.dtype} ({', '.join(ours.input.axes)}): they"
            " should be equal"
        )


def _unanswered(field: str) -> UserError:
    """The error for a part of a recipe that reads outputs of a teacher that has none."""
    return UserError(
        f"{field} reads what the teacher answers, and this one shows features alone (use: features): leave it out, with"
        " losses of features or relations such as hint beside it, or give the teacher answers with fine_tune: {}"
    )


def check_stages(recipe: Recipe, plan: Plan) -> None:
    """Refuse to treat the stages of a student differently that has none."""
    name, _ = plan.stages[-1]
    train = recipe.train
    # A factor of 1 asks for nothing: it is an option of a space like others.
    decays = train.layer_decay is not None and train.layer_decay < 1
    asked = "freeze" if train.freeze else "layer_decay" if decays else None
    if asked is not None and name != HEAD:
        raise UserError(
            f"train.{asked}: a student of family {recipe.student.family} has no stages and no head that are known here:"
            " leave it out"
        )


def check_fusion(recipe: Recipe, task: Task) -> None:
    """Refuse a fusion of several teachers that does not take the task's outputs."""
    fuse, meaning = recipe.distill.fuse, task.problem.meaning
    if fuse is not None and meaning not in TAKES[fuse]:
        fitting = [name for name, takes in TAKES.items() if meaning in takes]
        raise UserError(
            f"distill.fuse: {fuse} takes {_spoken(TAKES[fuse])} and task {task.name} has {_SPOKEN[meaning]}:"
            f" use {' or '.join(fitting)}"
        )


def check_loss(name: str, part: Loss, spec: LossSpec, recipe: Recipe, task: Task, teacher: Teacher | None) -> None:
    """Refuse a loss that the task's outputs, its inputs, the augmentations or the teacher do not suit.

    Args:
        name: Of the loss in the recipe.
        part: Its part of the recipe.
        spec: Its spec.
        recipe: The recipe.
        task: What is learned.
        teacher: The teacher, None where no loss needs one.
    """
    noun, meaning = task.modality.noun, task.problem.meaning
    if teacher is not None and teacher.headless and spec.reads_answers:
        raise _unanswered(f"distill.losses.{name}")
    if meaning not in spec.meanings:
        raise UserError(
            f"distill.losses.{name} takes {_spoken(spec.meanings)} and task {task.name} has {_SPOKEN[meaning]}:"
            f" {_instead(part, spec, meaning)}"
        )
    adapted = getattr(part, "temperature", None)
    if meaning == "real" and isinstance(adapted, EntropyTemperature | LearnedTemperature):
        raise UserError(
            f"distill.losses.{name}.temperature: {adapted.adaptive} needs probabilities and task {task.name} has"
            f" {_SPOKEN[meaning]}: give a number, which changes nothing there, or leave it out"
        )
    mixing = [each for each in recipe.train.augment if task.modality.augmentations[each]]
    if mixing and spec.unmixed(part):
        raise UserError(
            f"distill.losses.{name} needs {noun}s that are not mixed, and train.augment has {mixing[0]}:"
            " leave one of them out"
        )
    if spec.inputs.reads_gradients:
        _check_gradients(name, recipe, task, teacher)


def check_unlabelled(recipe: Recipe, specs: Mapping[str, LossSpec]) -> None:
    """Refuse a share of unlabelled examples that no loss uses, custom ones included, which recipes know nothing of."""
    weighted = [(name, part) for name, part in recipe.distill.losses.active() if not part.inactive]
    if recipe.train.unlabelled is not None and all(specs[name].reads_labels(part) for name, part in weighted):
        names = ", ".join(name for name, _ in weighted)
        raise UserError(
            f"train.unlabelled: takes examples without labels, and every loss takes labels ({names}): leave one of them"
            " out, or add a loss that compares with the teacher, such as kd"
        )


def _check_gradients(name: str, recipe: Recipe, task: Task, teacher: Teacher | None) -> None:
    given = task.signature.input
    if given.ids is not None:
        raise UserError(
            f"distill.losses.{name} needs gradients by the input, and a {task.modality.noun} is made of ids, which have"
            " none: leave it out"
        )
    if task.at(recipe.student).signature.input.shape != given.shape:
        raise UserError(
            f"distill.losses.{name} compares gradients by the input, which the teacher has at {given.shape[1]} x"
            f" {given.shape[2]}: leave it out, or student.resolution"
        )
    if recipe.distill.targets not in (None, "live"):
        raise UserError(f"distill.losses.{name} needs the teacher's gradients, which are not cached: use live")
    assert teacher is not None
    try:
        teacher.input_gradients(given.zeros(2).to(teacher.device))
    except UserError as error:
        raise UserError(f"distill.losses.{name}: {error}") from None


def _instead(part: Loss, spec: LossSpec, meaning: Meaning) -> str:
    """What to do about a loss that does not take outputs of a meaning."""
    if isinstance(part, CustomLoss):
        return f'leave it out, or where it may take them say so, @loss("{spec.inputs.name}", takes=["{meaning}", …])'
    fitting = [
        name
        for name, other in LOSS_SPECS.items()
        if other.kind == spec.kind and other.needs_teacher == spec.needs_teacher and meaning in other.meanings
    ]
    return f"leave it out, or use {' or '.join(fitting[:_MOST_NAMED])}" if fitting else "leave it out"


def _spoken(meanings: Meanings) -> str:
    return " or ".join(words for meaning, words in _SPOKEN.items() if meaning in meanings)
