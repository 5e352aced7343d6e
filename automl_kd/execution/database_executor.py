"""The driver's end of workers that join a study over the database."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import Generic

import psutil

from automl_kd.core import UserError
from automl_kd.execution.archive import UnreadableError
from automl_kd.execution.executor import Executor, Key
from automl_kd.execution.file_bundles import JobBundle
from automl_kd.execution.job_log import tell
from automl_kd.execution.jobs import Answer, Failed, Job, Setup, Stopped
from automl_kd.execution.messages import decode_answer, encode_job, encode_setup
from automl_kd.storage import JobQueue, WorkerStatus

_POLL_SECONDS = 0.2
_ALONE_SECONDS = 1.0
"""Between two looks for the first worker."""
_CLOSING_SECONDS = 5.0
"""The longest that one part of a file takes to be stored, after which an offer can be taken back."""
_SILENT_SECONDS = 30.0
_MISSING_SECONDS = 3.0
"""After so long without a heartbeat, a worker of this machine whose process is gone counts as dead."""
_MOST_BETWEEN_LOOKS = 2.0
"""The most that a pause between two looks counts: nothing arrives while the database, or this process, stands still."""


class DatabaseExecutor(Executor[Key]):
    """Workers that come and go, each with a mailbox in the database (:class:`automl_kd.execution.WorkerAgent`).

    Data and teacher are offered once a first worker joins. A worker that sends no heartbeat for 30 s is given up: its
    job fails as one whose worker died, and the worker, if it lives, sees that nobody waits for its job.

    Args:
        queue: The mailboxes of the study.
        setup: What all jobs share.
    """

    def __init__(self, queue: JobQueue, setup: Setup) -> None:
        self._queue = queue
        self._setup = setup
        self._offering: threading.Thread | None = None
        self._closing = threading.Event()
        self._offer_error: Exception | None = None
        self._workers: dict[str, _Worker[Key]] = {}
        self._looked_at = time.monotonic()
        queue.clear()  # nobody waits any more for what workers do for an earlier driver

    @property
    def size(self) -> int:
        """How many workers take jobs."""
        return sum(worker.ready or worker.key is not None for worker in self._workers.values())

    @property
    def idle(self) -> int:
        """How many workers wait for a job."""
        return sum(worker.idle for worker in self._workers.values())

    @property
    def running(self) -> list[Key]:
        """The jobs under way."""
        return [worker.key for worker in self._workers.values() if worker.key is not None]

    def submit(self, key: Key, job: Job) -> None:
        """Give a job to an idle worker.

        Raises:
            IndexError: If no worker is idle.
        """
        idle = [name for name, worker in self._workers.items() if worker.idle]
        worker = self._workers[idle[0]]
        worker.number += 1
        worker.key, worker.job, worker.withdrawn = key, job, False
        self._queue.post(idle[0], worker.number, encode_job(JobBundle.pack(job)))

    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """Answers that arrived, waiting up to ``timeout`` seconds for the first, or for a worker to join."""
        end = time.monotonic() + timeout
        while True:
            pause = _POLL_SECONDS if self._workers else _ALONE_SECONDS
            due = self._looked_at + pause - time.monotonic()
            left = end - time.monotonic()
            if due > max(left, 0.0):
                time.sleep(max(left, 0.0))
                return []
            if due > 0:
                time.sleep(due)
            answers = self._look()
            if answers or left <= 0:
                return answers

    def cancel(self, key: Key) -> None:
        """Take one job back: its worker saves the state and answers within about a second."""
        for name, worker in self._workers.items():
            if worker.key == key and not worker.withdrawn:
                worker.withdrawn = True
                self._queue.withdraw(name)

    def abandon(self) -> list[Key]:
        """Delete the mailboxes of busy workers, and return their jobs."""
        busy = {name: worker for name, worker in self._workers.items() if worker.key is not None}
        for name in busy:
            self._dismiss(name)
        return [worker.key for worker in busy.values() if worker.key is not None]

    def kill(self) -> None:
        """Let all workers go; they wait for the study's next driver."""
        self._workers = {}
        self._closing.set()
        if self._offering is not None:
            self._offering.join(_CLOSING_SECONDS)
            self._offering = None
        with contextlib.suppress(UserError):  # a full disk, or a server that went away: the next driver clears
            self._queue.clear()

    def ask_to_stop(self) -> None:
        """Ask every worker to save its state and answer."""
        if self._workers:
            self._queue.ask_to_stop()

    def _look(self) -> list[tuple[Key, Answer]]:
        """Look at all mailboxes: take answers, and give up workers that have left or died.

        Raises:
            Exception: What went wrong with the offer, once.
        """
        if self._offer_error is not None:
            error, self._offer_error = self._offer_error, None
            raise error
        now = time.monotonic()
        since, self._looked_at = min(now - self._looked_at, _MOST_BETWEEN_LOOKS), now
        joined = {status.worker: status for status in self._queue.workers()}
        if joined and self._offering is None:
            # In a thread, because this loop sends heartbeats and hands out jobs while gigabytes are on their way.
            self._offering = threading.Thread(target=self._offer, daemon=True)
            self._offering.start()
        answers = []
        for name, status in joined.items():
            worker = self._workers.setdefault(name, _Worker(status.host))
            worker.update(status, since)
            if worker.key is not None and status.answered == worker.number:
                answers += self._take(name, worker)
            elif (dead := worker.silent > _MISSING_SECONDS and _is_gone(status)) or worker.silent > _SILENT_SECONDS:
                self._dismiss(name)
                how = "was killed" if dead else f"gave no sign for {_SILENT_SECONDS:g} s"
                answers += worker.lose(Failed(f"worker on {worker.host} {how}", worker_died=True))
        for name in [name for name in self._workers if name not in joined]:
            answers += self._workers.pop(name).lose(Stopped())  # the worker left, which is not the job's fault
        return answers

    def _offer(self) -> None:
        def going() -> bool:
            return not self._closing.is_set()

        try:
            try:
                self._queue.offer(*encode_setup(self._setup), going)
            except UnreadableError as error:  # told to the machines that join; workers of this one can go on
                self._queue.offer({"refused": str(error)}, going=going)
        except Exception as error:  # raised in the main thread
            self._offer_error = error

    def _take(self, name: str, worker: _Worker[Key]) -> list[tuple[Key, Answer]]:
        key, job = worker.key, worker.job
        message = self._queue.take(name)
        if message is None or key is None or job is None:
            return []  # the worker left since this look began, which the next one shows
        worker.key = worker.job = None
        return [(key, decode_answer(message).deliver(job))]

    def _dismiss(self, name: str) -> None:
        self._queue.dismiss(name)
        self._workers.pop(name)


