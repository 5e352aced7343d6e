"""Similarities within a batch (Tung & Mori 2019, arXiv:1907.09682)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, unit_rows
from automl_kd.recipes.losses import FeatureLoss


class SimilarityPreserving(FeatureLoss):
    """Similarities of samples within a batch (Tung & Mori 2019, arXiv:1907.09682)."""


def similarity_preserving(student: Tensor, teacher: Tensor) -> Tensor:
    """‖G_s - G_t‖² / B² with G the Gram matrix of the flattened features, each row L2-normalised.

    The form of RepDistiller's ``Similarity``. Neither channels nor sizes need agree. A sample of zeros resembles none:
    its row is 0, with a gradient of 0. A batch of one has no pairs: value and gradient are 0.

    Args:
        student: Features (B, ...).
        teacher: Features (B, ...).

    Returns:
        A scalar in [0, 4 / B].
    """
    if len(student) < 2:
        return (full_precision(student) * 0).sum()
    return functional.mse_loss(_similarities(student), _similarities(teacher))


def _similarities(features: Tensor) -> Tensor:
    rows = full_precision(features).flatten(1)
    return unit_rows(rows @ rows.T)


def _compare(part: SimilarityPreserving, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return similarity_preserving(student, teacher)


SPEC = LOSS_SPECS.add(
    "similarity_preserving",
    LossSpec(
        part=SimilarityPreserving,
        kind="relation",
        inputs=MAPS,
        compare=_compare,
        scale="bounded by 4 / B; blind to the scale of both",
        zero_at_identity=True,
        paper="Tung & Mori 2019, arXiv:1907.09682",
        reference="RepDistiller Similarity",
    ),
)
