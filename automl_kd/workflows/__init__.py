"""The verbs, one function each: the only room where all others meet."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from automl_kd.workflows._observer import Observer, Snapshot, sharing
    from automl_kd.workflows._plan import SearchPlan, plan_search
    from automl_kd.workflows._report import report
    from automl_kd.workflows._request import SearchRequest
    from automl_kd.workflows._search import SearchResult, run_search, search
    from automl_kd.workflows._status import status
    from automl_kd.workflows._task_check import check_task
    from automl_kd.workflows._verification import picks_kit, verify_picks
    from automl_kd.workflows._worker import work

# A verb needs a few of the other rooms, and all of them take seconds: each is fetched when it is first asked for.
_HOMES = {
    "dashboard": "_dashboard",
    "distill": "_distill",
    "export": "_export",
    "calibrate_hardware": "_hardware",
    "hardware_kit": "_hardware",
    "new_hardware": "_hardware",
    "plot_hardware": "_hardware",
    "train_hardware": "_hardware",
    "Observer": "_observer",
    "Snapshot": "_observer",
    "sharing": "_observer",
    "SearchPlan": "_plan",
    "plan_search": "_plan",
    "report": "_report",
    "SearchRequest": "_request",
    "SearchResult": "_search",
    "run_search": "_search",
    "search": "_search",
    "status": "_status",
    "check_task": "_task_check",
    "picks_kit": "_verification",
    "verify_picks": "_verification",
    "work": "_worker",
}

__all__ = [
    "Observer",
    "SearchPlan",
    "SearchRequest",
    "SearchResult",
    "Snapshot",
    "calibrate_hardware",
    "check_task",
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
    "sharing",
    "status",
    "train_hardware",
    "verify_picks",
    "work",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
