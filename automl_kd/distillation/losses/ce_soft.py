"""Cross-entropy with the teacher's distribution."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.logits import softened
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature


class SoftCE(Loss):
    """Cross-entropy with the teacher's distribution."""

    temperature: Temperature = 1.0


def ce_soft(student: Tensor, teacher: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Mean over all rows of -Σ q log p with q = softmax(teacher / T) and p = softmax(student / T), without a factor T².

    The form of AlphaNet's ``KLLossSoft`` without labels, and of TinyBERT's prediction layer. It is KL(q ‖ p) plus the
    teacher's entropy: the same gradient in the student as ``kd`` divided by T², and not 0 where the student equals the
    teacher.

    Args:
        student: Logits (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        A scalar in nats.
    """
    ours, theirs, _ = softened(student, teacher, temperature)
    return (theirs.softmax(dim=1) * ours.log_softmax(dim=1)).sum() / -len(ours)


def _compare(part: SoftCE, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return ce_soft(student, teacher, temperature=context.temperature)


SPEC = LOSS_SPECS.add(
    "ce_soft",
    LossSpec(
        part=SoftCE,
        kind="logit",
        inputs=LOGITS,
        compare=_compare,
        scale="nats; the gradient falls with 1 / T²",
        zero_at_identity=False,
        paper="Hinton et al. 2015, arXiv:1503.02531, without T²",
        reference="AlphaNet KLLossSoft without labels",
    ),
)
