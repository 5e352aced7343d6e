"""Relations between the embeddings of a batch (RKD; Park et al. 2019, arXiv:1904.05068)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses._contract import Contract
from automl_kd.distillation.losses._tensors import full_precision
from automl_kd.recipes import RKD

_SMALLEST_SQUARE = 1e-12  # of the authors' code: the square of the distance that two equal embeddings are given


def rkd_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth-L1 between pairwise distances, each in units of its own batch's mean distance.

    Averaged over all B² entries, the zero diagonal included, as in the authors' code and RepDistiller's ``RKDLoss``.
    Invariant to translation, rotation and scale of either side. A batch of one has no pairs: value and gradient are 0.

    Args:
        student: Embeddings (B, D).
        teacher: Embeddings (B, D').

    Returns:
        A scalar.
    """
    if len(student) < 2:
        return (student * 0).sum()
    return functional.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


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


def _relative_distances(embeddings: Tensor) -> Tensor:
    _, squares = _gram_and_squares(embeddings)
    count = len(embeddings)
    off_diagonal = ~torch.eye(count, dtype=torch.bool, device=embeddings.device)
    distances = squares.clamp(min=_SMALLEST_SQUARE).sqrt() * off_diagonal
    return distances * (count * (count - 1) / distances.sum())


def _cosines(embeddings: Tensor) -> Tensor:
    gram, squares = _gram_and_squares(embeddings)
    apart = squares > 0
    # rsqrt of a masked copy: rsqrt(0) = inf would turn the masked gradient into 0 * inf.
    inverse = torch.where(apart, squares, 1.0).rsqrt() * apart
    # G_jk + h_ij + h_ik with h_ij = G_ii / 2 - G_ij: one pass less over the B³ entries.
    half = gram.diagonal().unsqueeze(1) / 2 - gram
    inner = gram + half.unsqueeze(2) + half.unsqueeze(1)
    return inner * inverse.unsqueeze(2) * inverse.unsqueeze(1)


def _gram_and_squares(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """Gram matrix of the centred embeddings and squared distances, exactly 0 where rounding cannot tell two apart.

    Distances and angles do not see a translation, and centring takes the common offset out of the cancellation in
    |e_i|² + |e_j|² - 2 <e_i, e_j>. What rounding leaves between equal embeddings would else be divided by itself.
    """
    centred = full_precision(embeddings)
    centred = centred - centred.mean(dim=0)
    gram = centred @ centred.T
    lengths = gram.diagonal()
    sums = lengths.unsqueeze(1) + lengths
    squares = sums - 2 * gram
    rounding = 8 * torch.finfo(gram.dtype).eps * sums
    return gram, torch.where(squares > rounding, squares, 0.0)


def _compare(part: RKD, student: Tensor, teacher: Tensor, progress: float) -> Tensor:
    terms = []
    if part.distance > 0:
        terms.append(part.distance * rkd_distance(student, teacher))
    if part.angle > 0:
        terms.append(part.angle * rkd_angle(student, teacher))
    return torch.stack(terms).sum() if terms else (student * 0).sum()


CONTRACT = Contract(
    inputs="embeddings",
    parameters=False,
    zero_at_identity=True,
    paper="Park et al. 2019, arXiv:1904.05068",
    compare=_compare,
)
