"""Soft targets (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses._contract import Contract, Moment
from automl_kd.distillation.losses._tensors import full_precision
from automl_kd.recipes.losses import KD


def kd(student: Tensor, teacher: Tensor, *, temperature: float) -> Tensor:
    """T²/B · Σ q (log q - log p) with q = softmax(teacher / T) and p = softmax(student / T).

    The factor T² keeps the gradient's size when T changes, as section 2 of the paper has it; the form is RepDistiller's
    ``DistillKL``. Both distributions stay in log space: a probability that underflows then contributes 0, not NaN.

    Args:
        student: Logits (B, classes).
        teacher: Logits (B, classes).
        temperature: T > 0.

    Returns:
        A scalar in nats, times T².
    """
    log_p = functional.log_softmax(full_precision(student) / temperature, dim=1)
    log_q = functional.log_softmax(full_precision(teacher) / temperature, dim=1)
    return functional.kl_div(log_p, log_q, reduction="batchmean", log_target=True) * temperature**2


def _compare(part: KD, student: Tensor, teacher: Tensor, moment: Moment) -> Tensor:
    return kd(student, teacher, temperature=moment.temperature)


CONTRACT = Contract(
    kind="logit",
    inputs="logits",
    compare=_compare,
    scale="grows with T² at most; divided by the batch",
    zero_at_identity=True,
    paper="Hinton et al. 2015, arXiv:1503.02531",
    reference="RepDistiller DistillKL",
)
