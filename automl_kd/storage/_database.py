"""One database for a project: Optuna's tables and ours, opened safely."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
from optuna.exceptions import StorageInternalError
from sqlalchemy import Engine, NullPool, create_engine, delete, event, make_url, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from automl_kd.errors import UserError, unknown
from automl_kd.paths import DEFAULT_STORAGE, cache_dir
from automl_kd.recipes import digest
from automl_kd.storage._tables import Base, JobRow, LeaseRow, StudyRow

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_LEASE_SECONDS = 60.0
_LOCK_TIMEOUT_SECONDS = 60.0
_MOST_TABLES = 30

T = TypeVar("T")


@dataclass(frozen=True)
class StudyRecord:
    """What is stored of a study beside its trials.

    Attributes:
        name: Its name, unique in the database.
        identity: What results depend on: task, space, device and limits by hash. A study never mixes two of them.
        settings: What the command was, so that every verb finds the study's task, space and device again.
        budget: Seconds in total, over all resumes.
        seconds: Seconds used so far, by phase (``teacher``, ``search``, ``picks``).
        state: ``open`` or ``done``.
    """

    name: str
    identity: Mapping[str, Any]
    settings: Mapping[str, Any]
    budget: float
    seconds: Mapping[str, float] = field(default_factory=dict)
    state: str = "open"


class Database:
    """Studies, leases and finished jobs of one project.

    Args:
        url: A SQLAlchemy URL, or the path of an SQLite file.
        create: Whether a file that is not there yet is begun; verbs that only read do not.

    Raises:
        UserError: If the database cannot be opened or is damaged; nothing is ever overwritten.
    """

    def __init__(self, url: str = DEFAULT_STORAGE, *, create: bool = True) -> None:
        self.url = url if "://" in url else f"sqlite:///{url}"
        try:
            parsed = make_url(self.url)
        except SQLAlchemyError:
            raise UserError(f"--storage {url}: not a database URL; write for example {DEFAULT_STORAGE}") from None
        self._sqlite = Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
        self.shown = str(self._sqlite) if self._sqlite else parsed.render_as_string(hide_password=True)
        if self._sqlite is not None:
            if not self._sqlite.parent.is_dir():
                raise UserError(f"--storage {url}: folder {self._sqlite.parent} does not exist")
            if self._sqlite.is_dir():
                raise UserError(f"--storage {url}: is a folder; name a file in it, such as {self._sqlite}/automl-kd.db")
            if not create and not self._sqlite.exists():
                raise UserError(f"{self.shown} does not exist; begin a search, or name its database with --storage")
        with self.explained():
            self._refuse_damaged()
            self._engine = self._open_engine()
            _made(lambda: Base.metadata.create_all(self._engine))

    @property
    def files(self) -> Path:
        """The folder for what is too large for a database: checkpoints, students, reports."""
        if self._sqlite is not None:
            return self._sqlite.with_name(f"{self._sqlite.stem}-files").absolute()
        return cache_dir() / "files" / digest(self.shown)[:16]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns failures of the database, also those that Optuna met, into one line that names it."""
        try:
            yield
        except (SQLAlchemyError, StorageInternalError, ModuleNotFoundError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
            reason = str(getattr(cause, "orig", None) or cause).splitlines()[0]
            if "disk is full" in reason:
                raise UserError(f"{self.shown}: no room on disk; make some and run the same command to go on") from None
            if "readonly" in reason or "unable to open" in reason:
                raise UserError(f"{self.shown}: cannot be written: {reason}") from None
            if self._sqlite is not None and ("not a database" in reason or "malformed" in reason):
                raise UserError(
                    f"{self.shown}: is damaged or not an SQLite database ({reason}); it is left as it is:"
                    " move it away, or name another with --storage"
                ) from None
            raise UserError(f"{self.shown}: {reason}") from None

    def optuna(self) -> RDBStorage:
        """Optuna's view of the same database, its tables made before any worker starts."""
        from optuna.storages import RDBStorage

        with self.explained():
            storage = _made(lambda: RDBStorage(self.url, engine_kwargs=self._engine_arguments()))
        if self._sqlite is not None:
            event.listen(storage.engine, "connect", _sqlite_pragmas)
            storage.engine.dispose()  # connections made before the listener lack its pragmas
        return storage

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        with self.explained(), Session(self._engine) as session:
            return [_record(row) for row in session.scalars(select(StudyRow).order_by(StudyRow.created))]

    def study(self, name: str) -> StudyRecord:
        """A study by name.

        Raises:
            UserError: If there is none, with the nearest names.
        """
        record = self.find_study(name)
        if record is None:
            raise unknown(f"study in {self.shown}:", name, [each.name for each in self.studies()])
        return record

    def find_study(self, name: str) -> StudyRecord | None:
        """A study by name, or None."""
        with self.explained(), Session(self._engine) as session:
            row = session.get(StudyRow, name)
            return _record(row) if row else None

    def save_study(self, record: StudyRecord) -> None:
        """Insert or replace what is stored of a study."""
        with self.explained(), Session(self._engine) as session, session.begin():
            row = session.get(StudyRow, record.name) or StudyRow(name=record.name, created=time.time())
            row.identity, row.settings = dict(record.identity), dict(record.settings)
            row.budget, row.seconds, row.state = record.budget, dict(record.seconds), record.state
            session.add(row)

    def spend(self, name: str, seconds: Mapping[str, float]) -> None:
        """Set the seconds used so far by phase."""
        with self.explained(), Session(self._engine) as session, session.begin():
            session.execute(update(StudyRow).where(StudyRow.name == name).values(seconds=dict(seconds)))

    def jobs(self, study: str) -> dict[str, dict[str, Any]]:
        """Results of the finished jobs of a study by key."""
        with self.explained(), Session(self._engine) as session:
            rows = session.scalars(select(JobRow).where(JobRow.study == study))
            return {row.key: dict(row.result) for row in rows}

    def finish_job(self, study: str, key: str, result: Mapping[str, Any]) -> None:
        """Store the result of a job."""
        with self.explained(), Session(self._engine) as session, session.begin():
            session.merge(JobRow(study=study, key=key, result=dict(result), finished=time.time()))

    @contextmanager
    def lease(self, study: str) -> Iterator[Lease]:
        """Drive a study alone.

        Raises:
            UserError: If another living process drives it.
        """
        lease = Lease(self._engine, study)
        with self.explained():
            lease.take(self.shown)
        try:
            yield lease
        finally:
            with contextlib.suppress(SQLAlchemyError):  # a full disk: the lease of an ended process is taken over
                lease.give_back()

    def _refuse_damaged(self) -> None:
        # Read-only: even the change to a write-ahead log would alter a file that is to be left as it is.
        path = self._sqlite
        if path is None or not path.exists():
            return
        uri = f"{path.absolute().as_uri()}?mode=ro"
        reader = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(uri, uri=True, timeout=_LOCK_TIMEOUT_SECONDS),
            poolclass=NullPool,
        )
        with reader.connect() as connection:
            problem = connection.execute(text("PRAGMA quick_check(1)")).scalar()
        if problem != "ok":
            raise UserError(
                f"{self.shown}: is damaged ({problem}); it is left as it is: move it away,"
                " or name another with --storage"
            )

    def _open_engine(self) -> Engine:
        engine = create_engine(self.url, **self._engine_arguments())
        if self._sqlite is not None:
            event.listen(engine, "connect", _sqlite_pragmas)
        return engine

    def _engine_arguments(self) -> dict[str, Any]:
        return {"connect_args": {"timeout": _LOCK_TIMEOUT_SECONDS}} if self._sqlite is not None else {}


