"""What outlives a process: studies, leases, finished jobs and mailboxes in a database, and artifacts beside it."""

from automl_kd.storage.artifacts import ArtifactStore
from automl_kd.storage.database import Database, StudyRecord
from automl_kd.storage.lease import Lease
from automl_kd.storage.mailboxes import JobQueue, Mailboxes, MailboxStatus, Message, WorkerStatus

__all__ = [
    "ArtifactStore",
    "Database",
    "JobQueue",
    "Lease",
    "MailboxStatus",
    "Mailboxes",
    "Message",
    "StudyRecord",
    "WorkerStatus",
]
