"""Probabilistic knowledge transfer (Passalis & Tefas 2018, arXiv:1803.10837)."""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.distillation.losses.inputs import EMBEDDINGS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss


class PKT(FeatureLoss):
    """Similarities of embeddings as probabilities (Passalis & Tefas 2018, arXiv:1803.10837)."""


_EPSILON = 1e-7  # of the authors' code, added to norms and inside the logarithm


def pkt(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over B² of t log((t + ε) / (s + ε)), where s and t are cosine similarities as conditional probabilities.

    Cosines are moved to [0, 1] and every row is divided by its sum; the form of RepDistiller's ``PKT``. An embedding of
    zeros has cosine 0 to all others, and a gradient of 0 where the reference has NaN. A batch of one has no pairs:
    value and gradient are 0.

    Args:
        student: Embeddings (B, D).
        teacher: Embeddings (B, D').

    Returns:
        A scalar of the order 1 / B².
    """
    if len(student) < 2:
        return (full_precision(student) * 0).sum()
    s, t = _probabilities(student), _probabilities(teacher)
    return (t * ((t + _EPSILON) / (s + _EPSILON)).log()).mean()


def _probabilities(embeddings: Tensor) -> Tensor:
    rows = full_precision(embeddings)
    norms: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    # Divided by infinity a row of zeros stays what it is and has no gradient; by ε it would have a huge one.
    unit = rows / (norms + _EPSILON).where(norms > 0, torch.inf)
    similarities = unit @ unit.T + 1  # in [0, 2]: the half cancels
    return similarities / similarities.sum(dim=1, keepdim=True)


def _compare(part: PKT, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return pkt(student, teacher)


SPEC = LOSS_SPECS.add(
    "pkt",
    LossSpec(
        part=PKT,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="falls with 1 / B²; blind to the scale of both",
        zero_at_identity=True,
        paper="Passalis & Tefas 2018, arXiv:1803.10837",
        reference="RepDistiller PKT",
    ),
)
