"""``--executor inline``: jobs in the driver's process, for a debugger, or where no process may be started."""

from __future__ import annotations

import queue
import threading
import time

from automl_kd.execution.executor import Executor, Key
from automl_kd.execution.executor_spec import EXECUTORS, ExecutorSpec
from automl_kd.execution.jobs import Answer, Job, Setup


class InlineExecutor(Executor[Key]):
    """One worker, a thread of the driver's process: it shares the driver's memory and breakpoints, and dies with it.

    A thread cannot be ended from outside. One that does not react to a stop is left behind, and its answer is ignored.

    Args:
        setup: What all jobs share.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._worker = _Worker(setup)
        self._key: Key | None = None

    @property
    def size(self) -> int:
        """One."""
        return 1

    @property
    def idle(self) -> int:
        """1 while the worker waits for a job, else 0."""
        return int(self._key is None)

    @property
    def running(self) -> list[Key]:
        """The job under way."""
        return [] if self._key is None else [self._key]

    def submit(self, key: Key, job: Job) -> None:
        """Give a job to the worker.

        Raises:
            IndexError: If it has one already.
        """
        if self._key is not None:
            raise IndexError("no worker is idle")
        self._key = key
        self._worker.cancelled.clear()
        self._worker.jobs.put(job)

    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """The answer, waiting up to ``timeout`` seconds for it."""
        key = self._key
        if key is None:
            time.sleep(timeout)
            return []
        try:
            answer = self._worker.answers.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return []
        self._key = None
        return [(key, answer)]

    def cancel(self, key: Key) -> None:
        """Ask the worker to save the state of its job and answer."""
        if key == self._key:
            self._worker.cancelled.set()

    def abandon(self) -> list[Key]:
        """Leave a busy worker behind, start another, and return its job."""
        lost = self.running
        if lost:
            self.kill()
            self._worker = _Worker(self._setup)
        return lost

    def kill(self) -> None:
        """Let the worker end at its next step."""
        self._key = None
        self._worker.stop.set()
        self._worker.jobs.put(None)

    def ask_to_stop(self) -> None:
        """Ask the worker to save its state and answer."""
        self._worker.stop.set()


class _Worker(threading.Thread):
    """The thread: a daemon, because a job that hangs must not keep the process from ending."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(daemon=True, name="automl-kd-worker")
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.stop, self.cancelled = threading.Event(), threading.Event()
        self._setup = setup
        self.start()

    def run(self) -> None:
        from automl_kd.execution.job_runner import JobRunner  # it imports torch, for which the driver need not wait

        runner = JobRunner(self._setup, lambda: self.stop.is_set() or self.cancelled.is_set())
        while (job := self.jobs.get()) is not None:
            self.answers.put(runner.do(job))


EXECUTORS.add("inline", ExecutorSpec(lambda options, setup, queue, log: InlineExecutor(setup), most=1))
