"""The executor of a search, by what the request says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from automl_kd.core import import_extra
from automl_kd.execution import (
    Bounds,
    CompositeExecutor,
    DatabaseExecutor,
    Executor,
    InlineExecutor,
    Setup,
    WorkerPool,
)
from automl_kd.storage import JobQueue
from automl_kd.studies.request import SearchRequest


def open_executor(request: SearchRequest, setup: Setup, queue: JobQueue, log: Path) -> Executor[Any]:
    """Workers for a search.

    Args:
        request: Says which kind of executor, and how many workers.
        setup: What all jobs share.
        queue: Mailboxes of workers that join those of this machine.
        log: File for what worker processes of this machine write on standard error.

    Raises:
        UserError: If the kind is not installed, or its cluster cannot be reached.
    """
    if request.executor == "process":
        count = request.worker_count()
        joined: DatabaseExecutor[Any] = DatabaseExecutor(queue, setup)
        if not count:
            return joined
        bounds = Bounds.of(request.silence, request.memory, count)
        return CompositeExecutor(WorkerPool(count, setup, log, bounds), joined)
    if request.executor == "inline":
        return InlineExecutor(setup)
    _require_ray()
    from automl_kd.execution import ray_executor  # Ray takes a second

    return ray_executor.RayExecutor(setup, address=request.address, most=request.workers, resources=request.resources)


def check_executor(request: SearchRequest) -> None:
    """Make sure that workers can be opened, without opening any.

    A Ray cluster that would be started for this process is not tried, because that takes seconds.

    Raises:
        UserError: If the kind is not installed, or a cluster that is named cannot be reached or hold a worker.
    """
    if request.executor != "ray":
        return
    _require_ray()
    from automl_kd.execution import ray_executor  # Ray takes a second

    address = request.address or os.environ.get("RAY_ADDRESS")
    if address not in (None, "auto", "local"):
        ray_executor.check_cluster(address, request.device, request.resources)


def _require_ray() -> None:
    import_extra("ray", "ray", "executor ray")
