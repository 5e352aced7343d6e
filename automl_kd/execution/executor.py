"""The interface of everything that runs a search's jobs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Hashable
from types import TracebackType
from typing import Generic, Self, TypeVar

from automl_kd.execution.jobs import Answer, Job

Key = TypeVar("Key", bound=Hashable)

_GRACE_SECONDS = 10.0


class Executor(ABC, Generic[Key]):
    """Workers that do one job each at a time; the caller names every job by a key of its choice."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many jobs can run at a time now."""

    @property
    @abstractmethod
    def idle(self) -> int:
        """How many workers wait for a job."""

    @property
    @abstractmethod
    def running(self) -> list[Key]:
        """The jobs under way."""

    @abstractmethod
    def submit(self, key: Key, job: Job) -> None:
        """Give a job to an idle worker.

        Raises:
            IndexError: If no worker is idle.
        """

    @abstractmethod
    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """Answers that arrived, waiting up to ``timeout`` seconds for the first. A dead worker is replaced."""

    @abstractmethod
    def abandon(self) -> list[Key]:
        """Kill the workers that are still busy, replace them, and return their jobs."""

    @abstractmethod
    def kill(self) -> None:
        """End all workers now."""

    @abstractmethod
    def ask_to_stop(self) -> None:
        """Ask every worker to save its state and answer."""

    def cancel(self, key: Key) -> None:
        """Ask the worker of one job to end it: it answers ``Stopped``, or what it had come to before it heard.

        The other jobs run on, and the worker takes another once it has answered. A key that is not under way is
        nothing. An executor that cannot stop a single job does nothing: the job ends by itself, at its next rung.
        """

    def stop(self) -> list[tuple[Key, Answer]]:
        """Let running jobs save their state and end, and kill those that do not. Returns the last answers."""
        self.ask_to_stop()
        answers: list[tuple[Key, Answer]] = []
        deadline = time.monotonic() + _GRACE_SECONDS
        while self.running and (left := deadline - time.monotonic()) > 0:
            answers += self.wait(left)
        self.kill()
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
