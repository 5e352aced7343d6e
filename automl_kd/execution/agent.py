"""A machine's end of a study that it joins over the database: it takes jobs for its workers and sends their answers."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from automl_kd.core import UserError
from automl_kd.execution.file_bundles import AnswerBundle, SetupBundle
from automl_kd.execution.jobs import Answer, Failed, Job, Stopped, file_failure
from automl_kd.execution.messages import decode_job, decode_setup, encode_answer
from automl_kd.execution.pool import WorkerPool
from automl_kd.storage import Mailboxes, MailboxStatus

_BEAT_SECONDS = 1.0
_POLL_SECONDS = 0.2
_STUCK_SECONDS = 600.0
"""After so long without a turn of the main thread heartbeats end, because the machine does no jobs."""
_UNREAD_SECONDS = 10.0
"""How long a machine that leaves waits for the driver to take its last answers."""


class Dismissed(Exception):
    """The driver deleted the mailboxes: it has ended, or has given this machine up."""


class WorkerAgent:
    """Passes jobs from a machine's mailboxes to its pool of workers, and answers back.

    As a context manager it sends heartbeats from a thread of its own, and closes the mailboxes at its end.
    (:class:`automl_kd.execution.DatabaseExecutor` is the driver's end.)

    Args:
        mailboxes: The machine's, none of them open yet.
        folder: An empty folder for the files of jobs.
    """

    def __init__(self, mailboxes: Mailboxes, folder: Path) -> None:
        self._mailboxes = mailboxes
        self._folder = folder
        self._running: dict[int, _RunningJob] = {}
        self._leaving = threading.Event()
        self._heartbeat = threading.Thread(target=self._send_heartbeats, daemon=True)
        self._heartbeat_error: UserError | None = None
        self._last_turn: float | None = None  # None until it is ready: to open data and teacher may take any time
        self._sending_seconds = 0.0
        self.done = 0

    @property
    def busy(self) -> int:
        """Jobs under way."""
        return len(self._running)

    def __enter__(self) -> Self:
        self._mailboxes.open(1)
        self._heartbeat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._heartbeat.join()
        if self._heartbeat_error is None:
            self._mailboxes.close()

    def offer(self) -> SetupBundle | None:
        """The setup that the driver offers, its files still to be fetched; None as long as it offers nothing.

        Raises:
            Dismissed: If the mailboxes are gone.
            UserError: If the driver could make no offer, or one that this machine cannot take.
        """
        self._look()
        document = self._mailboxes.offer()
        return None if document is None else decode_setup(document)

    def fetch(self, sha256: str) -> Iterator[bytes]:
        """A file of the offer, in parts.

        Raises:
            Dismissed: If the driver took its offer back meanwhile.
        """
        try:
            yield from self._mailboxes.offered_file(sha256)
        except UserError:
            self._look()
            if self._mailboxes.offer() is None:
                raise Dismissed from None
            raise

    def set_ready(self, workers: int) -> None:
        """Take jobs from now on, at most ``workers`` at a time."""
        self._last_turn = time.monotonic()
        self._mailboxes.open(workers)
        self._mailboxes.set_ready(True)

    def step(self, pool: WorkerPool[int]) -> None:
        """Give jobs that came in to the pool, and send answers back.

        Raises:
            Dismissed: If mailboxes are gone; nobody waits any more for what the pool does.
            UserError: If this machine cannot do the study's jobs.
        """
        if self._heartbeat_error is not None:
            raise self._heartbeat_error
        mailboxes = self._look()
        if any(mailbox.stopping for mailbox in mailboxes.values()):
            self.leave(pool)
            raise Dismissed
        for position, mailbox in mailboxes.items():
            if mailbox.withdrawn:
                self._end(position, mailbox.posted, pool)
            elif mailbox.posted > mailbox.answered and position not in self._running:
                self._begin(position, mailbox.posted, pool)
        if pool.running:
            self._answer(pool.wait(_POLL_SECONDS))
        else:
            time.sleep(_POLL_SECONDS)

    def leave(self, pool: WorkerPool[int]) -> None:
        """Send jobs under way back with their state saved, and give the driver time to take all answers.

        Raises:
            UserError: If this machine could not even save them.
        """
        self._mailboxes.set_ready(False)
        try:
            self._answer(pool.stop())
        finally:
            end = time.monotonic() + _UNREAD_SECONDS
            while time.monotonic() < end and any(mailbox.unread for mailbox in self._mailboxes.status().values()):
                time.sleep(_POLL_SECONDS)

    def _look(self) -> dict[int, MailboxStatus]:
        if self._last_turn is not None:
            self._last_turn = time.monotonic()
        mailboxes = self._mailboxes.status()
        if len(mailboxes) < len(self._mailboxes):
            raise Dismissed
        return mailboxes

    def _begin(self, position: int, number: int, pool: WorkerPool[int]) -> None:
        began = time.monotonic()
        message = self._mailboxes.job(position)
        receiving = time.monotonic() - began
        if message is None:
            return  # withdrawn or dismissed since this machine looked, which the next look shows
        folder = self._folder / f"{position}-{number}"
        self._running[position] = _RunningJob(number, folder)
        try:
            folder.mkdir()
            job = decode_job(message).unpack(folder, receiving + max(receiving, self._sending_seconds))
        except OSError as error:
            self._answer([(position, file_failure(error, folder))])
            return
        self._running[position].job = job
        pool.submit(position, job)

    def _end(self, position: int, number: int, pool: WorkerPool[int]) -> None:
        """End a job that was withdrawn, whether it was begun or not."""
        if position in self._running:
            pool.cancel(position)
        else:
            self._mailboxes.answer(position, number, encode_answer(AnswerBundle(Stopped())))

    def _answer(self, answers: Sequence[tuple[int, Answer]]) -> None:
        fault: UserError | None = None
        for position, answer in answers:
            running = self._running.pop(position)
            try:
                if isinstance(answer, Failed) and answer.fatal:
                    raise UserError(answer.reason)
                bundle = AnswerBundle(answer) if running.job is None else AnswerBundle.pack(answer, running.job)
            except (UserError, OSError) as error:
                # It is this machine's fault: another machine can go on with the job from where it was.
                fault, bundle = UserError(str(error)), AnswerBundle(Stopped())
            else:
                self.done += not isinstance(answer, Stopped)
            began = time.monotonic()
            self._mailboxes.answer(position, running.number, encode_answer(bundle))
            self._sending_seconds = time.monotonic() - began
            shutil.rmtree(running.folder, ignore_errors=True)
        if fault is not None:
            raise fault

    def _send_heartbeats(self) -> None:
        while not self._leaving.wait(_BEAT_SECONDS):
            if self._last_turn is not None and time.monotonic() - self._last_turn > _STUCK_SECONDS:
                continue
            try:
                self._mailboxes.beat()
            except UserError as error:  # raised in the main thread
                self._heartbeat_error = error
                return


@dataclass
class _RunningJob:
    """A job under way.

    Attributes:
        number: Its number in its mailbox.
        folder: Of its files.
        job: The job, once its files are there.
    """

    number: int
    folder: Path
    job: Job | None = None
