"""Workers that join a study over the database that they share with its driver."""

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
from automl_kd.execution.jobs import Answer, Failed, Job, Setup, Stopped
from automl_kd.execution.letters import answer_of, letter_of_parcel, offer_of
from automl_kd.execution.parcel import Parcel
from automl_kd.storage import Post, Sign

_POLL_SECONDS = 0.2
_ALONE_SECONDS = 1.0
"""Between looks for the first worker."""
_CLOSING_SECONDS = 5.0
"""What one part of a file on its way takes at most, before an offer is taken back."""
_SILENT_SECONDS = 30.0
_STILL_SECONDS = 3.0
"""After so long without a beat, a process that is not there any more is taken for dead."""
_MOST_BETWEEN_LOOKS = 2.0
"""What a pause between two looks counts at most: while the database, or this process, stood still nobody could beat."""


class JoinedWorkers(Executor[Key]):
    """The driver's end of workers that come and go (:class:`automl_kd.execution.Joining` is theirs).

    Data and teacher are offered once a first worker asks. A worker whose heart does not beat for 30 s is given up: its
    job fails as one whose worker died, and the worker, should it live, sees that nobody waits for it.

    Args:
        post: The mailboxes of the study.
        setup: What all jobs share.
    """

    def __init__(self, post: Post, setup: Setup) -> None:
        self._post = post
        self._setup = setup
        self._offering: threading.Thread | None = None
        self._closing = threading.Event()
        self._broken: Exception | None = None
        self._workers: dict[str, _Worker[Key]] = {}
        self._looked = time.monotonic()
        post.clear()  # what workers do for a driver before this one is nobody's any more

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
        worker.key, worker.job = key, job
        self._post.give(idle[0], worker.number, letter_of_parcel(Parcel.pack(job)))

    def wait(self, timeout: float) -> list[tuple[Key, Answer]]:
        """Answers that arrived, waiting up to ``timeout`` seconds for the first, or for a worker to join."""
        end = time.monotonic() + timeout
        while True:
            pause = _POLL_SECONDS if self._workers else _ALONE_SECONDS
            due = self._looked + pause - time.monotonic()
            left = end - time.monotonic()
            if due > max(left, 0.0):
                time.sleep(max(left, 0.0))
                return []
            if due > 0:
                time.sleep(due)
            answers = self._look()
            if answers or left <= 0:
                return answers

    def abandon(self) -> list[Key]:
        """Take the mailboxes of busy workers away, and return their jobs."""
        busy = {name: worker for name, worker in self._workers.items() if worker.key is not None}
        for name in busy:
            self._drop(name)
        return [worker.key for worker in busy.values() if worker.key is not None]

    def kill(self) -> None:
        """Let all workers go; they wait for the study's next driver."""
        self._workers = {}
        self._closing.set()
        if self._offering is not None:
            self._offering.join(_CLOSING_SECONDS)
            self._offering = None
        with contextlib.suppress(UserError):  # a full disk, a server that went away: the next driver clears
            self._post.clear()

    def _ask_to_stop(self) -> None:
        if self._workers:
            self._post.ask_to_stop()

    def _look(self) -> list[tuple[Key, Answer]]:
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken
        now = time.monotonic()
        since, self._looked = min(now - self._looked, _MOST_BETWEEN_LOOKS), now
        signs = {sign.worker: sign for sign in self._post.signs()}
        if signs and self._offering is None:
            # Beside the loop, which beats and hands out jobs while gigabytes are on their way.
            self._offering = threading.Thread(target=self._offer, daemon=True)
            self._offering.start()
        answers = []
        for name, sign in signs.items():
            worker = self._workers.setdefault(name, _Worker(sign.host))
            worker.see(sign, since)
            if worker.key is not None and sign.answered == worker.number:
                answers += self._take(name, worker)
            elif (dead := worker.silent > _STILL_SECONDS and _ended(sign)) or worker.silent > _SILENT_SECONDS:
                self._drop(name)
                how = "was killed" if dead else f"gave no sign for {_SILENT_SECONDS:g} s"
                answers += _lost(worker, Failed(f"worker on {worker.host} {how}", worker_died=True))
        for name in [name for name in self._workers if name not in signs]:
            answers += _lost(self._workers.pop(name), Stopped())  # it left: not the job's fault
        return answers

    def _offer(self) -> None:
        def going() -> bool:
            return not self._closing.is_set()

        try:
            try:
                self._post.offer(*offer_of(self._setup), going)
            except UnreadableError as error:  # for those that join; it need not end a search that goes on here
                self._post.offer({"refused": str(error)}, going=going)
        except Exception as error:  # told by the main thread
            self._broken = error

    def _take(self, name: str, worker: _Worker[Key]) -> list[tuple[Key, Answer]]:
        key, job = worker.key, worker.job
        letter = self._post.take(name)
        if letter is None or key is None or job is None:
            return []  # it left between the look and this: the next look tells
        worker.key = worker.job = None
        return [(key, answer_of(letter).deliver(job))]

    def _drop(self, name: str) -> None:
        self._post.dismiss(name)
        self._workers.pop(name)


@dataclass
class _Worker(Generic[Key]):
    host: str
    ready: bool = False
    number: int = 0
    key: Key | None = None
    job: Job | None = None
    beats: int = -1
    silent: float = 0.0

    @property
    def idle(self) -> bool:
        return self.ready and self.key is None

    def see(self, sign: Sign, since: float) -> None:
        """Take in what its mailbox shows, so many seconds after the last look."""
        self.silent = 0.0 if sign.beats != self.beats else self.silent + since
        self.beats, self.ready = sign.beats, sign.ready


def _ended(sign: Sign) -> bool:
    """Whether its process has ended, as far as shows here: another machine may have this one's name."""
    return sign.host == socket.gethostname() and not psutil.pid_exists(sign.pid)


def _lost(worker: _Worker[Key], answer: Answer) -> list[tuple[Key, Answer]]:
    return [] if worker.key is None else [(worker.key, answer)]
