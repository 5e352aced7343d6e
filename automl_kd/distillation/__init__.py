"""Distillation: one student trained by one recipe, up to an epoch, from a checkpoint.

A file that adds a loss imports what it needs from here: its part is a ``Loss`` or a ``FeatureLoss``, its ``LossSpec``
is added to ``LOSS_SPECS``.
"""

from automl_kd.distillation.batch_norm import measured_batches, reestimate
from automl_kd.distillation.checkpoint import Checkpoint
from automl_kd.distillation.custom_loss import custom_loss_spec, loss
from automl_kd.distillation.evaluation import Evaluation, evaluate, evaluate_teacher, outputs_of
from automl_kd.distillation.fine_tuning import fine_tuning
from automl_kd.distillation.history import Diverged
from automl_kd.distillation.loop import Outcome, distill, resolve_device
from automl_kd.distillation.losses import (
    ALL_STAGES,
    ANY,
    CATEGORICAL,
    EMBEDDINGS,
    EXITS,
    GRADIENTS,
    LABELS,
    LOGITS,
    LOSS_SPECS,
    MAPS,
    PEER,
    STAGE_PAIRS,
    BuildContext,
    LossInputs,
    LossOutput,
    LossSpec,
    Pair,
    StepContext,
)
from automl_kd.distillation.material import material_of
from automl_kd.distillation.mixed_precision import MixedPrecision, MixedPrecisionPolicy
from automl_kd.distillation.teacher_outputs import TeacherOutputPolicy
from automl_kd.distillation.teacher_training import (
    ExpectedTeacher,
    ResolvedTeacher,
    answers,
    budget_too_short,
    expect_teacher,
    find_teacher,
    teacher_recipe,
    training_was_begun,
    training_words,
    untrainable_teacher,
)
from automl_kd.distillation.term import Term
from automl_kd.distillation.training_progress import TrainingProgress
from automl_kd.distillation.wiring import Wiring, wire
from automl_kd.recipes.losses import FeatureLoss, Loss

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
    "Checkpoint",
    "Diverged",
    "Evaluation",
    "ExpectedTeacher",
    "FeatureLoss",
    "Loss",
    "LossInputs",
    "LossOutput",
    "LossSpec",
    "MixedPrecision",
    "MixedPrecisionPolicy",
    "Outcome",
    "Pair",
    "ResolvedTeacher",
    "StepContext",
    "TeacherOutputPolicy",
    "Term",
    "TrainingProgress",
    "Wiring",
    "answers",
    "budget_too_short",
    "custom_loss_spec",
    "distill",
    "evaluate",
    "evaluate_teacher",
    "expect_teacher",
    "find_teacher",
    "fine_tuning",
    "loss",
    "material_of",
    "measured_batches",
    "outputs_of",
    "reestimate",
    "resolve_device",
    "teacher_recipe",
    "training_was_begun",
    "training_words",
    "untrainable_teacher",
    "wire",
]
