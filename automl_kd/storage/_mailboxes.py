"""How the driver of a study and workers on other machines speak: each worker has a mailbox in the database.

The driver posts a job into a mailbox and takes the answer out of it; nobody else writes there, so there is nothing to
compete for. A worker beats by counting, and the driver looks whether the count goes on: no machine's clock is compared
with another's. Files go by the hash of their content, in parts.
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from automl_kd.errors import UserError
from automl_kd.storage._tables import FileRow, OfferRow, WorkerRow

if TYPE_CHECKING:
    from automl_kd.storage._database import Database

_PART_BYTES = 4_000_000
"""One statement carries so much: a heartbeat finds its way between two of them."""


@dataclass(frozen=True)
class Letter:
    """What is posted.

    Attributes:
        document: Plain data.
        files: What goes with it, by name.
    """

    document: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Sign:
    """What the driver sees of a worker.

    Attributes:
        worker: Its mailbox.
        host: Its machine.
        pid: Its process there.
        beats: How often it has beaten.
        ready: Whether it takes jobs: it has checked the study's data and teacher, and does not leave.
        answered: The number of the job that it answered last.
    """

    worker: str
    host: str
    pid: int
    beats: int
    ready: bool
    answered: int


class Post:
    """The driver's side.

    Args:
        database: The database.
        study: Whose workers.
    """

    def __init__(self, database: Database, study: str) -> None:
        self._database = database
        self._study = study

    def clear(self) -> None:
        """Forget all mailboxes and the offer: workers see that their jobs are nobody's any more."""

        def work(session: Session) -> None:
            session.execute(delete(WorkerRow).where(WorkerRow.study == self._study))
            session.execute(delete(OfferRow).where(OfferRow.study == self._study))
            session.execute(delete(FileRow).where(FileRow.owner == _offer_of(self._study)))
            # Also what a worker left that was killed while it wrote, in a mailbox that was taken away before.
            nobodys = FileRow.owner.not_in(select(WorkerRow.id)) & FileRow.owner.not_like(_offer_of("%"))
            session.execute(delete(FileRow).where(nobodys))

        self._database.transact(work)

    def offer(self, setup: Letter) -> None:
        """Say what all jobs of the study share, for workers that join."""
        document = _store(self._database, _offer_of(self._study), setup)
        self._database.transact(lambda session: session.merge(OfferRow(study=self._study, setup=document)))

    def signs(self) -> list[Sign]:
        """The workers that have joined."""
        columns = (WorkerRow.id, WorkerRow.host, WorkerRow.pid, WorkerRow.beats, WorkerRow.ready, WorkerRow.answered)
        query = select(*columns).where(WorkerRow.study == self._study)
        return self._database.transact(lambda session: [Sign(*row) for row in session.execute(query)])

    def give(self, worker: str, number: int, job: Letter) -> None:
        """Post a job, the worker's ``number``-th."""
        _forget(self._database, worker)
        document = _store(self._database, worker, job)
        _set(self._database, worker, posted=number, job=document)

    def take(self, worker: str) -> Letter | None:
        """The answer to the worker's last job; None if the worker left just now."""
        document = _get(self._database, WorkerRow.answer, worker)
        if document is None:
            return None
        letter = _load(self._database, worker, document)
        _set(self._database, worker, answer=None)
        _forget(self._database, worker)
        return letter

    def ask_to_stop(self) -> None:
        """Have all workers save their state and answer."""
        statement = update(WorkerRow).where(WorkerRow.study == self._study).values(stopping=True)
        self._database.transact(lambda session: session.execute(statement))

    def dismiss(self, worker: str) -> None:
        """Take a worker's mailbox away: it sees that its job is nobody's any more."""
        _close(self._database, worker)


