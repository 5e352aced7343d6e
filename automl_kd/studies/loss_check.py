"""Whether the losses of a space can be computed, found out before a trial is spent on it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from automl_kd.core import UserError
from automl_kd.distillation import LOSS_SPECS, custom_loss_spec, wire
from automl_kd.recipes import Recipe, Space
from automl_kd.studies.request import SearchRequest
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher

_SAMPLES = 64


def suited(space: Space, name: str, task: Task) -> tuple[Space, tuple[str, ...]]:
    """The space without the losses that do not suit the task, where they may be left out, and a line that says so.

    Otherwise a search would draw recipes that are refused, and spend its time on those that happen to do without.

    Args:
        space: The space.
        name: What the user calls it.
        task: What is learned.
    """
    unsuited = [each for each in LOSS_SPECS if each in space.losses and not LOSS_SPECS[each].suits(task.signature)]
    left = space.without_losses(unsuited)
    gone = [each for each in unsuited if each not in left.losses]
    if not gone:
        return left, ()
    outputs = f"{task.modality.noun}s with {task.problem.meaning} outputs"
    return left, (f"space {name} goes without {', '.join(gone)}: not for {outputs}",)


def check_custom_losses(space: Space, request: SearchRequest) -> None:
    """Load the custom losses of a space once.

    Raises:
        UserError: If one cannot be loaded, or was not allowed.
    """
    samples = _samples(space, request)
    custom = {name: part for recipe in samples for name, part in (recipe.distill.losses.custom or {}).items()}
    for name, part in custom.items():
        custom_loss_spec(name, part, request.allow_code)


def check_losses(space: Space, request: SearchRequest, task: Task, teacher: Teacher) -> None:
    """Refuse a space that a task and a teacher cannot serve.

    Args:
        space: The space.
        request: What is asked for.
        task: What is learned.
        teacher: Who teaches; random weights will do.

    Raises:
        UserError: If it uses losses that need more than logits, and the teacher gives no more; or if no recipe of a
            sample can be computed.
    """
    samples = _samples(space, request)
    if not teacher.stage_names():
        _refuse_maps(samples, request.space_name)
    reasons: Counter[str] = Counter()
    for recipe in samples:
        try:
            wire(recipe, task, teacher, allow_code=request.allow_code)
        except UserError as error:
            reasons[str(error)] += 1
        else:
            return
    ((reason, _),) = reasons.most_common(1)
    raise UserError(f"space {request.space}: none of {len(samples)} sampled recipes fits task and teacher: {reason}")


def _refuse_maps(samples: Sequence[Recipe], space: str) -> None:
    used = {name for recipe in samples for name in recipe.distill.losses.needing_teacher()}
    unserved = sorted(name for name in used if name in LOSS_SPECS and LOSS_SPECS[name].inputs.beyond_logits)
    if unserved:
        pins = " ".join(f"--set distill.losses.{name}=null" for name in unserved)
        raise UserError(
            f"the teacher gives logits only, but space {space} also uses {', '.join(unserved)}; leave them out: {pins}"
        )


def _samples(space: Space, request: SearchRequest) -> list[Recipe]:
    rng = random.Random(request.seed)
    return [space.sample(rng) for _ in range(_SAMPLES)]
