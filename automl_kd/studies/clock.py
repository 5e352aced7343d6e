"""The time that a study has used, over all its resumes, and the wish to stop."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from automl_kd.storage import Database, Lease
from automl_kd.studies.wishes import Wishes

_BEAT_SECONDS = 1.0


class Clock:
    """Seconds by phase, saved with the heartbeat, so that ``kill -9`` costs at most a second of bookkeeping.

    Args:
        seconds: Used before, by phase.
        budget: In all.
        began: ``time.monotonic()`` at which this run began.
    """

    def __init__(self, seconds: Mapping[str, float], budget: float, began: float) -> None:
        self.budget = budget
        self._before = dict(seconds)
        self._phase = "prepare"
        self._since = began
        self._last_beat = 0.0

    def enter(self, phase: str) -> None:
        """What follows counts as this phase."""
        self._before = self.seconds()
        self._phase, self._since = phase, time.monotonic()

    def seconds(self) -> dict[str, float]:
        """Seconds by phase, up to now."""
        now = time.monotonic() - self._since
        return self._before | {self._phase: self._before.get(self._phase, 0.0) + now}

    @property
    def spent(self) -> float:
        """Seconds used in all."""
        return sum(self.seconds().values())

    @property
    def left(self) -> float:
        """Seconds left of the budget."""
        return self.budget - self.spent

    def beat(self, database: Database, study: str, lease: Lease) -> None:
        """Save the time used and renew the lease, at most once a second."""
        if time.monotonic() - self._last_beat >= _BEAT_SECONDS:
            self.save(database, study)
            lease.beat()
            self._last_beat = time.monotonic()

    def save(self, database: Database, study: str) -> None:
        """Save the time used."""
        database.save_seconds(study, {phase: round(seconds, 3) for phase, seconds in self.seconds().items()})


class StopRequest:
    """Whether the user asked to stop: Ctrl-C, SIGTERM, a closed terminal, or a wish. A second signal ends at once.

    Args:
        wishes: What somebody wants who cannot send a signal; by default nothing.
    """

    def __init__(self, wishes: Wishes | None = None) -> None:
        self.signal: int | None = None
        self._wishes = wishes or Wishes()
        self._budget = math.inf

    def __bool__(self) -> bool:
        return self.signal is not None or self._wishes.stopping or self.for_more_time

    @property
    def for_more_time(self) -> bool:
        """Whether a larger budget is wished for than can be taken over now."""
        wished = self._wishes.budget
        return wished is not None and wished > self._budget

    def heed_more_than(self, budget: float) -> None:
        """Count a wish for more seconds than these as one to stop, from now on."""
        self._budget = budget

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Catch the signals; only the main thread can, elsewhere nothing changes."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        caught = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
        before = {number: signal.signal(number, self._note) for number in caught}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> Any:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