class Mailbox:
    """A worker's side.

    Args:
        database: The database.
        study: The study that it joins.
    """

    def __init__(self, database: Database, study: str) -> None:
        self._database = database
        self._study = study
        self._id = uuid.uuid4().hex

    def open(self) -> None:
        """Join; jobs come once the worker says that it is :meth:`ready`."""
        row = {"id": self._id, "study": self._study, "host": socket.gethostname(), "pid": os.getpid()}
        self._database.transact(lambda session: session.execute(insert(WorkerRow).values(**row)))

    def beat(self) -> None:
        """Say that the worker lives."""
        statement = update(WorkerRow).where(WorkerRow.id == self._id).values(beats=WorkerRow.beats + 1)
        self._database.transact(lambda session: session.execute(statement))

    def ready(self, ready: bool) -> None:
        """Whether the worker takes jobs from now on."""
        _set(self._database, self._id, ready=ready)

    def look(self) -> tuple[int, int, bool] | None:
        """Numbers of the jobs posted and answered last, and whether to stop; None if the mailbox was taken away."""
        query = select(WorkerRow.posted, WorkerRow.answered, WorkerRow.stopping).where(WorkerRow.id == self._id)
        row = self._database.transact(lambda session: session.execute(query).one_or_none())
        return None if row is None else (row.posted, row.answered, row.stopping)

    def offer(self) -> Mapping[str, Any] | None:
        """What the driver offers, without its files; None as long as there is none."""
        query = select(OfferRow.setup).where(OfferRow.study == self._study)
        found = self._database.transact(lambda session: session.scalar(query))
        return None if found is None else dict(found["document"])

    def file_of_offer(self, sha256: str) -> bytes:
        """A file of the offer by its hash.

        Raises:
            UserError: If it is gone, or not what its hash says.
        """
        return _read(self._database, _offer_of(self._study), sha256)

    def job(self) -> Letter | None:
        """The job posted last; None if the mailbox was taken away."""
        document = _get(self._database, WorkerRow.job, self._id)
        return None if document is None else _load(self._database, self._id, document)

    def answer(self, number: int, answer: Letter) -> None:
        """Answer the ``number``-th job."""
        _forget(self._database, self._id)
        document = _store(self._database, self._id, answer)
        _set(self._database, self._id, answered=number, answer=document)

    def answer_waits(self) -> bool:
        """Whether the driver has not taken the answer yet."""
        return _get(self._database, WorkerRow.answer, self._id) is not None

    def close(self) -> None:
        """Leave."""
        _close(self._database, self._id)


def _offer_of(study: str) -> str:
    return f"offer of {study}"


def _set(database: Database, worker: str, **values: Any) -> None:
    database.transact(lambda session: session.execute(update(WorkerRow).where(WorkerRow.id == worker).values(**values)))


def _get(database: Database, column: Any, worker: str) -> Any:
    return database.transact(lambda session: session.scalar(select(column).where(WorkerRow.id == worker)))


def _close(database: Database, worker: str) -> None:
    def work(session: Session) -> None:
        session.execute(delete(WorkerRow).where(WorkerRow.id == worker))
        session.execute(delete(FileRow).where(FileRow.owner == worker))

    database.transact(work)


def _store(database: Database, owner: str, letter: Letter) -> dict[str, Any]:
    """Put a letter's files into the database, a part at a time; gives what stands for the letter."""
    hashes = {name: _write(database, owner, content) for name, content in letter.files.items()}
    return {"document": dict(letter.document), "files": hashes}


def _load(database: Database, owner: str, stored: Mapping[str, Any]) -> Letter:
    files = {name: _read(database, owner, sha256) for name, sha256 in stored["files"].items()}
    return Letter(stored["document"], files)


def _write(database: Database, owner: str, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    for part, start in enumerate(range(0, max(1, len(content)), _PART_BYTES)):
        row = {"owner": owner, "sha256": sha256, "part": part, "content": content[start : start + _PART_BYTES]}
        database.transact(lambda session, row=row: session.merge(FileRow(**row)))  # type: ignore[misc]
    return sha256


def _read(database: Database, owner: str, sha256: str) -> bytes:
    whole = hashlib.sha256()
    parts: list[bytes] = []
    while (part := _part(database, owner, sha256, len(parts))) is not None:
        whole.update(part)
        parts.append(part)
    if whole.hexdigest() != sha256 or not parts:
        raise UserError(f"file {sha256[:12]} was taken away or damaged on its way through the database")
    return b"".join(parts)


def _part(database: Database, owner: str, sha256: str, part: int) -> bytes | None:
    mine = (FileRow.owner == owner, FileRow.sha256 == sha256, FileRow.part == part)
    return database.transact(lambda session: session.scalar(select(FileRow.content).where(*mine)))


def _forget(database: Database, owner: str) -> None:
    database.transact(lambda session: session.execute(delete(FileRow).where(FileRow.owner == owner)))
