"""The main job: search students and their distillation together, then distil the best in full."""

from __future__ import annotations

import time
from typing import Any

from automl_kd.results import Observer, StudyResult
from automl_kd.storage import Database
from automl_kd.studies.clock import StopRequest
from automl_kd.studies.context import StudyInputs
from automl_kd.studies.preparation import prepare
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.runner import StudyRunner
from automl_kd.studies.summary import result_of, summarize
from automl_kd.studies.wishes import Wishes
from automl_kd.workflows.signature import with_options

SearchResult = StudyResult
"""Its name in version 0.1."""


@with_options(SearchRequest)
def search(hw: str, budget: str | float, *, observer: Observer | None = None, **options: Any) -> StudyResult:
    """Search student architecture and distillation recipe together for a device.

    Called again with the same arguments it resumes: time used before counts, nothing finished is done twice. An
    ``observer`` is told what happens.

    Returns:
        Front, picks and all else that the study found.

    Raises:
        UserError: If something is wrong with what was asked, or the study cannot go on.
        Interrupted: If a signal ended it; the same call goes on.
    """
    return run_search(SearchRequest(hw=hw, budget=budget, **options), observer or Observer())


def run_search(request: SearchRequest, observer: Observer, wishes: Wishes | None = None) -> StudyResult:
    """As :func:`search`, from a request.

    Args:
        request: What is asked for.
        observer: Told what happens.
        wishes: What another thread wants of the study while it runs: more time, the end of a trial, a stop.
    """
    began = time.monotonic()
    wishes = wishes or Wishes()
    stop = StopRequest(wishes)
    with stop.listening():
        database = Database(request.storage)
        prepared = prepare(request, database, observer)
        name = prepared.request.name
        inputs = StudyInputs(prepared.request, observer, stop, database, prepared, wishes)
        with database.lease(name) as lease, database.user_errors():
            StudyRunner(inputs, lease, began).run()
    return result_of(summarize(database, name))
