"""What outlives a process: studies, leases, finished jobs and artifacts, in one database and one folder beside it."""

from automl_kd.storage._artifacts import ArtifactStore, folder_bytes, free_bytes
from automl_kd.storage._database import Database, Lease, StudyRecord

__all__ = ["ArtifactStore", "Database", "Lease", "StudyRecord", "folder_bytes", "free_bytes"]
