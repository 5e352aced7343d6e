"""Messages between the driver of a study and workers on other machines: each worker has a mailbox in the database.

Only the driver posts a job into a mailbox, and only it takes the answer out, so nothing is claimed and nothing can be
claimed twice. A worker's heartbeat is a counter, and the driver looks whether it goes on: no machine's clock is
compared with another's. Files are stored in parts, by the hash of their content.
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
from sqlalchemy.orm import InstrumentedAttribute, Session

from automl_kd.core import UserError
from automl_kd.storage.lease import Lease
from automl_kd.storage.tables import FileRow, OfferRow, StoredMessage, WorkerRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database

_PART_BYTES = 4_000_000
"""Size of the largest part: it goes in one statement, and a heartbeat must find its way between two of them."""


@dataclass(frozen=True)
class Message:
    """A job or an answer on its way.

    Attributes:
        document: A JSON object.
        files: Files that go with it, by name.
    """

    document: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkerStatus:
    """What the driver sees of a worker.

    Attributes:
        worker: Name of its mailbox.
        host: Name of its machine.
        pid: Its process there.
        heartbeats: How many it has sent.
        ready: Whether it takes jobs: it has checked the study's data and teacher, and is not about to leave.
        answered: Number of the job that it answered last.
    """

    worker: str
    host: str
    pid: int
    heartbeats: int
    ready: bool
    answered: int


@dataclass(frozen=True)
class MailboxStatus:
    """What a machine sees of one of its mailboxes.

    Attributes:
        posted: Number of the job posted last.
        answered: Number of the job answered last.
        stopping: Whether its worker is asked to save its state and answer.
        unread: Whether the driver has yet to take the answer.
        withdrawn: Whether the driver took the job posted last back, which its worker is to answer at once.
    """

    posted: int
    answered: int
    stopping: bool
    unread: bool
    withdrawn: bool


class JobQueue:
    """The driver's side of the mailboxes; it changes nothing once another driver has the study's lease.

    Args:
        database: The database.
        study: The study whose workers it serves.
        lease: The driver's lease.
    """

    def __init__(self, database: Database, study: str, lease: Lease) -> None:
        self._database = database
        self._study = study
        self._lease = lease

    def clear(self) -> None:
        """Delete all mailboxes and the offer: workers see that nobody waits for their jobs any more."""

        def work(session: Session) -> None:
            if not self._lease.held(session):
                return
            session.execute(delete(WorkerRow).where(WorkerRow.study == self._study))
            session.execute(delete(OfferRow).where(OfferRow.study == self._study))
            session.execute(delete(FileRow).where(FileRow.owner == _offer_owner(self._study)))
            # A worker that was killed while it wrote into a mailbox that was deleted before left files without owner.
            orphaned = FileRow.owner.not_in(select(WorkerRow.id)) & FileRow.owner.not_like(_offer_owner("%"))
            session.execute(delete(FileRow).where(orphaned))

        self._database.transact(work)

    def offer(
        self,
        setup: Mapping[str, Any],
        files: Mapping[str, Iterable[bytes]] = MappingProxyType({}),
        going: Callable[[], bool] = lambda: True,
    ) -> None:
        """Publish what all jobs of the study share, for workers that join.

        Args:
            setup: A JSON object.
            files: The files that it names, by hash, in parts of any size.
            going: Asked before every part; once it says no, there is no offer.
        """

        def wanted(session: Session) -> bool:
            return going() and self._lease.held(session)

        owner = _offer_owner(self._study)
        if all(_write_parts(self._database, owner, sha256, parts, wanted) for sha256, parts in files.items()):
            row = OfferRow(study=self._study, setup=dict(setup))
            self._database.transact(lambda session: session.merge(row) if wanted(session) else None)

    def workers(self) -> list[WorkerStatus]:
        """The workers that have joined."""
        columns = (WorkerRow.id, WorkerRow.host, WorkerRow.pid, WorkerRow.beats, WorkerRow.ready, WorkerRow.answered)
        query = select(*columns).where(WorkerRow.study == self._study)

        def work(session: Session) -> list[WorkerStatus]:
            return [WorkerStatus(*row) for row in session.execute(query)] if self._lease.held(session) else []

        return self._database.transact(work)

    def post(self, worker: str, number: int, job: Message) -> None:
        """Put a job, the worker's ``number``-th, into its mailbox."""
        _delete_files(self._database, worker)
        stored = _write_message(self._database, worker, job)
        _update_worker(self._database, worker, posted=number, job=stored)

    def withdraw(self, worker: str) -> None:
        """Take the job posted last back: the worker saves its state and answers."""
        _update_worker(self._database, worker, job=None)

    def take(self, worker: str) -> Message | None:
        """Take the answer to the worker's last job out of its mailbox; None if the worker left just now.

        Raises:
            UserError: If its files are not what their hashes say.
        """
        message = _read_message(self._database, WorkerRow.answer, worker)
        if message is not None:
            _update_worker(self._database, worker, answer=None)
            _delete_files(self._database, worker)
        return message

    def ask_to_stop(self) -> None:
        """Ask all workers to save their state and answer."""
        statement = update(WorkerRow).where(WorkerRow.study == self._study).values(stopping=True)

        def work(session: Session) -> None:
            if self._lease.held(session):
                session.execute(statement)

        self._database.transact(work)

    def dismiss(self, worker: str) -> None:
        """Delete a worker's mailbox: it sees that nobody waits for its job any more."""
        _delete_mailboxes(self._database, [worker])


