"""Contrast within the batch (InfoNCE; van den Oord et al. 2018, arXiv:1807.03748)."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.losses.contrast import Heads
from automl_kd.distillation.losses.inputs import EMBEDDINGS, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, unit_rows
from automl_kd.recipes.losses import Dimension, FeatureLoss
from automl_kd.recipes.schedules import Positive


class CRDInBatch(FeatureLoss):
    """Contrast within the batch (InfoNCE), without a memory."""

    dimension: Dimension = 128
    temperature: Positive = 0.07


def crd_inbatch(s_embedding: Tensor, t_embedding: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Cross-entropy of finding a sample's partner among the batch by cosine / τ, averaged over both directions.

    Each student's embedding looks for its teacher's among all of the teacher's, and the other way round, as in CLIP
    (Radford et al. 2021, arXiv:2103.00020); the objective of CRD (Tian et al. 2020, arXiv:1910.10699) without a memory.
    An embedding of zeros has cosine 0 to all, with a gradient of 0. A batch of one has no one to contrast: value and
    gradient are 0.

    Args:
        s_embedding: (B, D); rows are brought to length 1 here.
        t_embedding: (B, D), of the same D.
        temperature: τ > 0.

    Returns:
        A scalar in nats; log B where all look alike.
    """
    scores = unit_rows(full_precision(s_embedding)) @ unit_rows(full_precision(t_embedding)).T / temperature
    return -(scores.log_softmax(dim=1).diagonal() + scores.log_softmax(dim=0).diagonal()).mean() / 2


def _compare(part: CRDInBatch, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    assert context.adapter is not None
    return crd_inbatch(*context.adapter(student, teacher), temperature=part.temperature)


def _adapter(part: CRDInBatch, pairs: tuple[Pair, ...], context: BuildContext) -> Heads:
    (pair,) = pairs
    return Heads(pair.student_shape[0], pair.teacher_shape[0], part.dimension)


SPEC = LOSS_SPECS.add(
    "crd_inbatch",
    LossSpec(
        part=CRDInBatch,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="nats; log B by chance; blind to the length of embeddings",
        zero_at_identity=False,
        paper="Tian et al. 2020, arXiv:1910.10699; van den Oord et al. 2018, arXiv:1807.03748",
        reference="CLIP's contrastive loss",
        adapter=_adapter,
    ),
)
