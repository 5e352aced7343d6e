"""Where trials run: worker processes that train to a checkpoint, stop when told, and may die without harm."""

from automl_kd.execution._bounds import Bounds
from automl_kd.execution._executor import Executor
from automl_kd.execution._jobs import (
    Answer,
    Evaluated,
    EvaluateJob,
    Failed,
    Job,
    Setup,
    Stopped,
    Trained,
    TrainJob,
)
from automl_kd.execution._pool import WorkerPool

__all__ = [
    "Answer",
    "Bounds",
    "EvaluateJob",
    "Evaluated",
    "Executor",
    "Failed",
    "Job",
    "Setup",
    "Stopped",
    "TrainJob",
    "Trained",
    "WorkerPool",
]
