"""How much a verb tells: ``--quiet`` the answer alone, ``--verbose`` also what libraries log and where time goes."""

from __future__ import annotations

import functools
import inspect
import sys
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from automl_kd.core import UserError, duration

Verb = Callable[..., None]
Level = Literal["quiet", "usual", "verbose"]

_QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Say the answer alone: no progress, no notes.")]
_VERBOSE = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Say more: what libraries log, and where time goes."),
]


class Voice:
    """How much the verb at hand tells, and what its time went into.

    Attributes:
        level: How much.
    """

    def __init__(self) -> None:
        self.begin("usual")

    def begin(self, level: Level) -> None:
        """A verb begins."""
        self.level = level
        self._phase, self._since = "loading", time.monotonic()
        self._spent: dict[str, float] = {}

    def enter(self, phase: str) -> None:
        """What follows counts as this phase."""
        now = time.monotonic()
        self._spent[self._phase] = self._spent.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now

    def end(self) -> None:
        """The verb has ended: tell where its time went, where that was asked for."""
        if self.level == "verbose":
            self.enter(self._phase)
            parts = [f"{phase} {duration(seconds)}" for phase, seconds in self._spent.items()]
            print(f"{duration(sum(self._spent.values()))}: {', '.join(parts)}", file=sys.stderr, flush=True)


VOICE = Voice()
"""That of this process: a process runs one verb at a time."""


def voiced(verb: Verb) -> Verb:
    """A verb with the options ``--quiet`` and ``--verbose`` behind its own."""
    own = inspect.signature(verb, eval_str=True)

    @functools.wraps(verb)
    def voiced(*, quiet: bool, verbose: bool, **options: Any) -> None:
        if quiet and verbose:
            raise UserError("--quiet and --verbose: choose one")
        VOICE.begin("quiet" if quiet else "verbose" if verbose else "usual")
        verb(**options)

    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("quiet", _QUIET), ("verbose", _VERBOSE))
    ]
    parameters = [*(each.replace(kind=each.KEYWORD_ONLY) for each in own.parameters.values()), *more]
    voiced.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    voiced.__annotations__ = {each.name: each.annotation for each in parameters}
    return voiced
