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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from automl_kd.core import UserError
from automl_kd.storage.lease import Lease
from automl_kd.storage.tables import FileRow, OfferRow, WorkerRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database

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


@dataclass(frozen=True)
class Slot:
    """What a machine sees of one of its mailboxes.

    Attributes:
        posted: Number of the job posted last.
        answered: Number of the job answered last.
        stopping: Whether it shall save its state and answer.
        waits: Whether the driver has not taken the answer yet.
    """

    posted: int
    answered: int
    stopping: bool
    waits: bool


class Post:
    """The driver's side; it touches nothing once another driver has the study's lease.

    Args:
        database: The database.
        study: Whose workers.
        lease: The driver's.
    """

    def __init__(self, database: Database, study: str, lease: Lease) -> None:
        self._database = database
        self._study = study
        self._lease = lease

    def clear(self) -> None:
        """Forget all mailboxes and the offer: workers see that their jobs are nobody's any more."""

        def work(session: Session) -> None:
            if not self._lease.held(session):
                return
            session.execute(delete(WorkerRow).where(WorkerRow.study == self._study))
            session.execute(delete(OfferRow).where(OfferRow.study == self._study))
            session.execute(delete(FileRow).where(FileRow.owner == _offer_of(self._study)))
            # Also what a worker left that was killed while it wrote, in a mailbox that was taken away before.
            nobodys = FileRow.owner.not_in(select(WorkerRow.id)) & FileRow.owner.not_like(_offer_of("%"))
            session.execute(delete(FileRow).where(nobodys))

        self._database.transact(work)

    def offer(
        self,
        setup: Mapping[str, Any],
        files: Mapping[str, Iterable[bytes]] = MappingProxyType({}),
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        """Say what all jobs of the study share, for workers that join.

        Args:
            setup: Plain data.
            files: What goes with it, by hash, in parts of any size.
            going: Asked before every part; once it says no, there is no offer.
        """

        def wanted(session: Session) -> bool:
            return going() and self._lease.held(session)

        owner = _offer_of(self._study)
        if all(_put(self._database, owner, sha256, parts, wanted) for sha256, parts in files.items()):
            row = OfferRow(study=self._study, setup=dict(setup))
            self._database.transact(lambda session: session.merge(row) if wanted(session) else None)

    def signs(self) -> list[Sign]:
        """The workers that have joined."""
        columns = (WorkerRow.id, WorkerRow.host, WorkerRow.pid, WorkerRow.beats, WorkerRow.ready, WorkerRow.answered)
        query = select(*columns).where(WorkerRow.study == self._study)

        def work(session: Session) -> list[Sign]:
            return [Sign(*row) for row in session.execute(query)] if self._lease.held(session) else []

        return self._database.transact(work)

    def give(self, worker: str, number: int, job: Letter) -> None:
        """Post a job, the worker's ``number``-th."""
        _forget(self._database, worker)
        document = _store(self._database, worker, job)
        _set(self._database, worker, posted=number, job=document)

    def take(self, worker: str) -> Letter | None:
        """The answer to the worker's last job; None if the worker left just now.

        Raises:
            UserError: If its files are not what their hashes say.
        """
        letter = _letter(self._database, WorkerRow.answer, worker)
        if letter is not None:
            _set(self._database, worker, answer=None)
            _forget(self._database, worker)
        return letter

    def ask_to_stop(self) -> None:
        """Have all workers save their state and answer."""
        statement = update(WorkerRow).where(WorkerRow.study == self._study).values(stopping=True)

        def work(session: Session) -> None:
            if self._lease.held(session):
                session.execute(statement)

        self._database.transact(work)

    def dismiss(self, worker: str) -> None:
        """Take a worker's mailbox away: it sees that its job is nobody's any more."""
        _close(self._database, [worker])


class Mailboxes:
    """A machine's side: one mailbox a worker, known by their positions.

    Args:
        database: The database.
        study: The study that the machine joins.
    """

    def __init__(self, database: Database, study: str) -> None:
        self._database = database
        self._study = study
        self._ids: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def open(self, count: int) -> None:
        """Have so many; jobs come once they are :meth:`ready`."""
        where = {"study": self._study, "host": socket.gethostname(), "pid": os.getpid()}
        new = [uuid.uuid4().hex for _ in range(count - len(self._ids))]

        def work(session: Session) -> None:
            for name in new:
                session.merge(WorkerRow(id=name, **where))

        self._database.transact(work)
        self._ids += new

    def beat(self) -> None:
        """Say that the machine lives."""
        statement = update(WorkerRow).where(WorkerRow.id.in_(self._ids)).values(beats=WorkerRow.beats + 1)
        self._database.transact(lambda session: session.execute(statement))

    def ready(self, ready: bool) -> None:
        """Whether the workers take jobs from now on."""
        statement = update(WorkerRow).where(WorkerRow.id.in_(self._ids)).values(ready=ready)
        self._database.transact(lambda session: session.execute(statement))

    def look(self) -> dict[int, Slot]:
        """What the mailboxes show; those that were taken away are not there."""
        untaken = WorkerRow.answer.is_not(None)
        columns = (WorkerRow.id, WorkerRow.posted, WorkerRow.answered, WorkerRow.stopping, untaken)
        query = select(*columns).where(WorkerRow.id.in_(self._ids))
        rows = self._database.transact(lambda session: session.execute(query).all())
        positions = {name: position for position, name in enumerate(self._ids)}
        return {positions[name]: Slot(posted, answered, stop, waits) for name, posted, answered, stop, waits in rows}

    def offer(self) -> Mapping[str, Any] | None:
        """What the driver offers, without its files; None as long as there is none."""
        query = select(OfferRow.setup).where(OfferRow.study == self._study)
        found = self._database.transact(lambda session: session.scalar(query))
        return None if found is None else dict(found)

    def file_of_offer(self, sha256: str) -> Iterator[bytes]:
        """A file of the offer by its hash, in parts.

        Raises:
            UserError: If it is gone, or not what its hash says.
        """
        return _stored(self._database, _offer_of(self._study), sha256)

    def job(self, position: int) -> Letter | None:
        """The job posted last; None if the mailbox was taken away.

        Raises:
            UserError: If its files are not what their hashes say.
        """
        return _letter(self._database, WorkerRow.job, self._ids[position])

    def answer(self, position: int, number: int, answer: Letter) -> None:
        """Answer the ``number``-th job."""
        name = self._ids[position]
        _forget(self._database, name)
        document = _store(self._database, name, answer)
        _set(self._database, name, answered=number, answer=document)

    def close(self) -> None:
        """Leave; an answer that the driver has not taken yet stays for it."""
        untaken = select(WorkerRow.id).where(WorkerRow.id.in_(self._ids), WorkerRow.answer.is_not(None))
        kept = set(self._database.transact(lambda session: session.scalars(untaken).all()))
        _close(self._database, [name for name in self._ids if name not in kept])


def _offer_of(study: str) -> str:
    return f"offer of {study}"


def _set(database: Database, worker: str, **values: Any) -> None:
    database.transact(lambda session: session.execute(update(WorkerRow).where(WorkerRow.id == worker).values(**values)))


def _letter(database: Database, column: Any, worker: str) -> Letter | None:
    """A job or an answer; None where there is none, or none any more."""
    query = select(column).where(WorkerRow.id == worker)
    stored = database.transact(lambda session: session.scalar(query))
    if stored is None:
        return None
    try:
        files = {name: _read(database, worker, sha256) for name, sha256 in stored["files"].items()}
    except UserError:
        if database.transact(lambda session: session.scalar(query)) != stored:
            return None  # the other side took it away meanwhile
        raise
    return Letter(stored["document"], files)


def _close(database: Database, workers: Sequence[str]) -> None:
    def work(session: Session) -> None:
        session.execute(delete(WorkerRow).where(WorkerRow.id.in_(workers)))
        session.execute(delete(FileRow).where(FileRow.owner.in_(workers)))

    database.transact(work)


def _store(database: Database, owner: str, letter: Letter) -> dict[str, Any]:
    """Put a letter's files into the database, a part at a time; gives what stands for the letter."""
    hashes = {name: _write(database, owner, content) for name, content in letter.files.items()}
    return {"document": dict(letter.document), "files": hashes}


def _write(database: Database, owner: str, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    _put(database, owner, sha256, [content], lambda session: True)
    return sha256


def _put(
    database: Database, owner: str, sha256: str, content: Iterable[bytes], wanted: Callable[[Session], bool]
) -> bool:
    """Store a file; false if ``wanted`` said no before its last part."""

    def store(session: Session, part: int, piece: bytes) -> bool:
        if going := wanted(session):
            session.merge(FileRow(owner=owner, sha256=sha256, part=part, content=piece))
        return going

    return all(
        database.transact(partial(store, part=part, piece=piece)) for part, piece in enumerate(_regrouped(content))
    )


def _regrouped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of the size that a statement carries; of nothing one empty part."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) > _PART_BYTES:
            yield bytes(held[:_PART_BYTES])
            del held[:_PART_BYTES]
    yield bytes(held)


def _read(database: Database, owner: str, sha256: str) -> bytes:
    return b"".join(_stored(database, owner, sha256))


def _stored(database: Database, owner: str, sha256: str) -> Iterator[bytes]:
    """A file in the parts in which it is stored.

    Raises:
        UserError: At its end, if it is gone or not what its hash says.
    """
    whole, count = hashlib.sha256(), 0
    while (part := _part(database, owner, sha256, count)) is not None:
        whole.update(part)
        count += 1
        yield part
    if whole.hexdigest() != sha256 or not count:
        raise UserError(f"file {sha256[:12]} was taken away or damaged on its way through the database")


def _part(database: Database, owner: str, sha256: str, part: int) -> bytes | None:
    mine = (FileRow.owner == owner, FileRow.sha256 == sha256, FileRow.part == part)
    return database.transact(lambda session: session.scalar(select(FileRow.content).where(*mine)))


def _forget(database: Database, owner: str) -> None:
    database.transact(lambda session: session.execute(delete(FileRow).where(FileRow.owner == owner)))
