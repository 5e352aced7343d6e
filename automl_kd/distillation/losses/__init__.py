"""Losses, one file each: the recipe's part, a pure function of tensors, and the spec by which the one calls the other.

A file that is added here registers its loss in ``LOSS_SPECS``, and so does one of an installed extension.
"""

from automl_kd.distillation.losses.inputs import (
    ALL_STAGES,
    EMBEDDINGS,
    EXITS,
    GRADIENTS,
    LABELS,
    LOGITS,
    MAPS,
    PEER,
    STAGE_PAIRS,
    LossInputs,
    Pair,
)
from automl_kd.distillation.losses.spec import (
    ANY,
    CATEGORICAL,
    LOSS_SPECS,
    BuildContext,
    Kind,
    LossOutput,
    LossSpec,
    StepContext,
)

__all__ = [
    "ALL_STAGES",
    "ANY",
    "CATEGORICAL",
    "EMBEDDINGS",
    "EXITS",
    "GRADIENTS",
    "LABELS",
    "LOGITS",
    "LOSS_SPECS",
    "MAPS",
    "PEER",
    "STAGE_PAIRS",
    "BuildContext",
    "Kind",
    "LossInputs",
    "LossOutput",
    "LossSpec",
    "Pair",
    "StepContext",
]
