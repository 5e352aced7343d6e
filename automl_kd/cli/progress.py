"""Progress: a panel on a terminal, a few lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from automl_kd.cli.front import front_table
from automl_kd.core import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from automl_kd.results import Observer, Snapshot, TrialResult

_FRONT_ROWS = 8
_SOON = 2.0  # seconds before the first line of a log: what takes no longer says its answer alone
_SELDOM = 10.0  # seconds at least between two lines of a log
_SELDOMER = 0.1  # share of the time so far; a run of a day then leaves some eighty lines
_KNOWN = 0.1  # share done below which the time left is anybody's guess


@contextmanager
def watching(as_json: bool) -> Iterator[Observer]:
    """An observer that draws on the terminal; without one a few lines are written, and under ``--json`` nothing."""
    from rich.console import Console

    from automl_kd.results import Observer

    console = Console(stderr=True)
    if as_json or not console.is_terminal:
        yield Observer() if as_json else _line_observer()
        return
    from rich.live import Live

    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield _terminal_observer(console, live)


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
            live.update(_panel(snapshot))

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


def _panel(snapshot: Snapshot) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    parts: list[RenderableType] = [Text(snapshot.doing)]
    if snapshot.done is not None:
        bar = Table.grid()  # by itself a bar does not end its line
        bar.add_row(ProgressBar(total=1.0, completed=snapshot.done, width=60))
        parts.append(bar)
    if snapshot.budget:
        left = max(0.0, snapshot.budget - snapshot.spent)
        parts.append(Text(f"{duration(snapshot.spent)} of {duration(snapshot.budget)}, {duration(left)} left"))
    if snapshot.split:
        planned = ", ".join(f"{phase} {duration(seconds)}" for phase, seconds in snapshot.split.items())
        parts.append(Text(f"planned: {planned}", style="dim"))
    if snapshot.counts:
        parts.append(Text(", ".join(f"{number} {name}" for name, number in snapshot.counts.items() if number)))
    if snapshot.front:
        grid = Table(box=None, pad_edge=False)
        header, rows = front_table(_spread(snapshot.front), snapshot.objectives)
        for name in header:
            grid.add_column(name, justify="right")
        for row in rows:
            grid.add_row(*row)
        parts += [Text(""), grid]
    return Panel(Group(*parts), title=snapshot.phase, title_align="left", width=78)


def _spread(front: Sequence[TrialResult]) -> list[TrialResult]:
    """At most a few rows, from both ends and evenly between."""
    if len(front) <= _FRONT_ROWS:
        return list(front)
    return [front[round(i * (len(front) - 1) / (_FRONT_ROWS - 1))] for i in range(_FRONT_ROWS)]
