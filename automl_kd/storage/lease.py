"""The lease of a study: at most one process drives it."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable

import psutil
from sqlalchemy import Connection, Engine, delete, event, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from automl_kd.core import UserError
from automl_kd.storage.reconnecting import transact
from automl_kd.storage.tables import LeaseRow

_FRESH_SECONDS = 60.0
"""Age of a heartbeat up to which its holder counts as alive."""
_WATCH_SECONDS = 10.0
_LOOK_SECONDS = 0.5
_CHANGES = ("INSERT", "UPDATE", "DELETE")


class StudyBusyError(UserError):
    """Another living process drives the study."""


class Lease:
    """The right to drive a study, kept by heartbeats.

    Args:
        engine: Connects to the database.
        study: The study's name.
    """

    def __init__(self, engine: Engine, study: str) -> None:
        self._engine = engine
        self._study = study
        self._owner = uuid.uuid4().hex

    def take(self, database: str) -> None:
        """Take the lease; a holder that died loses it.

        Args:
            database: Its name in an error.

        Raises:
            StudyBusyError: If the holder lives, or another process took the lease at the same moment.
        """
        for _ in range(2):
            holder = self.refuse_alive(database)
            try:
                transact(self._engine, lambda session, holder=holder: self._replace(session, holder))  # type: ignore[misc]
                return
            except IntegrityError:
                continue  # another process took it between our look and our insert: look again
        raise StudyBusyError(f"study {self._study} in {database} was taken by another process just now; wait for it")

    def refuse_alive(self, database: str) -> LeaseRow | None:
        """The holder that died without giving the lease back, or None.

        Args:
            database: Its name in an error.

        Raises:
            UserError: If the holder lives.
        """
        holder = self._holder()
        if holder is not None and _alive(holder, self._holder):
            raise StudyBusyError(
                f"study {self._study} in {database} is being searched by process {holder.pid} on"
                f" {holder.host}; wait for it, stop it, or search under another --study"
            )
        return holder

    def driver(self, *, watch: bool) -> str | None:
        """Who drives the study, in words; None where nobody does.

        Args:
            watch: Whether to watch a holder whose heartbeat is old; else it counts as gone.
        """
        holder = self._holder()
        if holder is None or not (_alive(holder, self._holder) if watch else _beats(holder)):
            return None
        return f"process {holder.pid} on {holder.host}"

    def beat(self) -> None:
        """Renew the lease: its owner is alive.

        Raises:
            UserError: If another process took the lease; this one must not go on, or two would drive one study.
        """
        statement = (
            update(LeaseRow)
            .where(LeaseRow.study == self._study, LeaseRow.owner == self._owner)
            .values(heartbeat=time.time())
        )
        if not transact(self._engine, lambda session: session.execute(statement).rowcount):  # type: ignore[attr-defined]
            raise self._lost()

    def held(self, session: Session | Connection) -> bool:
        """Whether the lease is still ours, within a transaction."""
        mine = select(LeaseRow.owner).where(LeaseRow.study == self._study, LeaseRow.owner == self._owner)
        return session.scalar(mine) is not None

    def refuse_lost(self, session: Session | Connection) -> None:
        """Make sure, within a transaction that changes the study, that its lease is still ours.

        Raises:
            UserError: If another process took it while this one stood still.
        """
        if not self.held(session):
            raise self._lost()

    def guard(self, engine: Engine) -> None:
        """Let an engine change nothing any more once the lease is lost, wherever in its work this process wakes up."""

        @event.listens_for(engine, "before_cursor_execute")
        def look(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
            if statement.lstrip()[:6].upper() in _CHANGES:
                self.refuse_lost(connection)

    def _lost(self) -> UserError:
        return UserError(f"study {self._study} was taken over by another process while this one stood still")

    def give_back(self) -> None:
        """Let another process drive the study."""
        statement = delete(LeaseRow).where(LeaseRow.study == self._study, LeaseRow.owner == self._owner)
        transact(self._engine, lambda session: session.execute(statement))

    def _holder(self) -> LeaseRow | None:
        def work(session: Session) -> LeaseRow | None:
            found = session.scalar(select(LeaseRow).where(LeaseRow.study == self._study))
            if found is not None:
                session.expunge(found)
            return found

        return transact(self._engine, work)

    def _replace(self, session: Session, holder: LeaseRow | None) -> None:
        """Put our lease in the place of a dead holder's.

        Raises:
            IntegrityError: If somebody else took it.
        """
        if holder is not None:
            session.execute(delete(LeaseRow).where(LeaseRow.study == self._study, LeaseRow.owner == holder.owner))
        # Where the answer to an earlier try was lost, the lease is ours already.
        session.execute(delete(LeaseRow).where(LeaseRow.study == self._study, LeaseRow.owner == self._owner))
        me = {"host": socket.gethostname(), "pid": os.getpid(), "heartbeat": time.time()}
        session.add(LeaseRow(study=self._study, owner=self._owner, **me))


def _alive(holder: LeaseRow, look: Callable[[], LeaseRow | None]) -> bool:
    """Whether a holder lives: on this machine by its process, unless that is stopped, on another by its heartbeat.

    A heartbeat carries the time of the holder's clock. A time far from this machine's may mean a dead holder or a
    wrong clock, so the heartbeat is watched for a while before the lease is taken from the holder.
    """
    if holder.host == socket.gethostname():
        if holder.pid == os.getpid() or not psutil.pid_exists(holder.pid):
            return False
        if _started_before(holder) and (_is_fresh(holder) or not _is_stopped(holder.pid)):
            return True
        return _still_beats(holder, look)
    return _is_fresh(holder) or _still_beats(holder, look)


def _beats(holder: LeaseRow) -> bool:
    """Whether a holder's heartbeat is recent and its process, where it is on this machine, is there."""
    if not _is_fresh(holder):
        return False
    return holder.host != socket.gethostname() or psutil.pid_exists(holder.pid)


def _is_fresh(holder: LeaseRow) -> bool:
    return abs(time.time() - holder.heartbeat) < _FRESH_SECONDS


def _still_beats(holder: LeaseRow, look: Callable[[], LeaseRow | None]) -> bool:
    end = time.monotonic() + _WATCH_SECONDS
    while time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
        now = look()
        if now is None:
            return False
        if (now.owner, now.heartbeat) != (holder.owner, holder.heartbeat):
            return True
    return False


def _started_before(holder: LeaseRow) -> bool:
    """Whether the process with the holder's number is the holder, not a later one that was given the same number."""
    try:
        return bool(psutil.Process(holder.pid).create_time() <= holder.heartbeat + 1)
    except psutil.Error:
        return False


def _is_stopped(pid: int) -> bool:
    """Whether a process stands still until somebody wakes it, as after Ctrl-Z."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.Error:
        return False
