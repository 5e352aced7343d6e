"""What a long workflow tells about itself while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from automl_kd.objectives import Objective
from automl_kd.results.trial import TrialResult


@dataclass(frozen=True)
class Snapshot:
    """Where a search is.

    Attributes:
        phase: ``prepare``, ``teacher``, ``search`` or ``picks``.
        doing: What is happening, in a few words.
        spent: Seconds used in all.
        budget: Seconds in all.
        split: Seconds planned by phase.
        counts: Numbers of candidates by what became of them.
        objectives: What the front is of.
        front: The front so far, as in the search's result.
        done: Share of the phase that is done, in [0, 1], where it is known.
    """

    phase: str
    doing: str
    spent: float
    budget: float
    split: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    objectives: Sequence[Objective] = ()
    front: Sequence[TrialResult] = ()
    done: float | None = None


class Observer:
    """Listens to a workflow; this one keeps silent."""

    def update(self, snapshot: Snapshot) -> None:
        """The workflow is here now; called a few times a second at most."""

    def note(self, text: str) -> None:
        """Something worth a line of its own happened."""

    def tell(self, lines: Sequence[str]) -> None:
        """A note for every line."""
        for line in lines:
            self.note(line)


def sharing(observer: Observer, phase: str) -> Callable[[float, str], None]:
    """A callback that tells an observer which share of a phase is done, and what is being done."""
    began = time.monotonic()
    return lambda share, what: observer.update(Snapshot(phase, what, time.monotonic() - began, 0.0, done=share))


def naming(observer: Observer, phase: str) -> Callable[[str], None]:
    """A callback that tells an observer what is being done in a phase of which nobody knows how long it takes."""
    began = time.monotonic()
    return lambda what: observer.update(Snapshot(phase, what, time.monotonic() - began, 0.0))
