"""What outlives a process: studies, leases, finished jobs and artifacts, in one database and one folder beside it."""

from automl_kd.storage._artifacts import ArtifactStore, folder_bytes, free_bytes
from automl_kd.storage._database import Database, StudyRecord
from automl_kd.storage._lease import Lease
from automl_kd.storage._mailboxes import Letter, Mailboxes, Post, Sign, Slot

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
    "folder_bytes",
    "free_bytes",
]
