"""What a shell proposes for an option: studies, devices, spaces, roles. It says nothing else, and imports little."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import typer

from automl_kd.cli.answer import quiet
from automl_kd.core import DEFAULT_STORAGE, yaml_names

Complete = Callable[[typer.Context, str], list[str]]
_ROLES = ("knee", "best", "fastest")


def devices(context: typer.Context, incomplete: str) -> list[str]:
    """Devices with a profile."""
    return _beginning(incomplete, yaml_names("hardware_profiles"))


def spaces(context: typer.Context, incomplete: str) -> list[str]:
    """Search spaces."""
    return _beginning(incomplete, yaml_names("search_spaces"))


def studies(context: typer.Context, incomplete: str) -> list[str]:
    """Studies of the database that the line names so far."""
    storage = str(context.params.get("storage") or DEFAULT_STORAGE)
    try:
        with quiet(False):
            from automl_kd.storage import Database

            return _beginning(incomplete, [each.name for each in Database(storage, create=False).studies()])
    except Exception:  # whatever it is, the verb will tell it; a shell in the middle of a line must not
        return []


def roles(context: typer.Context, incomplete: str) -> list[str]:
    """Roles that every front has."""
    return _beginning(incomplete, _ROLES)


_BY_NAME: Mapping[str, Complete] = {
    "hw": devices,
    "space": spaces,
    "study": studies,
    "from_study": studies,
    "pick": roles,
    "trials": roles,
    "like": devices,
}
_BY_GROUP: Mapping[str, Mapping[str, Complete]] = {"hw": {"name": devices}, "space": {"name": spaces}}


def completed(verb: Callable[..., None], group: str = "") -> None:
    """Let a shell complete the options and arguments of a verb, by their names.

    Args:
        verb: Its signature holds annotations, not their text.
        group: Of the verb.
    """
    known = {**_BY_NAME, **_BY_GROUP.get(group, {})}
    for name, parameter in inspect.signature(verb).parameters.items():
        for option in _options(parameter.annotation):
            if name in known and option.autocompletion is None:
                option.autocompletion = known[name]


def _options(annotation: Any) -> Iterable[Any]:
    return [each for each in getattr(annotation, "__metadata__", ()) if hasattr(each, "autocompletion")]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete) and os.sep not in incomplete)
