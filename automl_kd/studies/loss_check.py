"""Whether the losses of a space can be computed, found out before a trial is spent on it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence

from automl_kd.core import UserError
from automl_kd.distillation import LOSS_SPECS, LossSpec, custom_loss_spec, wire
from automl_kd.recipes import Recipe, Space
from automl_kd.studies.request import SearchRequest
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher

_SAMPLES = 64


def suited(space: Space, name: str, task: Task, answered: bool = True) -> tuple[Space, tuple[str, ...]]:
    """The space without the losses that task or teacher do not suit, where they may be left out, and lines that say so.

    Otherwise a search would draw recipes that are refused, and spend its time on those that happen to do without.

    Args:
        space: The space.
        name: What the user calls it.
        task: What is learned.
        answered: Whether the teacher answers; else it shows features alone.
    """
    outputs = f"not for {task.modality.noun}s with {task.problem.meaning} outputs"
    left, gone = _without(space, name, lambda spec: not spec.suits(task.signature), outputs)
    if answered:
        return left, gone
    left, unheard = _without(
        left, name, lambda spec: spec.reads_answers, "the teacher shows features and gives no outputs"
    )
    return left, (*gone, *unheard)


def _without(space: Space, name: str, unsuited: Callable[[LossSpec], bool], why: str) -> tuple[Space, tuple[str, ...]]:
    losses = [each for each in LOSS_SPECS if each in space.losses and unsuited(LOSS_SPECS[each])]
    left = space.without_losses(losses)
    gone = [each for each in losses if each not in left.losses]
    return left, (f"space {name} goes without {', '.join(gone)}: {why}",) if gone else ()


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
