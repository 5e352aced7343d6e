"""Progress on a terminal: what is happening, the front so far, the time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from automl_kd.words import count, duration, milliseconds, percent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from automl_kd.workflows import Observer, Snapshot

_FRONT_ROWS = 8


@contextmanager
def watching(as_json: bool) -> Iterator[Observer]:
    """An observer that draws on the terminal; without one only notes are written, and under ``--json`` nothing."""
    from rich.console import Console

    from automl_kd.workflows import Observer

    console = Console(stderr=True)
    if as_json or not console.is_terminal:
        yield Observer() if as_json else _line_observer()
        return
    from rich.live import Live

    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield _terminal_observer(console, live)


def _line_observer() -> Observer:
    from automl_kd.workflows import Observer

    class LineObserver(Observer):
        """A line on standard error for every note."""

        def note(self, text: str) -> None:
            print(text, file=sys.stderr, flush=True)

    return LineObserver()


def _terminal_observer(console: Console, live: Live) -> Observer:
    from automl_kd.workflows import Observer

    class TerminalObserver(Observer):
        """Redraws one panel in place; notes scroll above it."""

        def update(self, snapshot: Snapshot) -> None:
            live.update(_panel(snapshot))

        def note(self, text: str) -> None:
            console.print(text, highlight=False)

    return TerminalObserver()


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
        for name in ("trial", "accuracy", "latency", "interval", "parameters"):
            grid.add_column(name, justify="right")
        for entry in _spread(snapshot.front):
            grid.add_row(*front_row(entry))
        parts += [Text(""), grid]
    return Panel(Group(*parts), title=snapshot.phase, title_align="left", width=78)


def front_row(entry: Mapping[str, Any]) -> list[str]:
    """A point of the front as cells of a table."""
    interval = f"{entry['latency_low']:.3g}–{entry['latency_high']:.3g}"
    accuracy, latency = percent(entry["accuracy"]), milliseconds(entry["latency_ms"])
    return [str(entry["trial"]), accuracy, latency, interval, count(entry["params"])]


def _spread(front: Any) -> list[Any]:
    """At most a few rows, from both ends and evenly between."""
    if len(front) <= _FRONT_ROWS:
        return list(front)
    return [front[round(i * (len(front) - 1) / (_FRONT_ROWS - 1))] for i in range(_FRONT_ROWS)]
