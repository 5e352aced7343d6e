"""The stages of a recipe one after the other: on a plan, on a student, on its file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from automl_kd.compression.stage import STAGES
from automl_kd.recipes import StagePart
from automl_kd.students import Plan, StudentModule

Stages = Sequence[StagePart]
"""``compress`` of a recipe."""


def priced(compress: Stages, plan: Plan) -> Plan:
    """The plan of what ships, from the plan of what is trained."""
    return reduce(lambda before, part: STAGES[part.stage].price(part, before), compress, plan)


def applied(compress: Stages, student: StudentModule) -> StudentModule:
    """What ships, in evaluation mode: a copy of a trained student; the student itself where there are no stages.

    Raises:
        UserError: If a stage cannot be applied to these weights.
    """
    return reduce(lambda before, part: STAGES[part.stage].apply(part, before), compress, student)


def stored(compress: Stages, path: Path) -> None:
    """Give the exported file of what ships the form in which its weights are stored."""
    for part in compress:
        store = STAGES[part.stage].store
        if store is not None:
            store(part, path)


def described(compress: Stages) -> str:
    """The stages for people: ``fp16 (weights in half precision)``; nothing where there are none."""
    return ", then ".join(f"{part.stage} ({STAGES[part.stage].words})" for part in compress)
