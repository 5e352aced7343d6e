"""The project's own tables, beside Optuna's in the same database: all are named ``akd_…``.

Names of tables and columns are those of version 0.1: databases of it are still read.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypedDict

from sqlalchemy import JSON, BigInteger, Boolean, Float, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class StoredMessage(TypedDict):
    """A message as its column holds it.

    Attributes:
        document: A JSON object.
        files: SHA-256 of each file that goes with it, by name; its parts are rows of ``akd_files``.
    """

    document: dict[str, Any]
    files: dict[str, str]


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON, dict[str, float]: JSON}


class StudyRow(Base):
    """What a study is (``identity`` must not change under it) and the time it has used, by phase."""

    __tablename__ = "akd_studies"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    identity: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]
    budget: Mapped[float] = mapped_column(Float)
    seconds: Mapped[dict[str, float]]
    created: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(32))


class LeaseRow(Base):
    """The process that drives a study; it is alive as long as its heartbeat is recent."""

    __tablename__ = "akd_leases"

    study: Mapped[str] = mapped_column(String(255), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    heartbeat: Mapped[float] = mapped_column(Float)


class JobRow(Base):
    """A full training of a pick or of one of its arms; finished once, never repeated."""

    __tablename__ = "akd_jobs"

    study: Mapped[str] = mapped_column(String(255), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    result: Mapped[dict[str, Any]]
    finished: Mapped[float] = mapped_column(Float)


class OfferRow(Base):
    """What all jobs of a study share, for workers that join over the database."""

    __tablename__ = "akd_offers"

    study: Mapped[str] = mapped_column(String(255), primary_key=True)
    setup: Mapped[dict[str, Any]]


class WorkerRow(Base):
    """The mailbox of a worker that has joined: the driver posts a job, the worker answers it.

    ``beats`` counts its heartbeats; ``posted`` and ``answered`` are the numbers of its last job and of its last answer.
    """

    __tablename__ = "akd_workers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    study: Mapped[str] = mapped_column(String(255), index=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    beats: Mapped[int] = mapped_column(Integer, default=0)
    ready: Mapped[bool] = mapped_column(Boolean, default=False)
    stopping: Mapped[bool] = mapped_column(Boolean, default=False)
    posted: Mapped[int] = mapped_column(Integer, default=0)
    job: Mapped[StoredMessage | None] = mapped_column(JSON(none_as_null=True))
    answered: Mapped[int] = mapped_column(Integer, default=0)
    answer: Mapped[StoredMessage | None] = mapped_column(JSON(none_as_null=True))


class FileRow(Base):
    """A part of a file on its way between machines; it belongs to a mailbox or an offer and is deleted with it."""

    __tablename__ = "akd_files"

    owner: Mapped[str] = mapped_column(String(275), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class QueueRow(Base):
    """The one row that whoever takes a search or counts them changes first, so that two never do so at a time."""

    __tablename__ = "akd_queue"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    turns: Mapped[int] = mapped_column(Integer)


class SearchRow(Base):
    """A search that was submitted: what was asked for, how it stands, and the runner that has claimed it.

    ``beats`` counts the heartbeats of the claim; ``events`` is the number of the search's last event; ``deaths`` counts
    the runners that died under it since one got anywhere.
    """

    __tablename__ = "akd_searches"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), index=True)
    request: Mapped[dict[str, Any]]
    budget: Mapped[float] = mapped_column(Float)
    priority: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(16), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    cancelled: Mapped[bool] = mapped_column(Boolean, default=False)
    ended: Mapped[list[int]] = mapped_column(JSON)
    created: Mapped[float] = mapped_column(Float)
    queued: Mapped[float] = mapped_column(Float)
    changed: Mapped[float] = mapped_column(Float)
    claim: Mapped[str | None] = mapped_column(String(32))
    runner: Mapped[str | None] = mapped_column(String(255))
    beats: Mapped[int] = mapped_column(Integer, default=0)
    deaths: Mapped[int] = mapped_column(Integer, default=0)
    events: Mapped[int] = mapped_column(Integer, default=0)


class EventRow(Base):
    """Something that happened to a search. Numbers count from 1 without a gap; ``key`` tells a repeated insertion."""

    __tablename__ = "akd_events"
    __table_args__ = (Index("akd_events_of_kind", "search", "kind", "number"),)

    search: Mapped[str] = mapped_column(String(255), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    time: Mapped[float] = mapped_column(Float)
    kind: Mapped[str] = mapped_column(String(16))
    document: Mapped[dict[str, Any]]


class TokenRow(Base):
    """Who may use the service; of a token the SHA-256 alone is kept."""

    __tablename__ = "akd_tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    owner: Mapped[str] = mapped_column(String(64))
    scope: Mapped[str] = mapped_column(String(8))
    created: Mapped[float] = mapped_column(Float)
    expires: Mapped[float | None] = mapped_column(Float)
    revoked: Mapped[float | None] = mapped_column(Float)
    in_address: Mapped[bool] = mapped_column(Boolean, default=False)


class BrowserSessionRow(Base):
    """A browser that a token has let in; of its cookie the SHA-256 alone is kept."""

    __tablename__ = "akd_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    token: Mapped[str] = mapped_column(String(64), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    expires: Mapped[float] = mapped_column(Float)


class UploadRow(Base):
    """A file or folder that somebody sent; it lies under its hash beside the database."""

    __tablename__ = "akd_uploads"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    bytes: Mapped[int] = mapped_column(BigInteger)
    created: Mapped[float] = mapped_column(Float)


SERVED = frozenset(row.__tablename__ for row in (QueueRow, SearchRow, EventRow, TokenRow, BrowserSessionRow, UploadRow))
"""Tables that the service alone reads and writes."""
