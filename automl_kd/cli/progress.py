"""Progress: a panel on a terminal, a few lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from automl_kd.cli.panel import SnapshotPanel
from automl_kd.cli.voice import VOICE
from automl_kd.core import duration

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from automl_kd.results import Observer, Snapshot

_SOON = 2.0  # seconds before the first line of a log: what takes no longer says its answer alone
_SELDOM = 10.0  # seconds at least between two lines of a log
_SELDOMER = 0.1  # share of the time so far; a run of a day then leaves some eighty lines
_KNOWN = 0.1  # share done below which the time left is anybody's guess


@contextmanager
def watching(as_json: bool) -> Iterator[Observer]:
    """An observer that draws on the terminal; without one a few lines are written.

    Under ``--json`` and ``--quiet`` nothing is; under ``--verbose`` it notes where time goes.
    """
    from rich.console import Console

    from automl_kd.results import Observer

    console = Console(stderr=True)
    if as_json or VOICE.level == "quiet":
        yield _timed(Observer())
    elif not console.is_terminal:
        yield _timed(_line_observer())
    else:
        from rich.live import Live

        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield _timed(_terminal_observer(console, live))
    VOICE.enter("answer")


def _timed(observer: Observer) -> Observer:
    """The same observer, by which time is counted, too."""
    from automl_kd.results import Observer

    class TimedObserver(Observer):
        """Passes on what it is told."""

        def update(self, snapshot: Snapshot) -> None:
            VOICE.enter(snapshot.phase)
            observer.update(snapshot)

        def note(self, text: str) -> None:
            observer.note(text)

    return TimedObserver()


def _line_observer() -> Observer:
    from automl_kd.results import Observer

    class LineObserver(Observer):
        """Standard error as a log: notes, every phase as it begins, and now and then how far it is."""

        def __init__(self) -> None:
            self._said: set[str] = set()
            self._phases: set[str] = set()
            self._began = time.monotonic()
            self._due = self._began + _SOON

        def update(self, snapshot: Snapshot) -> None:
            now = time.monotonic()
            begun = snapshot.phase not in self._phases and now > self._began + _SOON
            if not begun and now < self._due:
                return
            self._phases.add(snapshot.phase)
            self._due = now + max(_SELDOM, _SELDOMER * (now - self._began))
            self.note(_line(snapshot))

        def note(self, text: str) -> None:
            if text not in self._said:
                self._said.add(text)
                print(text, file=sys.stderr, flush=True)

    return LineObserver()


def _terminal_observer(console: Console, live: Live) -> Observer:
    from automl_kd.results import Observer

    class TerminalObserver(Observer):
        """Redraws one panel in place; notes scroll above it."""

        def update(self, snapshot: Snapshot) -> None:
            live.update(SnapshotPanel(snapshot))

        def note(self, text: str) -> None:
            console.print(text, highlight=False)

    return TerminalObserver()


def _line(snapshot: Snapshot) -> str:
    """A snapshot for a log: phase, what is being done, how much of it, the time left."""
    parts = [f"{snapshot.phase}: {snapshot.doing}"]
    if snapshot.done is not None:
        parts.append(f"{100 * snapshot.done:.0f} %")
    parts += [f"{number} {name}" for name, number in snapshot.counts.items() if number]
    if snapshot.front:
        parts.append(f"{len(snapshot.front)} on the front")
    if snapshot.budget:
        parts.append(f"{duration(max(0.0, snapshot.budget - snapshot.spent))} left")
    elif snapshot.done is not None and _KNOWN < snapshot.done < 1:
        parts.append(f"about {duration(snapshot.spent / snapshot.done * (1 - snapshot.done))} left")
    return ", ".join(parts)
