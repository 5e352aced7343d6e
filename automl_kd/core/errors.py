"""What a user did wrong: one line that says what, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend.

    The command line prints it as one line on standard error and exits with code 2; the Python functions raise it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class Interrupted(Exception):
    """Work stopped on request (signal, deadline); everything finished is stored and the same command goes on."""


def unknown(kind: str, name: object, known: Iterable[str]) -> UserError:
    """An error for a name that does not exist, with the nearest names that do.

    Args:
        kind: What the name stands for, for example ``"device"``.
        name: What the user wrote.
        known: Every name that would have been right.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
    if near:
        return UserError(f"unknown {kind} {str(name)!r}; did you mean {', '.join(near)}?")
    return UserError(f"unknown {kind} {str(name)!r}; known: {', '.join(names) if names else 'none'}")


def first_line(error: BaseException) -> str:
    """What an error of another library says, in one line; its type where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
