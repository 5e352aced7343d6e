"""Factors of a paraphraser (FT; Kim et al. 2018, arXiv:1802.04977)."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import FactorTranslator
from automl_kd.distillation.losses.energy import spatial_energy
from automl_kd.distillation.losses.inputs import MAPS, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossOutput, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class FactorTransfer(FeatureLoss):
    """Factors of a paraphraser (Kim et al. 2018, arXiv:1802.04977), which is trained alone up to ``pretrain``."""

    rate: Annotated[float, Field(gt=0, le=4)] = 0.5
    pretrain: Annotated[float, Field(gt=0, lt=1)] = 0.1


def factor_transfer(s_factor: Tensor, t_factor: Tensor) -> Tensor:
    """Mean over (B, HW) of |Q_s - Q_t|, where Q is the L2-normalised mean over the channels of the squared factors.

    The form of RepDistiller's ``FactorTransfer`` with p1 = 2 and p2 = 1. The paper normalises the factors
    themselves; the reference compares where they are strong. A map of zeros has Q = 0, a finite loss and a gradient of
    0.

    Args:
        s_factor: Factors (B, K, H, W) of the student's map, from a
            :class:`~automl_kd.distillation.adapters.Translator`.
        t_factor: Factors (B, K', H', W') of the teacher's map, from a
            :class:`~automl_kd.distillation.adapters.Paraphraser`; the larger of the two is average-pooled.

    Returns:
        A scalar in [0, 2 / √HW].
    """
    student, teacher = pool_to_common(full_precision(s_factor), full_precision(t_factor))
    return functional.l1_loss(spatial_energy(student), spatial_energy(teacher))


def _compare(part: FactorTransfer, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor | LossOutput:
    adapter = context.adapter
    assert isinstance(adapter, FactorTranslator)
    if context.progress < part.pretrain:
        # The loss is a zero that depends on the student's map, so that its gradient exists and is zero.
        learned = functional.mse_loss(adapter.paraphraser(teacher), teacher)
        return LossOutput((student * 0).sum(), adapter_loss=learned, warming_up=True)
    with torch.no_grad():
        factors = adapter.paraphraser.encoder(teacher)
    # The paraphraser stays as it is from here on: every optimizer passes over weights that have no gradient, weight
    # decay and momentum included.
    return factor_transfer(adapter.translator(student), factors)


def _adapter(part: FactorTransfer, pairs: tuple[Pair, ...], context: BuildContext) -> FactorTranslator:
    (pair,) = pairs
    return FactorTranslator(pair.student_shape[0], pair.teacher_shape[0], part.rate)


SPEC = LOSS_SPECS.add(
    "factor_transfer",
    LossSpec(
        part=FactorTransfer,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="bounded by 2 / √HW; blind to the scale of both",
        zero_at_identity=True,
        paper="Kim et al. 2018, arXiv:1802.04977",
        reference="RepDistiller FactorTransfer, p1 = 2, p2 = 1",
        adapter=_adapter,
        spatial=True,
    ),
)