class Mailboxes:
    """A machine's side: one mailbox for each of its workers, known by position.

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
        """Add mailboxes until there are ``count``; jobs come once they are :meth:`set_ready`."""
        where = {"study": self._study, "host": socket.gethostname(), "pid": os.getpid()}
        new = [uuid.uuid4().hex for _ in range(count - len(self._ids))]

        def work(session: Session) -> None:
            for name in new:
                session.merge(WorkerRow(id=name, **where))

        self._database.transact(work)
        self._ids += new

    def beat(self) -> None:
        """Send a heartbeat: this machine is alive."""
        statement = update(WorkerRow).where(WorkerRow.id.in_(self._ids)).values(beats=WorkerRow.beats + 1)
        self._database.transact(lambda session: session.execute(statement))

    def set_ready(self, ready: bool) -> None:
        """Say whether the workers take jobs from now on."""
        statement = update(WorkerRow).where(WorkerRow.id.in_(self._ids)).values(ready=ready)
        self._database.transact(lambda session: session.execute(statement))

    def status(self) -> dict[int, MailboxStatus]:
        """What the mailboxes show, by position; those that the driver deleted are missing."""
        unread = WorkerRow.answer.is_not(None)
        withdrawn = WorkerRow.job.is_(None) & (WorkerRow.posted > WorkerRow.answered)
        columns = (WorkerRow.id, WorkerRow.posted, WorkerRow.answered, WorkerRow.stopping, unread, withdrawn)
        query = select(*columns).where(WorkerRow.id.in_(self._ids))
        rows = self._database.transact(lambda session: session.execute(query).all())
        found = {name: MailboxStatus(posted, answered, *flags) for name, posted, answered, *flags in rows}
        return {position: found[name] for position, name in enumerate(self._ids) if name in found}

    def offer(self) -> Mapping[str, Any] | None:
        """What the driver offers, without its files; None as long as there is none."""
        query = select(OfferRow.setup).where(OfferRow.study == self._study)
        found = self._database.transact(lambda session: session.scalar(query))
        return None if found is None else dict(found)

    def offered_file(self, sha256: str) -> Iterator[bytes]:
        """A file of the offer by its hash, in parts.

        Raises:
            UserError: If it is gone, or not what its hash says.
        """
        return _read_parts(self._database, _offer_owner(self._study), sha256)

    def job(self, position: int) -> Message | None:
        """The job posted last; None if it was withdrawn, or the mailbox deleted.

        Raises:
            UserError: If its files are not what their hashes say.
        """
        return _read_message(self._database, WorkerRow.job, self._ids[position])

    def answer(self, position: int, number: int, answer: Message) -> None:
        """Answer the ``number``-th job."""
        name = self._ids[position]
        _delete_files(self._database, name)
        stored = _write_message(self._database, name, answer)
        _update_worker(self._database, name, answered=number, answer=stored)

    def close(self) -> None:
        """Leave; an answer that the driver has yet to take stays for it."""
        unread = select(WorkerRow.id).where(WorkerRow.id.in_(self._ids), WorkerRow.answer.is_not(None))
        kept = set(self._database.transact(lambda session: session.scalars(unread).all()))
        _delete_mailboxes(self._database, [name for name in self._ids if name not in kept])


def _offer_owner(study: str) -> str:
    """The owner of the files of an offer."""
    return f"offer of {study}"


def _update_worker(database: Database, worker: str, **values: int | StoredMessage | None) -> None:
    database.transact(lambda session: session.execute(update(WorkerRow).where(WorkerRow.id == worker).values(**values)))


def _read_message(
    database: Database, column: InstrumentedAttribute[StoredMessage | None], worker: str
) -> Message | None:
    """The message of a column; None where there is none, or none any more."""
    query = select(column).where(WorkerRow.id == worker)
    stored = database.transact(lambda session: session.scalar(query))
    if stored is None:
        return None
    try:
        files = {name: b"".join(_read_parts(database, worker, sha256)) for name, sha256 in stored["files"].items()}
    except UserError:
        if database.transact(lambda session: session.scalar(query)) != stored:
            return None  # the other side deleted it meanwhile
        raise
    return Message(stored["document"], files)


def _write_message(database: Database, owner: str, message: Message) -> StoredMessage:
    """Store a message's files, one part at a time; gives what stands for the message in its column."""
    hashes = {name: _write_file(database, owner, content) for name, content in message.files.items()}
    return {"document": dict(message.document), "files": hashes}


