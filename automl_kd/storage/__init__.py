"""What outlives a process: studies, leases, finished jobs and artifacts, in one database and one folder beside it."""

from automl_kd.storage.artifacts import ArtifactStore
from automl_kd.storage.database import Database, StudyRecord
from automl_kd.storage.lease import Lease
from automl_kd.storage.mailboxes import Letter, Mailboxes, Post, Sign, Slot

__all__ = [
    "ArtifactStore",
    "Database",
    "Lease",
    "Letter",
    "Mailboxes",
    "Post",
    "Sign",
    "Slot",
    "StudyRecord",
]
