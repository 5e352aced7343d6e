"""``--executor process``: worker processes of this machine, and those that join over the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_kd.execution.bounds import Bounds, usual_workers
from automl_kd.execution.composite import CompositeExecutor
from automl_kd.execution.database_executor import DatabaseExecutor
from automl_kd.execution.executor import Executor
from automl_kd.execution.executor_spec import EXECUTORS, ExecutorOptions, ExecutorSpec
from automl_kd.execution.jobs import Setup
from automl_kd.execution.pool import WorkerPool
from automl_kd.storage import JobQueue


def open_processes(options: ExecutorOptions, setup: Setup, queue: JobQueue, log: Path) -> Executor[Any]:
    """As many processes as asked for, by default one a core, and whoever joins."""
    count = usual_workers(options.device) if options.workers is None else options.workers
    joined: DatabaseExecutor[Any] = DatabaseExecutor(queue, setup)
    if not count:
        return joined
    bounds = Bounds.of(options.silent_seconds, options.memory_bytes, count)
    return CompositeExecutor(WorkerPool(count, setup, log, bounds), joined)


EXECUTORS.add("process", ExecutorSpec(open_processes, takes=frozenset({"trial_timeout", "trial_memory"}), joined=True))
