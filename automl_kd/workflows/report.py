"""A study as one page."""

from __future__ import annotations

from pathlib import Path

from automl_kd.core import DEFAULT_STORAGE, write_text
from automl_kd.delivery import study_report
from automl_kd.storage import Database
from automl_kd.studies.lookup import the_study
from automl_kd.studies.report import reviewed


def report(study: str | None = None, *, out: str | Path = "report.html", storage: str = DEFAULT_STORAGE) -> Path:
    """Write a study's report: one HTML file that needs no network.

    Args:
        study: The study, None for the only one.
        out: Where to.
        storage: Database URL or path of an SQLite file.

    Raises:
        UserError: If there is no such study, or the file cannot be written.
    """
    database = Database(storage, create=False)
    path = Path(out)
    write_text(path, study_report(reviewed(database, database.optuna(), the_study(database, study))))
    return path
