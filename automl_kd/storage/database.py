"""One database for a project: Optuna's tables and ours, opened safely."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from optuna.exceptions import StorageInternalError
from sqlalchemy import Engine, NullPool, create_engine, event, inspect, make_url, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from automl_kd.core import DEFAULT_STORAGE, UserError, cache_dir, unknown
from automl_kd.recipes import digest
from automl_kd.storage.lease import Lease
from automl_kd.storage.reconnecting import RetryingStorage, transact, wait_for_server
from automl_kd.storage.tables import SERVED, Base, JobRow, StudyRow

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_LOCK_TIMEOUT_SECONDS = 60.0
_POSTGRESQL = {
    "connect_timeout": 10,
    # A server that vanished without a word is noticed within half a minute, not when the system gives up.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
_MOST_TABLES = 30

StudyState: TypeAlias = Literal["open", "done"]

T = TypeVar("T")


class DatabaseFailedError(UserError):
    """The database refused, is damaged, or stayed away."""


@dataclass(frozen=True)
class StudyRecord:
    """A study without its trials.

    Attributes:
        name: Unique in the database.
        identity: Hashes of what results depend on: task, space, device, limits. A study never mixes two of them.
        settings: What the command said and how far the study is, as JSON that the study engine defines.
        budget: Seconds in total, over all runs of the command.
        seconds: Seconds used so far, by phase (``prepare``, ``teacher``, ``search``, ``picks``).
        state: Whether there is something left to do.
    """

    name: str
    identity: Mapping[str, Any]
    settings: Mapping[str, Any]
    budget: float
    seconds: Mapping[str, float] = field(default_factory=dict)
    state: StudyState = "open"


class Database:
    """Studies, leases and finished jobs of one project.

    Opening it changes nothing: its file and tables are made when something is stored for the first time.

    Args:
        url: A SQLAlchemy URL, or the path of an SQLite file.
        create: Whether a file that is not there yet may be begun; verbs that only read do not.

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
        self.display_name = str(self._sqlite) if self._sqlite else parsed.render_as_string(hide_password=True)
        if self._sqlite is not None:
            if not self._sqlite.parent.is_dir():
                raise UserError(f"--storage {url}: folder {self._sqlite.parent} does not exist")
            if self._sqlite.is_dir():
                raise UserError(f"--storage {url}: is a folder; name a file in it, such as {self._sqlite}/automl-kd.db")
            if not create and not self._sqlite.exists():
                raise UserError(
                    f"{self.display_name} does not exist; begin a search, or name its database with --storage"
                )
        with self.user_errors():
            self._refuse_damaged()
            self._engine = self._prepared(create_engine(self.url, **self._engine_arguments()))
            if self._sqlite is None:
                self._engine.connect().close()  # a server that is not there is told at once
        self._tables_made = False
        self._served = False
        self._leases: dict[str, Lease] = {}

    @property
    def files(self) -> Path:
        """The folder for what is too large for a database: checkpoints, students, reports."""
        if self._sqlite is not None:
            return self._sqlite.with_name(f"{self._sqlite.stem}-files").absolute()
        return cache_dir() / "files" / digest(self.display_name)[:16]

    @contextmanager
    def user_errors(self) -> Iterator[None]:
        """Turns a failure of the database, also one that Optuna met, into a ``DatabaseFailedError`` of one line."""
        try:
            yield
        except (SQLAlchemyError, StorageInternalError, ModuleNotFoundError) as error:
            cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
            reason = str(getattr(cause, "orig", None) or cause).splitlines()[0]
            if "disk is full" in reason:
                raise DatabaseFailedError(
                    f"{self.display_name}: no room on disk; make some and run the same command to go on"
                ) from None
            if "readonly" in reason or "unable to open" in reason:
                raise DatabaseFailedError(f"{self.display_name}: cannot be written: {reason}") from None
            if self._sqlite is not None and ("not a database" in reason or "malformed" in reason):
                raise DatabaseFailedError(
                    f"{self.display_name}: is damaged or not an SQLite database ({reason}); it is left as it is:"
                    " move it away, or name another with --storage"
                ) from None
            raise DatabaseFailedError(f"{self.display_name}: {reason}") from None

    def optuna(self) -> RDBStorage:
        """Optuna's storage in the same database. Its tables are made now, before workers would race to make them.

        What is opened under a lease changes nothing once the lease is lost.
        """
        with self.user_errors():
            self._ensure_tables()
            storage = _make_tables(lambda: RetryingStorage(self.url, engine_kwargs=self._engine_arguments()))
        self._prepared(storage.engine)
        for lease in self._leases.values():
            lease.guard(storage.engine)
        storage.engine.dispose()  # connections that Optuna made before lack what was prepared
        return storage

    def transact(self, work: Callable[[Session], T]) -> T:
        """Do something in one transaction, again where the server went away under it.

        Args:
            work: What to do. Done twice it must come to the same, because it may have been stored while only the
                answer was lost.

        Raises:
            UserError: If the database refuses, or stays away.
        """
        with self.user_errors():
            self._ensure_tables()
            return transact(self._engine, work)

    def served(self) -> Database:
        """This database, in which the tables of the service are made with the others; a search alone makes none."""
        if not self._served:
            self._served, self._tables_made = True, False
        return self

    def _ensure_tables(self) -> None:
        if not self._tables_made:
            wanted = [table for table in Base.metadata.sorted_tables if self._served or table.name not in SERVED]
            _make_tables(lambda: Base.metadata.create_all(self._engine, wanted))
            self._tables_made = True

    @property
    def _has_tables(self) -> bool:
        """Whether our tables exist; asking makes neither file nor table."""
        if self._tables_made:
            return True
        if self._sqlite is not None and not self._sqlite.exists():
            return False
        with self.user_errors():
            return inspect(self._engine).has_table(StudyRow.__tablename__)

    def studies(self) -> list[StudyRecord]:
        """All studies, oldest first."""
        if not self._has_tables:
            return []
        query = select(StudyRow).order_by(StudyRow.created)
        return self.transact(lambda session: [_record(row) for row in session.scalars(query)])

    def study(self, name: str) -> StudyRecord:
        """A study by name.

        Raises:
            UserError: If there is none, with the nearest names.
        """
        record = self.find_study(name)
        if record is None:
            raise unknown(f"study in {self.display_name}:", name, [each.name for each in self.studies()])
        return record

    def find_study(self, name: str) -> StudyRecord | None:
        """A study by name, or None."""
        if not self._has_tables:
            return None

        def work(session: Session) -> StudyRecord | None:
            row = session.get(StudyRow, name)
            return _record(row) if row else None

        return self.transact(work)

    def save_study(self, record: StudyRecord) -> None:
        """Insert or replace what is stored of a study.

        Raises:
            UserError: If its lease was taken here, and another process has taken it since.
        """

        def work(session: Session) -> None:
            row = session.get(StudyRow, record.name) or StudyRow(name=record.name, created=time.time())
            row.identity, row.settings = dict(record.identity), dict(record.settings)
            row.budget, row.seconds, row.state = record.budget, dict(record.seconds), record.state
            session.add(row)

        self._change(record.name, work)

    def save_seconds(self, name: str, seconds: Mapping[str, float]) -> None:
        """Store the seconds used so far, by phase.

        Raises:
            UserError: As for :meth:`save_study`.
        """
        statement = update(StudyRow).where(StudyRow.name == name).values(seconds=dict(seconds))
        self._change(name, lambda session: session.execute(statement))

    def jobs(self, study: str) -> dict[str, dict[str, Any]]:
        """Results of the finished jobs of a study, by key: JSON objects that the study engine made."""
        query = select(JobRow).where(JobRow.study == study)
        return self.transact(lambda session: {row.key: dict(row.result) for row in session.scalars(query)})

    def finish_job(self, study: str, key: str, result: Mapping[str, Any]) -> None:
        """Store the result of a job.

        Raises:
            UserError: As for :meth:`save_study`.
        """
        row = JobRow(study=study, key=key, result=dict(result), finished=time.time())
        self._change(study, lambda session: session.merge(row))

    def _change(self, study: str, work: Callable[[Session], object]) -> None:
        """Change what is stored of a study, unless its lease was taken here and is lost."""
        lease = self._leases.get(study)

        def change(session: Session) -> None:
            if lease is not None:
                lease.refuse_lost(session)
            work(session)

        self.transact(change)

    def refuse_if_driven(self, study: str) -> None:
        """Make sure that nobody drives a study; its lease is not taken.

        Raises:
            UserError: If a living process drives it.
        """
        if self._has_tables:
            with self.user_errors():
                Lease(self._engine, study).refuse_alive(self.display_name)

    def driver(self, study: str, *, watch: bool = True) -> str | None:
        """Who drives a study, in words; None where nobody does.

        Args:
            study: Its name.
            watch: Whether to watch, for seconds, a driver whose heartbeat is old; else it counts as gone.
        """
        if not self._has_tables:
            return None
        with self.user_errors():
            return Lease(self._engine, study).driver(watch=watch)

    @contextmanager
    def lease(self, study: str) -> Iterator[Lease]:
        """Drive a study alone.

        Raises:
            UserError: If another living process drives it.
        """
        lease = Lease(self._engine, study)
        with self.user_errors():
            self._ensure_tables()
            lease.take(self.display_name)
        self._leases[study] = lease
        try:
            yield lease
        finally:
            del self._leases[study]
            with contextlib.suppress(SQLAlchemyError):  # a full disk: the lease of an ended process is taken over
                lease.give_back()

    def _refuse_damaged(self) -> None:
        # Read-only, because even the change to a write-ahead log would alter a file that is to be left as it is.
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
                f"{self.display_name}: is damaged ({problem}); it is left as it is: move it away,"
                " or name another with --storage"
            )

    def _prepared(self, engine: Engine) -> Engine:
        if self._sqlite is not None:
            event.listen(engine, "connect", _sqlite_pragmas)
        else:
            wait_for_server(engine)
        return engine

    def _engine_arguments(self) -> dict[str, Any]:
        if self._sqlite is not None:
            return {"connect_args": {"timeout": _LOCK_TIMEOUT_SECONDS}}
        postgresql = make_url(self.url).get_backend_name() == "postgresql"
        return {"pool_pre_ping": True, "connect_args": _POSTGRESQL if postgresql else {}}


def _make_tables(make: Callable[[], T]) -> T:
    """What ``make`` gives, which makes tables.

    A table that another process makes at the same moment is no mistake: the next try finds it made.

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


def _sqlite_pragmas(connection: DBAPIConnection, _: object) -> None:
    # Optuna's default (rollback journal, full sync) costs 324 ms a trial; a write-ahead log survives kill -9 as well.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _record(row: StudyRow) -> StudyRecord:
    state: StudyState = "done" if row.state == "done" else "open"
    return StudyRecord(row.name, row.identity, row.settings, row.budget, row.seconds, state)
