"""Where a search's jobs run, by what the request says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl_kd.errors import UserError
from automl_kd.execution import Bounds, Executor, Setup, WorkerPool
from automl_kd.workflows._request import SearchRequest


def open_executor(request: SearchRequest, setup: Setup, log: Path) -> Executor[Any]:
    """Workers for a search.

    Args:
        request: Says of which kind and how many.
        setup: What all jobs share.
        log: File for what worker processes of this machine write on standard error.

    Raises:
        UserError: If the kind is not installed, or its cluster cannot be reached.
    """
    if request.executor == "process":
        count = request.worker_count()
        return WorkerPool(count, setup, log, Bounds.of(request.silence, request.memory, count))
    try:
        from automl_kd.execution._ray import RayExecutor  # ray takes a second, and is an extra
    except ModuleNotFoundError as error:
        raise UserError(f"executor ray needs {error.name}: pip install 'automl-kd[ray]'") from None
    return RayExecutor(setup, address=request.address, most=request.workers, resources=request.resources)
