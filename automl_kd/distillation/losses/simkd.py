"""The teacher's last map behind a projector that is delivered (SimKD; Chen et al. 2022, arXiv:2203.14001)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.distillation.losses.inputs import MAPS, Pair, Shape
from automl_kd.distillation.losses.spec import LOSS_SPECS, PROBABLE, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes import Recipe
from automl_kd.recipes.losses import Loss
from automl_kd.students import PROJECTOR, StudentModule
from automl_kd.teachers import Teacher


class SimKD(Loss):
    """The teacher's last map behind the student's projector, and the teacher's classifier (Chen et al. 2022).

    arXiv:2203.14001. Needs ``student.projector`` with as many channels as the teacher's last map.
    """

    def check(self, recipe: Recipe) -> None:
        if getattr(recipe.student, "projector", None) is None:
            raise ValueError(
                "distill.losses.simkd delivers its projector, which is part of the student: give student.projector,"
                " with as many channels as the teacher's last map"
            )


def simkd(s_map: Tensor, t_map: Tensor) -> Tensor:
    """Mean over all elements of (s - t)² on the last map, the form of the authors' code.

    The projector, which gives the student's map the teacher's channels, and the teacher's classifier behind it are part
    of the student: nothing here is trained.

    Args:
        s_map: Map (B, C, H, W) of the student's projector.
        t_map: The teacher's last map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar.
    """
    return functional.mse_loss(*pool_to_common(full_precision(s_map), full_precision(t_map)))


def _compare(part: SimKD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return simkd(student, teacher)


def _pairs(stages: Mapping[str, Shape], teacher: Teacher) -> tuple[Pair, ...]:
    """The one pair: the projector, which is delivered, and the teacher's last stage."""
    theirs = teacher.stage_names()
    if not theirs or teacher.head() is None:
        raise UserError(
            "distill.losses.simkd: needs a teacher whose outputs are one linear layer on its last map's spatial mean,"
            " and this one is not: use another loss"
        )
    shape = teacher.feature_shapes((theirs[-1],))[theirs[-1]]
    if shape[0] != stages[PROJECTOR][0]:
        raise UserError(
            f"student.projector.channels is {stages[PROJECTOR][0]} and the teacher's last map has {shape[0]} channels:"
            " they should be equal"
        )
    return (Pair(PROJECTOR, theirs[-1], stages[PROJECTOR], shape),)


def _take_over_head(student: StudentModule, context: BuildContext) -> None:
    """Copy the teacher's last layer into the student's, and freeze it there."""
    assert context.head is not None
    linear = student.get_submodule("head")[-1].linear  # type: ignore[index]
    with torch.no_grad():
        for ours, theirs in zip((linear.weight, linear.bias), context.head, strict=True):
            ours.copy_(theirs)
    student.get_submodule("head").requires_grad_(False)


SPEC = LOSS_SPECS.add(
    "simkd",
    LossSpec(
        part=SimKD,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the teacher's features",
        zero_at_identity=True,
        paper="Chen et al. 2022, arXiv:2203.14001",
        reference="the authors' SimKD",
        takes=PROBABLE,
        reads_head=True,
        pairs=_pairs,
        prepare=_take_over_head,
    ),
)
