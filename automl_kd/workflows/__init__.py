"""The verbs, one function each: the only room where all others meet."""

from automl_kd.workflows._observer import Observer, Snapshot
from automl_kd.workflows._request import SearchRequest
from automl_kd.workflows.dashboard import dashboard
from automl_kd.workflows.distill import distill
from automl_kd.workflows.export import export
from automl_kd.workflows.report import report
from automl_kd.workflows.search import SearchResult, run_search, search
from automl_kd.workflows.status import status

__all__ = [
    "Observer",
    "SearchRequest",
    "SearchResult",
    "Snapshot",
    "dashboard",
    "distill",
    "export",
    "report",
    "run_search",
    "search",
    "status",
]
