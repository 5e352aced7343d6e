"""Distances between the embeddings of a batch (RKD; Park et al. 2019, arXiv:1904.05068)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.distances import squared_distances
from automl_kd.distillation.losses.inputs import EMBEDDINGS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss


class RKDDistance(FeatureLoss):
    """Distances between embeddings (Park et al. 2019, arXiv:1904.05068)."""


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
        return (full_precision(student) * 0).sum()
    return functional.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def _relative_distances(embeddings: Tensor) -> Tensor:
    count = len(embeddings)
    off_diagonal = ~torch.eye(count, dtype=torch.bool, device=embeddings.device)
    distances = squared_distances(embeddings).clamp(min=_SMALLEST_SQUARE).sqrt() * off_diagonal
    return distances * (count * (count - 1) / distances.sum())


def _compare(part: RKDDistance, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return rkd_distance(student, teacher)


SPEC = LOSS_SPECS.add(
    "rkd_distance",
    LossSpec(
        part=RKDDistance,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="blind to the scale of both",
        zero_at_identity=True,
        paper="Park et al. 2019, arXiv:1904.05068",
        reference="RepDistiller RKDLoss, distance",
    ),
)
