"""Where trials run: worker processes that train to a checkpoint, stop when told, and may die without harm."""

from automl_kd.execution._jobs import (
    Answer,
    EvaluateJob,
    Evaluated,
    Failed,
    Job,
    Setup,
    Stopped,
    Trained,
    TrainJob,
)
from automl_kd.execution._pool import WorkerPool
from automl_kd.execution._work import load_student, save_weights

__all__ = [
    "Answer",
    "EvaluateJob",
    "Evaluated",
    "Failed",
    "Job",
    "Setup",
    "Stopped",
    "TrainJob",
    "Trained",
    "WorkerPool",
    "load_student",
    "save_weights",
]
