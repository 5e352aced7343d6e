"""Where trials run: worker processes that train to a checkpoint, stop when told, and may die without harm."""

from automl_kd.execution._bounds import Bounds, usual_workers
from automl_kd.execution._crew import Crew
from automl_kd.execution._executor import Executor
from automl_kd.execution._inline import InlineExecutor
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
from automl_kd.execution._joined import JoinedWorkers
from automl_kd.execution._joining import Joining, Taken
from automl_kd.execution._letters import setup_of
from automl_kd.execution._pool import WorkerPool

__all__ = [
    "Answer",
    "Bounds",
    "Crew",
    "EvaluateJob",
    "Evaluated",
    "Executor",
    "Failed",
    "InlineExecutor",
    "Job",
    "JoinedWorkers",
    "Joining",
    "Setup",
    "Stopped",
    "Taken",
    "TrainJob",
    "Trained",
    "WorkerPool",
    "setup_of",
    "usual_workers",
]
