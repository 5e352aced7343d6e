"""Flow of solution procedure (FSP; Yim et al. 2017, CVPR)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Projection
from automl_kd.distillation.losses.channels import each_where_channels_differ
from automl_kd.distillation.losses.correlations import correlations
from automl_kd.distillation.losses.inputs import STAGE_PAIRS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss, StagePair


class FSP(FeatureLoss):
    """Flow between stages (Yim et al. 2017, CVPR): needs two or more."""

    at: tuple[str | StagePair, ...] = Field(default=("all",), min_length=1)


def fsp(s_first: Tensor, s_second: Tensor, t_first: Tensor, t_second: Tensor) -> Tensor:
    """Mean over (B, C₁, C₂) of (G_s - G_t)², where G is the flow between two maps of one network.

    The mean square is the paper's squared norm, divided by the number of elements. torchdistill, whose flow matrices
    these are, sums the norms of the columns instead and divides by B.

    Args:
        s_first: The student's earlier map (B, C₁, H, W).
        s_second: Its later map (B, C₂, H', W').
        t_first: The teacher's earlier map, with C₁ channels and any size.
        t_second: Its later map, with C₂ channels and any size.

    Returns:
        A scalar.
    """
    return functional.mse_loss(flow(s_first, s_second), flow(t_first, t_second))


def flow(first: Tensor, second: Tensor) -> Tensor:
    """G = F₁ F₂ᵀ / HW (B, C₁, C₂); the larger of the two maps is max-pooled to the smaller, as the paper does."""
    first, second = full_precision(first), full_precision(second)
    size = (min(first.shape[2], second.shape[2]), min(first.shape[3], second.shape[3]))
    return correlations(_pool(first, size), _pool(second, size))


def _pool(features: Tensor, size: tuple[int, int]) -> Tensor:
    return features if features.shape[2:] == size else functional.adaptive_max_pool2d(features, size)


def _compare(part: FSP, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], context: StepContext) -> Tensor:
    return fsp(*context.adapted(student), *teacher)


SPEC = LOSS_SPECS.add(
    "fsp",
    LossSpec(
        part=FSP,
        kind="relation",
        inputs=STAGE_PAIRS,
        compare=_compare,
        scale="of the fourth degree in the features",
        zero_at_identity=True,
        paper="Yim et al. 2017, CVPR",
        reference="torchdistill FSPLoss for the matrices, the mean square of the paper between them",
        adapter=each_where_channels_differ(Projection),
    ),
)
