"""Distillation: one student trained by one recipe, up to an epoch, from a checkpoint."""

from automl_kd.distillation.checkpoint import Checkpoint
from automl_kd.distillation.evaluation import Evaluation, evaluate, evaluate_teacher
from automl_kd.distillation.history import Diverged
from automl_kd.distillation.loop import Outcome, distill, resolve_device
from automl_kd.distillation.losses import CONTRACTS, Contract, Pair
from automl_kd.distillation.own import loss, own_contract
from automl_kd.distillation.term import Term
from automl_kd.distillation.wiring import Wiring, wire

__all__ = [
    "CONTRACTS",
    "Checkpoint",
    "Contract",
    "Diverged",
    "Evaluation",
    "Outcome",
    "Pair",
    "Term",
    "Wiring",
    "distill",
    "evaluate",
    "evaluate_teacher",
    "loss",
    "own_contract",
    "resolve_device",
    "wire",
]
