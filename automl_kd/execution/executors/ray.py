"""``--executor ray``: workers on a Ray cluster; Ray, an extra, is imported when it is asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from automl_kd.core import import_extra
from automl_kd.execution.executor import Executor
from automl_kd.execution.executor_spec import EXECUTORS, ExecutorOptions, ExecutorSpec
from automl_kd.execution.jobs import Setup
from automl_kd.storage import JobQueue


def open_on_ray(options: ExecutorOptions, setup: Setup, queue: JobQueue, log: Path) -> Executor[Any]:
    """As many workers as asked for, by default what the cluster holds; Ray keeps their output itself.

    Raises:
        UserError: If Ray is not installed, or the cluster cannot be reached.
    """
    _require_ray()
    from automl_kd.execution import ray_executor

    return ray_executor.RayExecutor(setup, address=options.address, most=options.workers, resources=options.resources)


def check_ray(options: ExecutorOptions) -> None:
    """Make sure that a cluster that is named can be reached and hold a worker.

    One that would be started for this process is not tried, because that takes seconds.

    Raises:
        UserError: If Ray is not installed, or the cluster does not answer or is too small.
    """
    _require_ray()
    from automl_kd.execution import ray_executor

    address = options.address or os.environ.get("RAY_ADDRESS")
    if address not in (None, "auto", "local"):
        ray_executor.check_cluster(address, options.device, options.resources)


def _require_ray() -> None:
    import_extra("ray", "ray", "executor ray")


EXECUTORS.add("ray", ExecutorSpec(open_on_ray, check_ray, takes=frozenset({"address", "per_trial"})))
