"""Hidden states of transformers (TinyBERT; Jiao et al. 2020, arXiv:1909.10351)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Projection
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class TinyBERTHidden(FeatureLoss):
    """Hidden states of transformers (Jiao et al. 2020, arXiv:1909.10351)."""


def tinybert_hidden(s_hidden: Tensor, t_hidden: Tensor) -> Tensor:
    """Mean over all elements of (s - t)² between the hidden states of two layers, as in the authors' code.

    The linear map that the paper puts behind a narrower student is a module of the wiring
    (:class:`automl_kd.distillation.adapters.Projection`), not of this function.

    Args:
        s_hidden: Tokens (B, L, D), or their map (B, D, h, w).
        t_hidden: Tokens (B, L, D), or their map (B, D, h', w'); the larger of two maps is average-pooled.

    Returns:
        A scalar.
    """
    student, teacher = full_precision(s_hidden), full_precision(t_hidden)
    if student.ndim == 4:
        student, teacher = pool_to_common(student, teacher)
    return functional.mse_loss(student, teacher)


def _compare(part: TinyBERTHidden, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return tinybert_hidden(context.adapted(student), teacher)


SPEC = LOSS_SPECS.add(
    "tinybert_hidden",
    LossSpec(
        part=TinyBERTHidden,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the teacher's features",
        zero_at_identity=True,
        paper="Jiao et al. 2020, arXiv:1909.10351",
        reference="the authors' TinyBERT",
        adapter=where_channels_differ(Projection),
    ),
)
