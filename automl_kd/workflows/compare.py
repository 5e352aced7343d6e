"""Two or three trials of a study side by side, in numbers and in words."""

from __future__ import annotations

from automl_kd.core import DEFAULT_STORAGE
from automl_kd.results import Comparison, StudyResult
from automl_kd.storage import Database
from automl_kd.studies.comparing import compared
from automl_kd.studies.lookup import the_study
from automl_kd.studies.summary import summarize


def compare(*trials: int | str, study: StudyResult | str | None = None, storage: str | None = None) -> Comparison:
    """Put finished trials beside each other; at any time, also while the search runs.

    Args:
        trials: Two or three: numbers, or roles such as ``knee``, ``best`` and ``fastest``.
        study: What ``search`` returned, or a study's name; None for the only one.
        storage: Database URL or path of an SQLite file; by default that of the result, or the usual one.

    Returns:
        Scores, prices and what else there is with intervals, in what the recipes differ, and what that means in words.

    Raises:
        UserError: If there is no such study, or these are not two or three of its finished trials.
    """
    if isinstance(study, StudyResult):
        storage, study = storage or study.storage, study.study
    database = Database(storage or DEFAULT_STORAGE, create=False)
    return compared(summarize(database, the_study(database, study)), trials)
