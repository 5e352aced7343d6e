"""The project's own tables, beside Optuna's in the same database: all are named ``akd_…``."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {dict[str, Any]: JSON}


class StudyRow(Base):
    """What a study is (``identity`` must not change under it) and the time it has used, by phase."""

    __tablename__ = "akd_studies"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    identity: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]
    budget: Mapped[float] = mapped_column(Float)
    seconds: Mapped[dict[str, Any]]
    created: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(32))


class LeaseRow(Base):
    """Who drives a study: one process, alive as long as its heartbeat is young."""

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
    """The mailbox of a worker that has joined: the driver posts a job, the worker answers it."""

    __tablename__ = "akd_workers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    study: Mapped[str] = mapped_column(String(255), index=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    beats: Mapped[int] = mapped_column(Integer, default=0)
    ready: Mapped[bool] = mapped_column(Boolean, default=False)
    stopping: Mapped[bool] = mapped_column(Boolean, default=False)
    posted: Mapped[int] = mapped_column(Integer, default=0)
    job: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    answered: Mapped[int] = mapped_column(Integer, default=0)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class FileRow(Base):
    """A part of a file on its way between machines; it belongs to a mailbox or an offer and ends with it."""

    __tablename__ = "akd_files"

    owner: Mapped[str] = mapped_column(String(275), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    content: Mapped[bytes] = mapped_column(LargeBinary)
