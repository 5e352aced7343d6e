"""The project's own tables, beside Optuna's in the same database: all are named ``akd_…``."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import JSON, Float, Integer, String
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
