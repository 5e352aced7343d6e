"""Calls of functions that the user has given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from optuna.trial import FrozenTrial

from automl_kd.core import UserError


def call(name: str, function: Callable[[Any], Any], argument: Any) -> Any:
    """The answer of a user's function to a set of parameters, a list of such sets, or a trial.

    Args:
        name: Under which the function was given.
        function: The function.
        argument: What it is asked about.

    Raises:
        UserError: If the function raises; it names the function and the argument.
    """
    try:
        return function(argument)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{name}: raised {type(error).__name__}: {error} for {_described(argument)}") from error


def _described(argument: Any) -> str:
    match argument:
        case FrozenTrial():
            return f"trial {argument.number}"
        case Mapping():
            return str(dict(argument))
        case _:
            return f"{len(argument)} sets such as {dict(argument[0])}"
