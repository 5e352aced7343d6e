"""Gram matrices of the channels (Gatys et al. 2015, arXiv:1508.06576)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Projection
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.correlations import correlations
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import FeatureLoss


class Gram(FeatureLoss):
    """Gram matrices of the channels (Gatys et al. 2015, arXiv:1508.06576)."""


def gram(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over (B, D, D) of (G_s - G_t)² with G = Σ x xᵀ / L over the L tokens, or positions, x of a sample.

    The form of TextBrewer's ``fsp_loss`` between a layer and itself. Gatys et al. have a fourth of it, which a weight
    makes up for. On maps of one size it has the value of :func:`~automl_kd.distillation.functional.ickd`; it differs in
    that it takes tokens too, and every map at its own size, a mean over few positions having the same meaning as one
    over many.

    Args:
        student: Tokens (B, L, D), or a map (B, D, H, W), whose tokens are its positions.
        teacher: Tokens (B, L', D), or a map (B, D, H', W').

    Returns:
        A scalar.
    """
    return functional.mse_loss(_gram(student), _gram(teacher))


def _gram(features: Tensor) -> Tensor:
    channels = features.transpose(1, 2) if features.ndim == 3 else features
    return correlations(channels, channels)


def _compare(part: Gram, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return gram(context.adapted(student), teacher)


SPEC = LOSS_SPECS.add(
    "gram",
    LossSpec(
        part=Gram,
        kind="relation",
        inputs=MAPS,
        compare=_compare,
        scale="of the fourth degree in the features",
        zero_at_identity=True,
        paper="Gatys et al. 2015, arXiv:1508.06576",
        reference="TextBrewer fsp_loss",
        adapter=where_channels_differ(Projection),
    ),
)
