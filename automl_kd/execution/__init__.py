"""Where trials run: worker processes that train to a checkpoint, stop when told, and may die without harm."""

from automl_kd.execution.bounds import Bounds, usual_workers
from automl_kd.execution.crew import Crew
from automl_kd.execution.executor import Executor
from automl_kd.execution.inline import InlineExecutor
from automl_kd.execution.jobs import (
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
from automl_kd.execution.joined import JoinedWorkers
from automl_kd.execution.joining import Joining, Taken
from automl_kd.execution.letters import setup_of
from automl_kd.execution.pool import WorkerPool

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
