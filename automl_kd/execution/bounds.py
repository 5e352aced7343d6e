"""How many workers a machine holds, and what a trial may take of it before its worker is ended."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

import psutil

_SILENT_SECONDS = 600.0
_STARTING_SECONDS = 600.0
"""Imports, data and teacher are not the training's, which a busy machine must not make its fault."""
_SHARE = 0.9
_LEAST_BYTES = 2e9
"""A worker that has loaded torch, data and a teacher takes a part of this before it trains anything."""


def usual_workers(device: str) -> int:
    """Trainings at a time on this machine: one a core, or one on a GPU that all would share.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.
    """
    import torch  # takes seconds, which who says how many need not wait for

    on_gpu = device != "cpu" and torch.cuda.is_available()
    return 1 if on_gpu else max(1, len(os.sched_getaffinity(0)))


@dataclass(frozen=True)
class Bounds:
    """Bounds of a trial.

    Attributes:
        silent_seconds: A training that makes no step for so long hangs.
        memory_bytes: Resident memory of its process.
        elsewhere: Whether a machine with more memory may be there for a training that takes too much of this one's.
    """

    silent_seconds: float
    memory_bytes: float
    elsewhere: bool = False

    @classmethod
    def of(
        cls, silent_seconds: float | None, memory_bytes: float | None, workers: int, *, elsewhere: bool = False
    ) -> Self:
        """The bounds asked for; by default ten minutes, and a worker's fair share of the machine's memory."""
        share = max(_LEAST_BYTES, _SHARE * psutil.virtual_memory().total / workers)
        return cls(silent_seconds or _SILENT_SECONDS, memory_bytes or share, elsewhere)

    def broken(self, process: int, silent: float, *, begun: bool) -> tuple[str, bool] | None:
        """Why a process has to end, and whether trying again may help; None where it keeps the bounds.

        Args:
            process: Its number.
            silent: Seconds since it last gave a sign.
            begun: Whether that sign came from its job, rather than from who gave it the job.
        """
        longest = self.silent_seconds if begun else max(self.silent_seconds, _STARTING_SECONDS)
        if silent > longest:
            done = "made no step" if begun else "its worker opened no data"
            return f"{done} for {longest:g} s (--trial-timeout)", True
        try:
            taken = psutil.Process(process).memory_info().rss
        except psutil.Error:
            return None  # it ended just now, which its connection tells
        if taken > self.memory_bytes:
            reason = f"took {taken / 1e9:.1f} GB of memory, over {self.memory_bytes / 1e9:.1f} GB (--trial-memory)"
            return reason, self.elsewhere
        return None
