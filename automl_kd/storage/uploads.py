"""What was sent to the service, and by whom; the files lie beside the database by sender and hash."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from automl_kd.storage.tables import UploadRow

if TYPE_CHECKING:
    from automl_kd.storage.database import Database


@dataclass(frozen=True)
class Upload:
    """Something that was sent.

    Attributes:
        sha256: Hash of the file as it was sent.
        name: What its sender calls it.
        bytes: What it takes.
        created: When it was sent, in seconds since 1970.
    """

    sha256: str
    name: str
    bytes: int
    created: float


class UploadBook:
    """Who sent what.

    Args:
        database: Where that is kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database.served()

    def add(self, owner: str, sha256: str, name: str, taken: int) -> None:
        """Note what somebody sent; what that one has sent before keeps its first name."""

        def work(session: Session) -> None:
            if session.get(UploadRow, (sha256, owner)) is None:
                session.add(UploadRow(sha256=sha256, owner=owner, name=name, bytes=taken, created=time.time()))

        self._database.transact(work)

    def of(self, owner: str) -> Sequence[Upload]:
        """What somebody sent, newest first."""
        query = select(UploadRow).where(UploadRow.owner == owner).order_by(UploadRow.created.desc())

        def work(session: Session) -> list[Upload]:
            return [Upload(row.sha256, row.name, row.bytes, row.created) for row in session.scalars(query)]

        return self._database.transact(work)

    def hashes(self, owner: str) -> set[str]:
        """Hashes of what somebody sent."""
        return {each.sha256 for each in self.of(owner)}

    def bytes_of(self, owner: str) -> int:
        """What all takes that somebody sent."""
        query = select(func.sum(UploadRow.bytes)).where(UploadRow.owner == owner)
        return self._database.transact(lambda session: session.scalar(query)) or 0

    def remove(self, owner: str, sha256: str) -> None:
        """Forget what somebody sent."""
        statement = delete(UploadRow).where(UploadRow.owner == owner, UploadRow.sha256 == sha256)
        self._database.transact(lambda session: session.execute(statement))
