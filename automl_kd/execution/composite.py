"""Several executors as one: the workers of this machine and those that join."""

from __future__ import annotations

import time

from automl_kd.execution.executor import Executor, Key
from automl_kd.execution.jobs import Answer, Job

_TURN_SECONDS = 0.1


class CompositeExecutor(Executor[Key]):
    """Several executors as one; a job goes to the first that has an idle worker.

    Args:
        members: The executors. ``wait`` waits for the first, and asks the others in turns.
    """

    def __init__(self, *members: Executor[Key]) -> None:
        self._members = members

    @property
    def size(self) -> int:
        """How many jobs can run at a time now."""
        return sum(member.size for member in self._members)

    @property
    def idle(self) -> int:
        """How many workers wait for a job."""
        return sum(member.idle for member in self._members)

    @property
    def running(self) -> list[Key]:
        """The jobs under way."""
        return [key for member in self._members for key in member.running]

    def submit(self, key: Key, job: Job) -> None:
        """Give a job to an idle worker.

        Raises:
            IndexError: If no worker is idle.
        """
        idle = [member for member in self._members if member.idle]
        idle[0].submit(key, job)

    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """Answers that arrived, waiting up to ``timeout`` seconds for the first."""
        first, *others = self._members
        end = time.monotonic() + timeout
        while True:
            turn = max(0.0, min(_TURN_SECONDS, end - time.monotonic()))
            if not first.running:  # it would return at once
                time.sleep(turn)
            answers = first.wait(turn) + [each for member in others for each in member.wait(0.0)]
            if answers or time.monotonic() >= end:
                return answers

    def cancel(self, key: Key) -> None:
        """Ask the worker of one job to save its state and answer, where its executor can."""
        for member in self._members:
            if key in member.running:
                member.cancel(key)

    def abandon(self) -> list[Key]:
        """Give up the workers that are still busy, and return their jobs."""
        return [key for member in self._members for key in member.abandon()]

    def kill(self) -> None:
        """End all workers now."""
        for member in self._members:
            member.kill()

    def ask_to_stop(self) -> None:
        """Ask every worker to save its state and answer."""
        for member in self._members:
            member.ask_to_stop()
