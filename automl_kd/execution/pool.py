"""Worker processes of this machine; one that dies is replaced."""

from __future__ import annotations

import contextlib
import multiprocessing
import subprocess
import sys
import time
from multiprocessing import connection
from pathlib import Path
from typing import Generic

from automl_kd.core import child_environment
from automl_kd.execution.bounds import Bounds
from automl_kd.execution.executor import Executor, Key
from automl_kd.execution.job_log import tell
from automl_kd.execution.jobs import Alive, Answer, Cancel, Failed, Job, Setup

_CHECK_SECONDS = 0.5
"""Between two checks of the bounds."""


class WorkerPool(Executor[Key]):
    """Worker processes that do one job each at a time.

    They are started with ``subprocess`` rather than ``multiprocessing``, because a user's script then needs no
    ``__main__`` guard.

    Args:
        count: Number of processes.
        setup: What all jobs share.
        log: File for what workers write on standard error besides the logs of their jobs.
        bounds: What a job may take before its worker is ended; by default as :meth:`Bounds.of` says.
    """

    def __init__(self, count: int, setup: Setup, log: Path, bounds: Bounds | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._setup = setup
        self._log = log
        self._bounds = bounds or Bounds.of(None, None, count)
        self._workers: list[_Worker[Key]] = [_Worker(setup, log) for _ in range(count)]

    @property
    def size(self) -> int:
        """How many jobs can run at a time."""
        return len(self._workers)

    @property
    def idle(self) -> int:
        """How many workers wait for a job."""
        return sum(worker.key is None for worker in self._workers)

    @property
    def running(self) -> list[Key]:
        """The jobs under way."""
        return [worker.key for worker in self._workers if worker.key is not None]

    def submit(self, key: Key, job: Job) -> None:
        """Give a job to an idle worker.

        Raises:
            IndexError: If no worker is idle.
        """
        idle = [worker for worker in self._workers if worker.key is None]
        idle[0].submit(key, job)

    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """Answers that arrived, waiting up to ``timeout`` seconds for the first. A dead worker is replaced."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            answers = self._receive(min(max(0.0, left), _CHECK_SECONDS)) + self._end_violators()
            if answers or left <= 0 or not self.running:
                return answers

    def _receive(self, timeout: float) -> list[tuple[Key, Answer]]:
        busy = {worker.connection: worker for worker in self._workers if worker.key is not None}
        answers: list[tuple[Key, Answer]] = []
        for ready in connection.wait(list(busy), timeout) if busy else []:
            worker = busy[ready]  # type: ignore[index]
            key = worker.key
            assert key is not None
            try:
                answer = worker.receive()
            except (EOFError, OSError):
                answer = Failed(worker.exit_reason(), worker_died=True)
                tell(worker.log, answer.reason)
                self._workers[self._workers.index(worker)] = _Worker(self._setup, self._log)
            if answer is not None:
                answers.append((key, answer))
        return answers

    def _end_violators(self) -> list[tuple[Key, Answer]]:
        """Replace workers whose job takes more than its bounds; gives why, as answers."""
        answers: list[tuple[Key, Answer]] = []
        for index, worker in enumerate(self._workers):
            if worker.key is None:
                continue
            found = self._bounds.violation(worker.process, worker.silent, begun=worker.begun)
            if found is not None:
                reason, again = found
                tell(worker.log, reason)
                answers.append((worker.key, Failed(reason, worker_died=again)))
                worker.kill()
                self._workers[index] = _Worker(self._setup, self._log)
        return answers

    def cancel(self, key: Key) -> None:
        """Ask the worker of one job to save its state and answer."""
        for worker in self._workers:
            if worker.key == key:
                worker.cancel()

    def abandon(self) -> list[Key]:
        """Kill the workers that are still busy, replace them, and return their jobs."""
        lost: list[Key] = []
        for index, worker in enumerate(self._workers):
            if worker.key is not None:
                lost.append(worker.key)
                worker.kill()
                self._workers[index] = _Worker(self._setup, self._log)
        return lost

    def kill(self) -> None:
        """End all workers now."""
        for worker in self._workers:
            worker.kill()
        self._workers = []

    def ask_to_stop(self) -> None:
        """Ask every worker to save its state and answer."""
        for worker in self._workers:
            worker.ask_to_stop()


class _Worker(Generic[Key]):
    """The driver's end of a worker process."""

    def __init__(self, setup: Setup, log: Path) -> None:
        self.key: Key | None = None
        self.log: Path | None = None
        self.begun = False
        self._cancelled = False
        self._alive_at = time.monotonic()
        self.connection, theirs = multiprocessing.Pipe()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "automl_kd.execution.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=child_environment(OMP_NUM_THREADS="1"),
            )
        theirs.close()
        self._send(setup)

    @property
    def process(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def silent(self) -> float:
        """Seconds since it was given its job, or since the job last made a step."""
        return time.monotonic() - self._alive_at

    def submit(self, key: Key, job: Job) -> None:
        self.key, self.log = key, job.log
        self.begun = self._cancelled = False
        self._alive_at = time.monotonic()
        self._send(job)

    def receive(self) -> Answer | None:
        """The answer to its job, or None for a message that the job is alive.

        Raises:
            EOFError, OSError: If the process died.
        """
        message: Answer | Alive = self.connection.recv()
        if isinstance(message, Alive):
            self.begun = True
            self._alive_at = time.monotonic()
            return None
        self.key = None
        return message

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._send(Cancel())

    def ask_to_stop(self) -> None:
        self._send(None)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def exit_reason(self) -> str:
        """How the process ended, in one line."""
        self.connection.close()
        code = self._process.wait()
        return f"worker process ended by signal {-code}" if code < 0 else f"worker process ended with code {code}"

    def _send(self, message: Setup | Job | Cancel | None) -> None:
        with contextlib.suppress(OSError):  # the process died, which wait() notices by the closed pipe
            self.connection.send(message)
