"""Finding the study that a verb is about."""

from __future__ import annotations

from automl_kd.core import UserError
from automl_kd.storage import Database


def the_study(database: Database, name: str | None) -> str:
    """The study of that name, or the only one there is.

    Raises:
        UserError: If there is none of that name, none at all, or several and no name.
    """
    if name is not None:
        return database.study(name).name
    names = [record.name for record in database.studies()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise UserError(
            f"{database.display_name} holds no study yet; begin one with automl-kd search, or name another --storage"
        )
    raise UserError(f"{database.display_name} holds {len(names)} studies; name one with --study: {', '.join(names)}")
