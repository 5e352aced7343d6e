"""Cross-entropy with the teacher's distribution, over classes or of each label."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.logits import softened
from automl_kd.distillation.losses.spec import LOSS_SPECS, PROBABLE, LossSpec, StepContext
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


def ce_soft_bernoulli(student: Tensor, teacher: Tensor, *, temperature: float | Tensor = 1.0) -> Tensor:
    """Mean over all rows and labels of -q log p - (1 - q) log(1 - p), q and p being sigmoids of the logits / T.

    To ``kd_bernoulli`` it is what :func:`ce_soft` is to ``kd``.

    Args:
        student: Logits of labels (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        temperature: As for :func:`ce_soft`.

    Returns:
        A scalar in nats.
    """
    ours, theirs, _ = softened(student, teacher, temperature)
    return functional.binary_cross_entropy_with_logits(ours, theirs.sigmoid())


def _compare(part: SoftCE, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    compare = ce_soft if context.problem.meaning == "categorical" else ce_soft_bernoulli
    return compare(student, teacher, temperature=context.temperature)


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
        takes=PROBABLE,
        per_position=True,
    ),
)
