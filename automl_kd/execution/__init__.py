"""Where jobs run: in this process, in worker processes, on workers that join over the database, or on a Ray cluster.

A worker trains to a checkpoint, stops when told, and may die without harm. ``ray_executor`` is a module, to be imported
where it is used, because Ray takes a second and may be absent.
"""

from automl_kd.execution.agent import Dismissed, WorkerAgent
from automl_kd.execution.bounds import Bounds, usual_workers
from automl_kd.execution.composite import CompositeExecutor
from automl_kd.execution.database_executor import DatabaseExecutor
from automl_kd.execution.executor import Executor
from automl_kd.execution.executor_spec import EXECUTORS, ExecutorOptions, ExecutorSpec
from automl_kd.execution.executors.inline import InlineExecutor
from automl_kd.execution.file_bundles import SetupBundle
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
from automl_kd.execution.pool import WorkerPool

__all__ = [
    "EXECUTORS",
    "Answer",
    "Bounds",
    "CompositeExecutor",
    "DatabaseExecutor",
    "Dismissed",
    "EvaluateJob",
    "Evaluated",
    "Executor",
    "ExecutorOptions",
    "ExecutorSpec",
    "Failed",
    "InlineExecutor",
    "Job",
    "Setup",
    "SetupBundle",
    "Stopped",
    "TrainJob",
    "Trained",
    "WorkerAgent",
    "WorkerPool",
    "ray_executor",
    "usual_workers",
]