@dataclass
class _Worker(Generic[Key]):
    """What the driver knows of a worker.

    Attributes:
        host: Name of its machine.
        ready: Whether it takes jobs.
        number: Of the last job that it was given.
        key: Of the job that it has now.
        job: The job that it has now.
        withdrawn: Whether that was taken back.
        heartbeats: How many it had sent at the last look.
        silent: Seconds since they last became more.
    """

    host: str
    ready: bool = False
    number: int = 0
    key: Key | None = None
    job: Job | None = None
    withdrawn: bool = False
    heartbeats: int = -1
    silent: float = 0.0

    @property
    def idle(self) -> bool:
        return self.ready and self.key is None

    def update(self, status: WorkerStatus, since: float) -> None:
        """Take in what its mailbox shows, ``since`` seconds after the last look."""
        self.silent = 0.0 if status.heartbeats != self.heartbeats else self.silent + since
        self.heartbeats, self.ready = status.heartbeats, status.ready

    def lose(self, answer: Failed | Stopped) -> list[tuple[Key, Answer]]:
        """The answer to the job of a worker that is given up, where it has one."""
        if self.key is None or self.job is None:
            return []
        tell(self.job.log, answer.reason if isinstance(answer, Failed) else f"worker on {self.host} left")
        return [(self.key, answer)]


def _is_gone(status: WorkerStatus) -> bool:
    """Whether a worker of this machine has no process any more; another machine may have the same name."""
    return status.host == socket.gethostname() and not psutil.pid_exists(status.pid)
