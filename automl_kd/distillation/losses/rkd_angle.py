"""Angles between the embeddings of a batch (RKD; Park et al. 2019, arXiv:1904.05068)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from automl_kd.distillation.losses.distances import squared_distances
from automl_kd.distillation.losses.inputs import EMBEDDINGS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss


class RKDAngle(FeatureLoss):
    """Angles between embeddings (Park et al. 2019, arXiv:1904.05068)."""


def rkd_angle(student: Tensor, teacher: Tensor) -> Tensor:
    """Smooth-L1 between the cosines of the angles at i between j and k, averaged over all B³ ordered triples.

    The form of RepDistiller's ``RKDLoss``, which normalises the B x B x D tensor of differences. Here the same cosines
    come from the squared distances q alone, by the law of cosines: (q_ij + q_ik - q_jk) / 2 √(q_ij q_ik).
    A side of length 0 (j = i, or equal embeddings) has cosine 0, as normalising a zero vector has. A batch of one has
    no sides: value and gradient are 0. Differentiable once, and by the student alone.

    Args:
        student: Embeddings (B, D).
        teacher: Embeddings (B, D').

    Returns:
        A scalar.
    """
    with torch.no_grad():
        theirs = squared_distances(teacher)
    loss: Tensor = _Angles.apply(full_precision(student), theirs)  # type: ignore[no-untyped-call]
    return loss


class _Angles(torch.autograd.Function):
    """The loss of embeddings (B, D) and the teacher's squared distances (B, B), with its gradient found on the way.

    With v = 1 / √(2q), 0 where q is, the cosine is c_ijk = (q_ij + q_ik - q_jk) v_ij v_ik. D_ijk, the difference of the
    cosines limited to [-1, 1], is the slope of smooth-L1. Both are symmetric in j and k, so that with A = D v_ij v_ik
    the gradient by q_ij is 2 (Σ_k A_ijk - v_ij² Σ_k D_ijk c_ijk) - Σ_m A_mij, and that of q_ij by e_i is 2 (e_i - e_j).
    Autograd would pass over all triples twice as often, and would keep several tensors of B³ entries; this keeps none.
    """

    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, squares_t: Tensor) -> Tensor:
        squares = squared_distances(embeddings)
        count = len(squares)
        inverse, inverse_t = _inverse(squares), _inverse(squares_t)
        total = squares.new_zeros(())
        corners, opposite = torch.empty_like(squares), torch.zeros_like(squares)
        step = max(1, min(count, _entries(squares.device) // count**2))
        # New memory costs more than the arithmetic on it: blocks share theirs.
        memory = squares.new_empty(3, step, count, count)
        for start in range(0, count, step):
            i = slice(start, start + step)
            v, v_t = inverse[i], inverse_t[i]
            cosines, difference, slope = memory[:, : len(v)]
            _over_one_side(squares, i, v, cosines).mul_(v.unsqueeze(1))
            theirs = _over_one_side(squares_t, i, v_t, difference)
            torch.addcmul(cosines, theirs, v_t.unsqueeze(1), value=-1, out=difference)
            torch.clamp(difference, -1, 1, out=slope)
            flat = slope.flatten()
            total += torch.dot(flat, difference.flatten()) - torch.dot(flat, flat) / 2
            by_lengths = v.square() * cosines.mul_(slope).sum(dim=2)
            slope.mul_(v.unsqueeze(2)).mul_(v.unsqueeze(1))
            corners[i] = slope.sum(dim=2) - by_lengths
            opposite += slope.sum(dim=0)
        by_squares = (2 * corners - opposite).where(squares > 0, 0.0) / count**3
        by_squares = by_squares + by_squares.T
        centred = embeddings - embeddings.mean(dim=0)
        ctx.save_for_backward(2 * (by_squares.sum(dim=1, keepdim=True) * centred - by_squares @ centred))
        return total / count**3

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (by_embeddings,) = ctx.saved_tensors
        return gradient * by_embeddings, None


def _inverse(squares: Tensor) -> Tensor:
    """1 / √(2q), 0 where q is."""
    return (2 * squares).rsqrt().where(squares > 0, 0.0)


def _over_one_side(squares: Tensor, i: slice, v: Tensor, out: Tensor) -> Tensor:
    """(q_ij + q_ik - q_jk) v_ij of some corners i, (I, B, B), into ``out``."""
    sides = squares[i]
    return torch.sub(sides.unsqueeze(2), squares, out=out).add_(sides.unsqueeze(1)).mul_(v.unsqueeze(2))


def _entries(device: torch.device) -> int:
    """How many triples to hold at a time: on a CPU as many as stay in its cache."""
    return 2**16 if device.type == "cpu" else 2**26


def _compare(part: RKDAngle, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return rkd_angle(student, teacher)


SPEC = LOSS_SPECS.add(
    "rkd_angle",
    LossSpec(
        part=RKDAngle,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="bounded by 1.5; blind to the scale of both",
        zero_at_identity=True,
        paper="Park et al. 2019, arXiv:1904.05068",
        reference="RepDistiller RKDLoss, angle",
    ),
)
