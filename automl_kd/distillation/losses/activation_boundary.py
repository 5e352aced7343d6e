"""Activation boundaries (AB; Heo et al. 2019, arXiv:1811.03233)."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.adapters import Connector
from automl_kd.distillation.losses.channels import each_where_channels_differ
from automl_kd.distillation.losses.inputs import ALL_STAGES
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss
from automl_kd.recipes.schedules import Positive


class ActivationBoundary(FeatureLoss):
    """Which neurons are active (Heo et al. 2019, arXiv:1811.03233)."""

    margin: Positive = 1.0


_SCALE = 3 / 1000  # of RepDistiller's ABLoss


def activation_boundary(s_preact: Tensor, t_preact: Tensor, *, margin: float = 1.0) -> Tensor:
    """Hinge between pre-activations: 3/1000 · Σ [(s + m)² 1(s > -m, t ≤ 0) + (s - m)² 1(s ≤ m, t > 0)] / B.

    Only which of the teacher's neurons are active matters. After a ReLU a map is positive where its pre-activation is
    and 0 elsewhere, so that the teacher's map after its activation serves as well; the student's has to be the one
    before. The form is that of RepDistiller's ``ABLoss`` for one layer. Of several layers, the i-th of L (from 0) has
    the weight 2^(i - L + 1), the last one 1; a recipe's loss weights its stages so, too. Not 0 where student equals
    teacher, because the student has to stay outside of the margin.

    Args:
        s_preact: Map (B, C, H, W) before the activation.
        t_preact: Map (B, C, H', W') before or after it; the larger of the two maps is average-pooled to the smaller.
        margin: m > 0.

    Returns:
        A scalar; it grows with C·H·W.
    """
    student, teacher = pool_to_common(full_precision(s_preact), full_precision(t_preact))
    # (s + m)₊² where the teacher is inactive and (m - s)₊² where it is active: one hinge, with the sign turned.
    sign = 1 - 2 * (teacher > 0).to(student.dtype)
    return (student * sign + margin).relu().square().sum() * (_SCALE / len(student))


def _compare(
    part: ActivationBoundary, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], context: StepContext
) -> Tensor:
    pairs = zip(context.adapted(student), teacher, strict=True)
    losses = [activation_boundary(s, t, margin=part.margin) for s, t in pairs]
    loss = losses[0]
    for each in losses[1:]:
        loss = loss / 2 + each
    return loss


SPEC = LOSS_SPECS.add(
    "activation_boundary",
    LossSpec(
        part=ActivationBoundary,
        kind="feature",
        inputs=ALL_STAGES,
        compare=_compare,
        scale="quadratic in the student's features and the margin; grows with C·H·W",
        zero_at_identity=False,
        paper="Heo et al. 2019, arXiv:1811.03233",
        reference="RepDistiller ABLoss",
        adapter=each_where_channels_differ(Connector),
    ),
)
