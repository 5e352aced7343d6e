"""What a search may name as its executor: one file each in ``automl_kd.execution.executors``, or in an extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_kd.core import Registry
from automl_kd.execution.executor import Executor
from automl_kd.execution.jobs import Setup
from automl_kd.storage import JobQueue


@dataclass(frozen=True)
class ExecutorOptions:
    """What a user asks of an executor, each None where nothing was said.

    Attributes:
        device: Where students train: ``auto``, ``cpu`` or ``cuda``.
        workers: Trainings at a time.
        address: Of a cluster, ``--address``.
        resources: What a trial takes of a cluster, ``--per-trial``, for example ``{"CPU": 1.0}``.
        silent_seconds: Longest time between two steps of a training, ``--trial-timeout``.
        memory_bytes: Most memory of a training, ``--trial-memory``.
    """

    device: str
    workers: int | None = None
    address: str | None = None
    resources: Mapping[str, float] | None = None
    silent_seconds: float | None = None
    memory_bytes: float | None = None


def _nothing(options: ExecutorOptions) -> None:
    """No check."""


@dataclass(frozen=True)
class ExecutorSpec:
    """An executor that a search may name.

    Attributes:
        open: ``(options, setup, queue, log)`` to workers: what was asked for; what all jobs share; mailboxes of workers
            that join; a file for what workers write on standard error. It raises UserError where that cannot be.
        check: Makes sure that workers can be opened, without opening any and within a second; raises UserError.
        takes: Those of ``address``, ``per_trial``, ``trial_timeout`` and ``trial_memory`` that it heeds; one that is
            given besides is refused.
        joined: Whether workers join it over the queue, so that it may begin with none.
        most: Workers at the most, None where any number will do.
    """

    open: Callable[[ExecutorOptions, Setup, JobQueue, Path], Executor[Any]]
    check: Callable[[ExecutorOptions], None] = _nothing
    takes: frozenset[str] = frozenset()
    joined: bool = False
    most: int | None = None


EXECUTORS: Registry[ExecutorSpec] = Registry("executor", home="automl_kd.execution.executors", first=("process",))
"""The executors by the names that ``--executor`` takes."""
