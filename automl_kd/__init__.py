"""Joint search of student architecture and distillation recipe, priced for the target device.

>>> import automl_kd as ak
>>> result = ak.search(hw="jetson-nano", budget="3m")
>>> ak.export(result, pick="knee", out="winner")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from automl_kd.core import __version__

if TYPE_CHECKING:
    from automl_kd import distillation, hardware, recipes, students, tasks, teachers
    from automl_kd.core import Interrupted, UserError
    from automl_kd.hardware import load_profile
    from automl_kd.recipes import Recipe, Space, load_recipe, load_space
    from automl_kd.results import Comparison, StudyResult
    from automl_kd.studies.request import SearchRequest
    from automl_kd.tasks import open_task
    from automl_kd.workflows.bench import bench
    from automl_kd.workflows.compare import compare
    from automl_kd.workflows.dashboard import dashboard
    from automl_kd.workflows.distill import distill
    from automl_kd.workflows.export import export
    from automl_kd.workflows.report import report
    from automl_kd.workflows.reprice import reprice
    from automl_kd.workflows.search import SearchResult, search
    from automl_kd.workflows.status import status
    from automl_kd.workflows.trial import trial_detail
    from automl_kd.workflows.verify import verify
    from automl_kd.workflows.worker import work

_VERBS = ("bench", "compare", "dashboard", "distill", "export", "report", "reprice", "search", "status", "verify")
# Importing torch takes seconds: every name is fetched when it is first asked for.
_HOMES = {
    **{verb: f"workflows.{verb}" for verb in _VERBS},
    **dict.fromkeys(("Recipe", "Space", "load_recipe", "load_space"), "recipes"),
    **dict.fromkeys(("Interrupted", "UserError"), "core"),
    "SearchRequest": "studies.request",
    "SearchResult": "workflows.search",
    **dict.fromkeys(("Comparison", "StudyResult"), "results"),
    "load_profile": "hardware",
    "open_task": "tasks",
    "trial_detail": "workflows.trial",
    "work": "workflows.worker",
}
_ROOMS = ("distillation", "hardware", "recipes", "students", "tasks", "teachers")

__all__ = [
    "Comparison",
    "Interrupted",
    "Recipe",
    "SearchRequest",
    "SearchResult",
    "Space",
    "StudyResult",
    "UserError",
    "__version__",
    "bench",
    "compare",
    "dashboard",
    "distill",
    "distillation",
    "export",
    "hardware",
    "load_profile",
    "load_recipe",
    "load_space",
    "open_task",
    "recipes",
    "report",
    "reprice",
    "search",
    "status",
    "students",
    "tasks",
    "teachers",
    "trial_detail",
    "verify",
    "work",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
