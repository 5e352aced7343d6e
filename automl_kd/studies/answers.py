"""Taking in what workers answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from automl_kd.core import UserError
from automl_kd.execution import Answer

Key = TypeVar("Key")


def take_all(answers: Iterable[tuple[Key, Answer]], take: Callable[[Key, Answer], None]) -> None:
    """Store every answer, also where one of them ends the phase: what another worker finished must not be lost.

    Args:
        answers: As a pool gives them.
        take: Stores one.

    Raises:
        UserError: The first that ``take`` raised, once all are stored.
    """
    errors: list[UserError] = []
    for key, answer in answers:
        try:
            take(key, answer)
        except UserError as error:
            errors.append(error)
    if errors:
        raise errors[0]
