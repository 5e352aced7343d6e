"""What outlives a process: studies, leases, finished jobs and artifacts, in one database and one folder beside it."""

from automl_kd.storage._artifacts import ArtifactStore, folder_bytes, free_bytes
from automl_kd.storage._database import Database, StudyRecord
from automl_kd.storage._lease import Lease
from automl_kd.storage._mailboxes import Letter, Mailbox, Post, Sign

__all__ = [
    "ArtifactStore",
    "Database",
    "Lease",
    "Letter",
    "Mailbox",
    "Post",
    "Sign",
    "StudyRecord",
    "folder_bytes",
    "free_bytes",
]
