"""Where a search's jobs run, by what the request says."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from automl_kd.core import import_extra
from automl_kd.execution import Bounds, Crew, Executor, InlineExecutor, JoinedWorkers, Setup, WorkerPool
from automl_kd.storage import Post
from automl_kd.studies.request import SearchRequest


def open_executor(request: SearchRequest, setup: Setup, post: Post, log: Path) -> Executor[Any]:
    """Workers for a search.

    Args:
        request: Says of which kind and how many.
        setup: What all jobs share.
        post: Mailboxes of workers that join worker processes of this machine.
        log: File for what worker processes of this machine write on standard error.

    Raises:
        UserError: If the kind is not installed, or its cluster cannot be reached.
    """
    if request.executor == "process":
        count = request.worker_count()
        joined: JoinedWorkers[Any] = JoinedWorkers(post, setup)
        if not count:
            return joined
        return Crew(WorkerPool(count, setup, log, Bounds.of(request.silence, request.memory, count)), joined)
    if request.executor == "inline":
        return InlineExecutor(setup)
    executor: Executor[Any] = _ray().RayExecutor(
        setup, address=request.address, most=request.workers, resources=request.resources
    )
    return executor


def check_executor(request: SearchRequest) -> None:
    """Make sure that workers can be opened, without opening any.

    A Ray cluster of this process's own, which would take seconds to start, is not tried.

    Raises:
        UserError: If the kind is not installed, or a cluster that is named cannot be reached or hold a worker.
    """
    if request.executor != "ray":
        return
    ray = _ray()
    address = request.address or os.environ.get("RAY_ADDRESS")
    if address not in (None, "auto", "local"):
        ray.check_cluster(address, request.device, request.resources)


def _ray() -> ModuleType:
    import_extra("ray", "ray", "executor ray")
    return import_module("automl_kd.execution.ray")  # ray takes a second
