"""What a student's price consists of: kernels by kind, what is extrapolated, kept in floats, left to the host."""

from __future__ import annotations

from dataclasses import asdict

from automl_kd.compression import decided, priced
from automl_kd.core import UserError
from automl_kd.hardware import Profile
from automl_kd.recipes import Recipe
from automl_kd.results import Breakdown, PricePart
from automl_kd.students import Plan, plan
from automl_kd.tasks import Task


def shipped_plan(recipe: Recipe, task: Task, allow_code: bool = False) -> Plan:
    """The plan of what a recipe ships; where it leaves layers to be decided, with none of them in floats.

    Raises:
        UserError: If the student cannot be built.
    """
    student = recipe.student.model_copy(update={"start": None})  # weights cost nothing
    return priced(decided(recipe.compress, ()), plan(student, task.signature, allow_code=allow_code))


def breakdown(plan: Plan, profile: Profile) -> Breakdown:
    """The parts of a plan's price on a device."""
    named = zip(plan.block_names, plan.integers, strict=True) if plan.integers else ()
    in_floats = tuple(name for name, integers in named if not integers)
    try:
        found = profile.explain(plan)
    except UserError as error:  # two targets price it together, or the device does not run it any more
        return Breakdown(parts=(), extrapolated={}, in_floats=in_floats, notes=profile.notes, unexplained=str(error))
    return Breakdown(
        parts=tuple(PricePart(**asdict(part)) for part in found.parts),
        extrapolated={kind.value: share for kind, share in found.extrapolated.items()},
        in_floats=in_floats,
        notes=(*profile.notes, *found.prediction.notes),
    )
