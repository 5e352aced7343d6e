"""The other end of :class:`automl_kd.execution.JoinedWorkers`: a machine's workers at the service of a driver."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from automl_kd.errors import UserError
from automl_kd.execution._jobs import Answer, Failed, Job, Stopped, failed_file
from automl_kd.execution._letters import letter_of_answer, parcel_of
from automl_kd.execution._parcel import Returned
from automl_kd.execution._pool import WorkerPool
from automl_kd.storage import Mailbox

_BEAT_SECONDS = 1.0
_POLL_SECONDS = 0.2
_TAKEN_SECONDS = 10.0
"""How long a worker that leaves waits for the driver to fetch its last answer."""


class Taken(Exception):
    """The driver took the mailboxes away: it has ended, or gave this machine up."""


class Joining:
    """Mailboxes of a machine's workers, with the jobs that come in done by a pool.

    As a context manager it beats from a thread of its own, and closes the mailboxes at its end.

    Args:
        new_mailbox: Makes one, which is not open yet.
        folder: An empty folder for the files of jobs.
    """

    def __init__(self, new_mailbox: Callable[[], Mailbox], folder: Path) -> None:
        self._new_mailbox = new_mailbox
        self._mailboxes: dict[int, Mailbox] = {}
        self._folder = folder
        self._under_way: dict[int, _Errand] = {}
        self._leaving = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._gone: UserError | None = None
        self.done = 0

    @property
    def busy(self) -> int:
        """Jobs under way."""
        return len(self._under_way)

    def __enter__(self) -> Self:
        self._open()
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._heart.join()
        if self._gone is None:
            for mailbox in self._mailboxes.values():
                mailbox.close()

    def asked(self) -> Mapping[str, Any] | None:
        """What the driver offers, None as long as there is none.

        Raises:
            Taken: If the mailboxes are gone.
        """
        self._look(0)
        return self._mailboxes[0].offer()

    def fetch(self, sha256: str) -> bytes:
        """A file of the offer."""
        return self._mailboxes[0].file_of_offer(sha256)

    def ready(self, workers: int) -> None:
        """Take jobs from now on, so many at a time."""
        while len(self._mailboxes) < workers:
            self._open()
        for mailbox in self._mailboxes.values():
            mailbox.ready(True)

    def step(self, pool: WorkerPool[int]) -> None:
        """Hand out what came in, and answer what was done.

        Raises:
            Taken: If the mailboxes are gone; what the pool does is nobody's any more.
            UserError: If this machine cannot do the study's jobs.
        """
        if self._gone is not None:
            raise self._gone
        for number, mailbox in self._mailboxes.items():
            posted, answered, stopping = self._look(number)
            if stopping:
                self.leave(pool)
                raise Taken
            if posted > answered and number not in self._under_way:
                self._begin(number, mailbox, posted, pool)
        if pool.running:
            self._answer(pool.wait(_POLL_SECONDS))
        else:
            time.sleep(_POLL_SECONDS)

    def leave(self, pool: WorkerPool[int]) -> None:
        """Hand back what is under way, its state saved, and wait until the driver has it."""
        for mailbox in self._mailboxes.values():
            mailbox.ready(False)
        last = list(self._under_way)
        self._answer(pool.stop())
        end = time.monotonic() + _TAKEN_SECONDS
        while time.monotonic() < end and any(self._mailboxes[number].answer_waits() for number in last):
            time.sleep(_POLL_SECONDS)

    def _open(self) -> None:
        mailbox = self._new_mailbox()
        mailbox.open()
        self._mailboxes[len(self._mailboxes)] = mailbox

    def _look(self, number: int) -> tuple[int, int, bool]:
        found = self._mailboxes[number].look()
        if found is None:
            raise Taken
        return found

    def _begin(self, number: int, mailbox: Mailbox, posted: int, pool: WorkerPool[int]) -> None:
        letter = mailbox.job()
        if letter is None:
            raise Taken
        folder = self._folder / f"{number}-{posted}"
        self._under_way[number] = _Errand(posted, folder)
        try:
            folder.mkdir()
            job = parcel_of(letter).unpack(folder)
        except OSError as error:
            self._answer([(number, failed_file(error, folder))])
            return
        self._under_way[number].job = job
        pool.submit(number, job)

    def _answer(self, answers: Sequence[tuple[int, Answer]]) -> None:
        broken: UserError | None = None
        for number, answer in answers:
            errand = self._under_way.pop(number)
            try:
                if isinstance(answer, Failed) and answer.fatal:
                    raise UserError(answer.reason)
                returned = Returned(answer) if errand.job is None else Returned.pack(answer, errand.job)
            except (UserError, OSError) as error:
                # This machine's fault: another does the job, from where it was.
                broken, returned = UserError(str(error)), Returned(Stopped())
            else:
                self.done += not isinstance(answer, Stopped)
            self._mailboxes[number].answer(errand.number, letter_of_answer(returned))
            shutil.rmtree(errand.folder, ignore_errors=True)
        if broken is not None:
            raise broken

    def _beat(self) -> None:
        while not self._leaving.wait(_BEAT_SECONDS):
            try:
                for mailbox in list(self._mailboxes.values()):
                    mailbox.beat()
            except UserError as error:  # told by the main thread
                self._gone = error
                return


@dataclass
class _Errand:
    number: int
    folder: Path
    job: Job | None = None
