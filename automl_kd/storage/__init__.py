"""What outlives a process: studies, leases, jobs, mailboxes, searches and tokens in a database, artifacts beside it."""

from automl_kd.storage.artifacts import ArtifactStore
from automl_kd.storage.database import Database, DatabaseFailedError, StudyRecord
from automl_kd.storage.events import Event, EventLog
from automl_kd.storage.lease import Lease, StudyBusyError
from automl_kd.storage.mailboxes import JobQueue, Mailboxes, MailboxStatus, Message, WorkerStatus
from automl_kd.storage.search_claims import SearchClaims
from automl_kd.storage.search_queue import NameTakenError, QueueFullError, SearchQueue, WrongStateError
from automl_kd.storage.submitted import SearchState, SubmittedSearch
from automl_kd.storage.tokens import SCOPES, BrowserSession, Scope, Token, TokenStore
from automl_kd.storage.uploads import Upload, UploadBook

__all__ = [
    "SCOPES",
    "ArtifactStore",
    "BrowserSession",
    "Database",
    "DatabaseFailedError",
    "Event",
    "EventLog",
    "JobQueue",
    "Lease",
    "MailboxStatus",
    "Mailboxes",
    "Message",
    "NameTakenError",
    "QueueFullError",
    "Scope",
    "SearchClaims",
    "SearchQueue",
    "SearchState",
    "StudyBusyError",
    "StudyRecord",
    "SubmittedSearch",
    "Token",
    "TokenStore",
    "Upload",
    "UploadBook",
    "WorkerStatus",
    "WrongStateError",
]
