"""Angles between the embeddings of a batch (RKD; Park et al. 2019, arXiv:1904.05068)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses._contract import Contract, Moment
from automl_kd.distillation.losses._distances import gram_and_squares
from automl_kd.recipes.losses import RKDAngle


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth-L1 between the cosines of the angles at i between j and k, averaged over all B³ ordered triples.

    The reference normalises the B x B x D tensor of differences. Here the same cosines come from the Gram matrix G,
    with nothing of size D beyond it:  <e_j - e_i, e_k - e_i> = G_jk - G_ij - G_ik + G_ii.
    A side of length 0 (j = i, or equal embeddings) has cosine 0, as normalising a zero vector has.

    Args:
        student: Embeddings (B, D).
        teacher: Embeddings (B, D').

    Returns:
        A scalar.
    """
    return functional.smooth_l1_loss(_cosines(student), _cosines(teacher))


def _cosines(embeddings: Tensor) -> Tensor:
    gram, squares = gram_and_squares(embeddings)
    apart = squares > 0
    # rsqrt of a masked copy: rsqrt(0) = inf would turn the masked gradient into 0 * inf.
    inverse = torch.where(apart, squares, 1.0).rsqrt() * apart
    # G_jk + h_ij + h_ik with h_ij = G_ii / 2 - G_ij: one pass less over the B³ entries.
    half = gram.diagonal().unsqueeze(1) / 2 - gram
    inner = gram + half.unsqueeze(2) + half.unsqueeze(1)
    return inner * inverse.unsqueeze(2) * inverse.unsqueeze(1)


def _compare(part: RKDAngle, student: Tensor, teacher: Tensor, moment: Moment) -> Tensor:
    return rkd_angle(student, teacher)


CONTRACT = Contract(
    kind="relation",
    inputs="embeddings",
    compare=_compare,
    scale="bounded by 1.5; blind to the scale of both",
    zero_at_identity=True,
    paper="Park et al. 2019, arXiv:1904.05068",
    reference="RepDistiller RKDLoss, angle",
)
