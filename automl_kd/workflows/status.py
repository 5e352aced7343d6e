"""How studies stand, also while they run."""

from __future__ import annotations

from automl_kd.core import DEFAULT_STORAGE
from automl_kd.results import StudySummary
from automl_kd.storage import Database
from automl_kd.studies.summary import summarize


def status(study: str | None = None, *, storage: str = DEFAULT_STORAGE) -> list[StudySummary]:
    """Summaries of a study, or of all studies of a database.

    Args:
        study: A study's name, None for all.
        storage: Database URL or path of an SQLite file.

    Returns:
        One summary a study, as far as it is: counts, front, picks, teacher, seconds by phase.

    Raises:
        UserError: If there is no such study, or the database cannot be read.
    """
    database = Database(storage, create=False)
    names = [record.name for record in database.studies()] if study is None else [study]
    return [summarize(database, name) for name in names]
