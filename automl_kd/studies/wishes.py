"""What somebody wants of a study while it runs, such as a service whose owner pressed a button."""

from __future__ import annotations

import threading


class Wishes:
    """Wishes for a running study. Any thread may wish; the study looks between its steps, a few times a second.

    Every attribute is an immutable value that is replaced as a whole, so it can be read, and set, at any time.

    Attributes:
        budget: Seconds in all that the study may take from now on, None for what it was begun with. Where it is more
            than that, teacher and search count with it at once. Once the picks are being distilled the run ends
            instead, and the same request with that budget goes on with another round.
        ended: Trials that are given up: one that waits is pruned, one that is being trained is stopped at its next
            step, or at its next rung where the executor cannot stop a single job. It is never trained again. A number
            that no trial has, or one that is finished, is nothing.
        stopping: Whether the study is to stop as Ctrl-C stops it.
    """

    def __init__(self) -> None:
        self.budget: float | None = None
        self.ended: frozenset[int] = frozenset()
        self.stopping = False
        self._changing = threading.Lock()

    def extend_to(self, seconds: float) -> None:
        """Wish for a budget of so many seconds in all; a smaller one than was wished for before is nothing."""
        with self._changing:
            self.budget = max(seconds, self.budget or 0.0)

    def end(self, *trials: int) -> None:
        """Give trials up."""
        with self._changing:
            self.ended = self.ended.union(trials)

    def stop(self) -> None:
        """Ask the study to stop: finished work is kept, and the same request goes on."""
        self.stopping = True
