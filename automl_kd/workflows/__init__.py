"""The verbs, one function each: the only room where all others meet."""

from automl_kd.workflows._dashboard import dashboard
from automl_kd.workflows._distill import distill
from automl_kd.workflows._export import export
from automl_kd.workflows._hardware import (
    calibrate_hardware,
    hardware_kit,
    new_hardware,
    plot_hardware,
    train_hardware,
)
from automl_kd.workflows._observer import Observer, Snapshot
from automl_kd.workflows._plan import SearchPlan, plan_search
from automl_kd.workflows._report import report
from automl_kd.workflows._request import SearchRequest
from automl_kd.workflows._search import SearchResult, run_search, search
from automl_kd.workflows._status import status
from automl_kd.workflows._verification import picks_kit, verify_picks
from automl_kd.workflows._worker import work

__all__ = [
    "Observer",
    "SearchPlan",
    "SearchRequest",
    "SearchResult",
    "Snapshot",
    "calibrate_hardware",
    "dashboard",
    "distill",
    "export",
    "hardware_kit",
    "new_hardware",
    "picks_kit",
    "plan_search",
    "plot_hardware",
    "report",
    "run_search",
    "search",
    "status",
    "train_hardware",
    "verify_picks",
    "work",
]
