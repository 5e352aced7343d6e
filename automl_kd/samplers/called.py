"""Functions of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from automl_kd.core import UserError


def called(name: str, function: Callable[[Any], Any], argument: Any) -> Any:
    """What a function of the user gives for one set of parameters, or a list of them.

    Raises:
        UserError: If it raises: under the name by which it was given, with the parameters.
    """
    try:
        return function(argument)
    except UserError:
        raise
    except Exception as error:
        shown = dict(argument) if isinstance(argument, Mapping) else f"{len(argument)} sets such as {dict(argument[0])}"
        raise UserError(f"{name}: raised {type(error).__name__}: {error} for {shown}") from error