def _write_file(database: Database, owner: str, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    _write_parts(database, owner, sha256, [content], lambda session: True)
    return sha256


def _write_parts(
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
    """The same bytes in parts of the size that a statement carries; an empty file is one empty part."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) > _PART_BYTES:
            yield bytes(held[:_PART_BYTES])
            del held[:_PART_BYTES]
    yield bytes(held)


def _read_parts(database: Database, owner: str, sha256: str) -> Iterator[bytes]:
    """A file in the parts in which it is stored.

    Raises:
        UserError: At its end, if it is gone or not what its hash says.
    """
    whole, count = hashlib.sha256(), 0
    while (part := _read_part(database, owner, sha256, count)) is not None:
        whole.update(part)
        count += 1
        yield part
    if whole.hexdigest() != sha256 or not count:
        raise UserError(f"file {sha256[:12]} was taken away or damaged on its way through the database")


def _read_part(database: Database, owner: str, sha256: str, part: int) -> bytes | None:
    wanted = (FileRow.owner == owner, FileRow.sha256 == sha256, FileRow.part == part)
    return database.transact(lambda session: session.scalar(select(FileRow.content).where(*wanted)))


def _delete_files(database: Database, owner: str) -> None:
    database.transact(lambda session: session.execute(delete(FileRow).where(FileRow.owner == owner)))


def _delete_mailboxes(database: Database, workers: Sequence[str]) -> None:
    def work(session: Session) -> None:
        session.execute(delete(WorkerRow).where(WorkerRow.id.in_(workers)))
        session.execute(delete(FileRow).where(FileRow.owner.in_(workers)))

    database.transact(work)
