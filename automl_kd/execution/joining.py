"""The other end of :class:`automl_kd.execution.JoinedWorkers`: a machine's workers at the service of a driver."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from automl_kd.core import UserError
from automl_kd.execution.jobs import Answer, Failed, Job, Stopped, failed_file
from automl_kd.execution.letters import letter_of_answer, parcel_of
from automl_kd.execution.parcel import Returned
from automl_kd.execution.pool import WorkerPool
from automl_kd.storage import Mailboxes, Slot

_BEAT_SECONDS = 1.0
_POLL_SECONDS = 0.2
_STUCK_SECONDS = 600.0
"""A machine whose main thread made no turn for so long does no jobs, though its heart could beat on."""
_TAKEN_SECONDS = 10.0
"""How long a worker that leaves waits for the driver to fetch its last answer."""


class Taken(Exception):
    """The driver took the mailboxes away: it has ended, or gave this machine up."""


class Joining:
    """Mailboxes of a machine's workers, with the jobs that come in done by a pool.

    As a context manager it beats from a thread of its own, and closes the mailboxes at its end.

    Args:
        mailboxes: None is open yet.
        folder: An empty folder for the files of jobs.
    """

    def __init__(self, mailboxes: Mailboxes, folder: Path) -> None:
        self._mailboxes = mailboxes
        self._folder = folder
        self._under_way: dict[int, _Errand] = {}
        self._leaving = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._gone: UserError | None = None
        self._turned: float | None = None  # before it is ready, opening data and teacher may take any time
        self._way_back = 0.0
        self.done = 0

    @property
    def busy(self) -> int:
        """Jobs under way."""
        return len(self._under_way)

    def __enter__(self) -> Self:
        self._mailboxes.open(1)
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        self._heart.join()
        if self._gone is None:
            self._mailboxes.close()

    def asked(self) -> Mapping[str, Any] | None:
        """What the driver offers, None as long as there is none.

        Raises:
            Taken: If the mailboxes are gone.
        """
        self._look()
        return self._mailboxes.offer()

    def fetch(self, sha256: str) -> Iterator[bytes]:
        """A file of the offer, in parts.

        Raises:
            Taken: If the driver took its offer back meanwhile.
        """
        try:
            yield from self._mailboxes.file_of_offer(sha256)
        except UserError:
            self._look()
            if self._mailboxes.offer() is None:
                raise Taken from None
            raise

    def ready(self, workers: int) -> None:
        """Take jobs from now on, so many at a time."""
        self._turned = time.monotonic()
        self._mailboxes.open(workers)
        self._mailboxes.ready(True)

    def step(self, pool: WorkerPool[int]) -> None:
        """Hand out what came in, and answer what was done.

        Raises:
            Taken: If mailboxes are gone; what the pool does is nobody's any more.
            UserError: If this machine cannot do the study's jobs.
        """
        if self._gone is not None:
            raise self._gone
        slots = self._look()
        if any(slot.stopping for slot in slots.values()):
            self.leave(pool)
            raise Taken
        for position, slot in slots.items():
            if slot.posted > slot.answered and position not in self._under_way:
                self._begin(position, slot.posted, pool)
        if pool.running:
            self._answer(pool.wait(_POLL_SECONDS))
        else:
            time.sleep(_POLL_SECONDS)

    def leave(self, pool: WorkerPool[int]) -> None:
        """Hand back what is under way, its state saved, and give the driver time to take all answers.

        Raises:
            UserError: If this machine could not even save them.
        """
        self._mailboxes.ready(False)
        try:
            self._answer(pool.stop())
        finally:
            end = time.monotonic() + _TAKEN_SECONDS
            while time.monotonic() < end and any(slot.waits for slot in self._mailboxes.look().values()):
                time.sleep(_POLL_SECONDS)

    def _look(self) -> dict[int, Slot]:
        if self._turned is not None:
            self._turned = time.monotonic()
        slots = self._mailboxes.look()
        if len(slots) < len(self._mailboxes):
            raise Taken
        return slots

    def _begin(self, position: int, posted: int, pool: WorkerPool[int]) -> None:
        began = time.monotonic()
        letter = self._mailboxes.job(position)
        here = time.monotonic() - began
        late = here + max(here, self._way_back)
        if letter is None:
            raise Taken
        folder = self._folder / f"{position}-{posted}"
        self._under_way[position] = _Errand(posted, folder)
        try:
            folder.mkdir()
            job = parcel_of(letter).unpack(folder, late)
        except OSError as error:
            self._answer([(position, failed_file(error, folder))])
            return
        self._under_way[position].job = job
        pool.submit(position, job)

    def _answer(self, answers: Sequence[tuple[int, Answer]]) -> None:
        broken: UserError | None = None
        for position, answer in answers:
            errand = self._under_way.pop(position)
            try:
                if isinstance(answer, Failed) and answer.fatal:
                    raise UserError(answer.reason)
                returned = Returned(answer) if errand.job is None else Returned.pack(answer, errand.job)
            except (UserError, OSError) as error:
                # This machine's fault: another does the job, from where it was.
                broken, returned = UserError(str(error)), Returned(Stopped())
            else:
                self.done += not isinstance(answer, Stopped)
            began = time.monotonic()
            self._mailboxes.answer(position, errand.number, letter_of_answer(returned))
            self._way_back = time.monotonic() - began
            shutil.rmtree(errand.folder, ignore_errors=True)
        if broken is not None:
            raise broken

    def _beat(self) -> None:
        while not self._leaving.wait(_BEAT_SECONDS):
            if self._turned is not None and time.monotonic() - self._turned > _STUCK_SECONDS:
                continue
            try:
                self._mailboxes.beat()
            except UserError as error:  # told by the main thread
                self._gone = error
                return


@dataclass
class _Errand:
    number: int
    folder: Path
    job: Job | None = None