class Lease:
    """The right to drive a study; ``beat`` renews it."""

    def __init__(self, engine: Engine, study: str) -> None:
        self._engine = engine
        self._study = study
        self._owner = uuid.uuid4().hex

    def take(self, shown: str) -> None:
        """Take the lease, from a dead owner where need be."""
        row = LeaseRow(
            study=self._study, owner=self._owner, host=socket.gethostname(), pid=os.getpid(), heartbeat=time.time()
        )
        for _ in range(2):
            try:
                with Session(self._engine) as session, session.begin():
                    holder = session.get(LeaseRow, self._study)
                    if holder is not None:
                        if _alive(holder):
                            raise UserError(
                                f"study {self._study} in {shown} is being searched by process {holder.pid} on"
                                f" {holder.host}; wait for it, stop it, or search under another --study"
                            )
                        session.execute(
                            delete(LeaseRow).where(LeaseRow.study == self._study, LeaseRow.owner == holder.owner)
                        )
                        session.expunge(holder)
                    session.add(row)
                return
            except IntegrityError:
                continue  # another process took it between our look and our insert: look again
        raise UserError(f"study {self._study} in {shown} was taken by another process just now; wait for it")

    def beat(self) -> None:
        """Say that the owner is alive.

        Raises:
            UserError: If the lease was lost to another process, so that two never drive one study.
        """
        with Session(self._engine) as session, session.begin():
            done = session.execute(
                update(LeaseRow)
                .where(LeaseRow.study == self._study, LeaseRow.owner == self._owner)
                .values(heartbeat=time.time())
            )
            if done.rowcount == 0:  # type: ignore[attr-defined]
                raise UserError(f"study {self._study} was taken over by another process while this one stood still")

    def give_back(self) -> None:
        """Let another process drive the study."""
        with Session(self._engine) as session, session.begin():
            session.execute(delete(LeaseRow).where(LeaseRow.study == self._study, LeaseRow.owner == self._owner))


def _alive(holder: LeaseRow) -> bool:
    if holder.host == socket.gethostname():
        return holder.pid != os.getpid() and psutil.pid_exists(holder.pid) and _started_before(holder)
    return time.time() - holder.heartbeat < _LEASE_SECONDS


def _started_before(holder: LeaseRow) -> bool:
    """Whether the process of that number is the holder itself, and not a later one that got its number."""
    try:
        return bool(psutil.Process(holder.pid).create_time() <= holder.heartbeat + 1)
    except psutil.Error:
        return False


def _made(make: Callable[[], T]) -> T:
    """Make tables; one that another process makes at the same moment is no mistake, and every try finds more of them.

    Raises:
        sqlalchemy.exc.DatabaseError: If anything else went wrong.
    """
    for _ in range(_MOST_TABLES):
        try:
            return make()
        except (OperationalError, ProgrammingError, IntegrityError) as error:
            reason = str(error.orig).lower()
            if "already exists" not in reason and "unique" not in reason:
                raise
    return make()


def _sqlite_pragmas(connection: Any, _: Any) -> None:
    # Optuna's default (rollback journal, full sync) costs 324 ms a trial; WAL survives kill -9 all the same.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _record(row: StudyRow) -> StudyRecord:
    return StudyRecord(row.name, row.identity, row.settings, row.budget, row.seconds, row.state)
