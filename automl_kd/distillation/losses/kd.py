"""Soft targets (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.logits import mean_divergence, softened
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature


class KD(Loss):
    """Soft targets (Hinton et al. 2015, arXiv:1503.02531)."""

    temperature: Temperature = 4.0


def kd(student: Tensor, teacher: Tensor, *, temperature: float | Tensor) -> Tensor:
    """Mean over all rows of T² Σ q (log q - log p) with q = softmax(teacher / T) and p = softmax(student / T).

    The factor T² keeps the gradient's size when T changes, as section 2 of the paper has it; the form is RepDistiller's
    ``DistillKL``, with every position of a sequence or a dense map as a row. Both distributions stay in log space: a
    probability that underflows then contributes 0, not NaN.

    Args:
        student: Logits (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        A scalar in nats, times T².
    """
    ours, theirs, squares = softened(student, teacher, temperature)
    return mean_divergence(ours.log_softmax(dim=1), theirs.log_softmax(dim=1), squares)


def _compare(part: KD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return kd(student, teacher, temperature=context.temperature)


SPEC = LOSS_SPECS.add(
    "kd",
    LossSpec(
        part=KD,
        kind="logit",
        inputs=LOGITS,
        compare=_compare,
        scale="grows with T² at most; divided by the batch",
        zero_at_identity=True,
        paper="Hinton et al. 2015, arXiv:1503.02531",
        reference="RepDistiller DistillKL",
    ),
)
