"""Softmax regression representation learning (SRRL; Yang et al. 2021, ICLR)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.core import UserError
from automl_kd.distillation.adapters import TeacherHead
from automl_kd.distillation.losses.inputs import MAPS, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, PROBABLE, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss


class SRRL(FeatureLoss):
    """Statistics of the map, and the teacher's classifier on it (Yang et al. 2021, ICLR)."""


def srrl(s_map: Tensor, t_map: Tensor) -> Tensor:
    """Mean over (B, C) of the squared difference of spatial means, the statistics term of the authors' code.

    In a recipe the second term of the paper is added to it: the mean square of the difference between the logits that
    the teacher's classifier gives to the student's map and to the teacher's.

    Args:
        s_map: Map (B, C, H, W).
        t_map: Map (B, C, H', W').

    Returns:
        A scalar.
    """
    return functional.mse_loss(full_precision(s_map).mean(dim=(2, 3)), full_precision(t_map).mean(dim=(2, 3)))


def _compare(part: SRRL, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    head = context.adapter
    assert isinstance(head, TeacherHead)
    student = head.connector(student)
    return srrl(student, teacher) + functional.mse_loss(head(student), head(teacher))


def _adapter(part: SRRL, pairs: tuple[Pair, ...], context: BuildContext) -> TeacherHead:
    (pair,) = pairs
    if context.head is None:
        raise UserError(
            "distill.losses.srrl: needs a teacher whose outputs are one linear layer on its last map's spatial mean,"
            " and this one is not: use another loss"
        )
    weight, bias = context.head
    if pair.teacher_shape[0] != weight.shape[1]:
        raise UserError(
            f"distill.losses.srrl.at: the teacher's classifier reads {weight.shape[1]} channels and its {pair.teacher}"
            f" has {pair.teacher_shape[0]}: use last"
        )
    return TeacherHead(pair.student_shape[0], weight, bias)


SPEC = LOSS_SPECS.add(
    "srrl",
    LossSpec(
        part=SRRL,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the teacher's features and in its logits",
        zero_at_identity=True,
        paper="Yang et al. 2021, ICLR",
        reference="the authors' statm_loss",
        adapter=_adapter,
        takes=PROBABLE,
        reads_head=True,
    ),
)
