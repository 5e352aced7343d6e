"""How many workers a machine holds, and how much time and memory a job may take before its worker is ended."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

import psutil

_SILENT_SECONDS = 600.0
_STARTING_SECONDS = 600.0
"""Importing torch and opening data and teacher take long on a busy machine, which is not the training's fault."""
_MEMORY_SHARE = 0.9
_LEAST_BYTES = 2e9
"""The least bound on memory: torch, data and a teacher take a part of it before anything is trained."""


def usual_workers(device: str) -> int:
    """How many trainings run at a time on this machine: one a core, or one on a GPU, which all would share.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    import torch  # takes seconds, which a command that says how many need not wait for

    on_gpu = device != "cpu" and torch.cuda.is_available()
    return 1 if on_gpu else max(1, len(os.sched_getaffinity(0)))


@dataclass(frozen=True)
class Bounds:
    """What a job may take of its machine.

    Attributes:
        silent_seconds: Longest time between two steps; a job that takes longer counts as hanging.
        memory_bytes: Most resident memory of the worker's process.
        elsewhere: Whether another machine may have more memory, so that a job that took too much of it here may be
            tried again.
    """

    silent_seconds: float
    memory_bytes: float
    elsewhere: bool = False

    @classmethod
    def of(
        cls, silent_seconds: float | None, memory_bytes: float | None, workers: int, *, elsewhere: bool = False
    ) -> Self:
        """The bounds asked for; by default ten minutes, and an equal share of the machine's memory for each worker."""
        share = max(_LEAST_BYTES, _MEMORY_SHARE * psutil.virtual_memory().total / workers)
        return cls(silent_seconds or _SILENT_SECONDS, memory_bytes or share, elsewhere)

    def violation(self, process: int, silent: float, *, begun: bool) -> tuple[str, bool] | None:
        """Why a process has to end, and whether to try its job again may help; None where it keeps the bounds.

        Args:
            process: Its process id.
            silent: Seconds since its job last made a step, or since the worker was given the job.
            begun: Whether the job has begun; before, the worker opens data and teacher.
        """
        longest = self.silent_seconds if begun else max(self.silent_seconds, _STARTING_SECONDS)
        if silent > longest:
            done = "made no step" if begun else "its worker opened no data"
            return f"{done} for {longest:g} s (--trial-timeout)", True
        try:
            taken = psutil.Process(process).memory_info().rss
        except psutil.Error:
            return None  # it ended just now: its connection will tell
        if taken > self.memory_bytes:
            reason = f"took {taken / 1e9:.1f} GB of memory, over {self.memory_bytes / 1e9:.1f} GB (--trial-memory)"
            return reason, self.elsewhere
        return None
