"""Where a search is, as a panel that fits the terminal: what is happening, the front as a plot and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_kd.cli.front import front_table
from automl_kd.cli.front_plot import NARROWEST, front_plot
from automl_kd.core import duration

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from automl_kd.results import Snapshot, TrialResult

_TABLE_ROWS = 8
_LEAST_TABLE_ROWS = 3
_PLOT_LINES = 9, 17
"""With title and axis, at least and at most."""
_TABLE_WIDTH, _WIDEST = 78, 110
_BORDER = 4
_HEAD = 2
"""Lines of a table's header and of the empty line before it."""


@dataclass(frozen=True)
class SnapshotPanel:
    """A snapshot as rich draws it, as wide and as high as the terminal lets it be.

    Attributes:
        snapshot: What is shown.
    """

    snapshot: Snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The panel for this terminal: without a plot where that would be narrow or leave no room for the table."""
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        parts = _words(self.snapshot)
        room = console.height - 1 - 2 - len(parts)
        rows, plot = _shares(self.snapshot.front, options.max_width, room)
        width = min(options.max_width, _WIDEST if plot else _TABLE_WIDTH)
        if plot:
            lines = front_plot(
                self.snapshot.front, self.snapshot.objectives, width - _BORDER, plot, plain=options.ascii_only
            )
            parts += [Text(""), *(Text(line, no_wrap=True) for line in lines)] if lines else []
        if self.snapshot.front:
            parts += [Text(""), _table(self.snapshot, rows)]
        yield Panel(Group(*parts), title=self.snapshot.phase, title_align="left", width=width)


def _shares(front: Sequence[TrialResult], width: int, room: int) -> tuple[int, int]:
    """Rows of the table and lines of the plot that a terminal has room for; no lines for no plot."""
    least, most = _PLOT_LINES
    if width < NARROWEST or len(front) < 2:
        return _TABLE_ROWS, 0
    rows = min(len(front), _TABLE_ROWS, max(_LEAST_TABLE_ROWS, room - 2 * _HEAD - least))
    plot = min(most, room - 1 - _HEAD - rows)
    return (rows, plot) if plot >= least else (_TABLE_ROWS, 0)


def _words(snapshot: Snapshot) -> list[RenderableType]:
    """What is happening, how much of it is done, the time, and numbers of candidates: a line each."""
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
    return parts


def _table(snapshot: Snapshot, rows: int) -> RenderableType:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False)
    header, cells = front_table(_spread(snapshot.front, rows), snapshot.objectives)
    for name in header:
        grid.add_column(name, justify="right")
    for row in cells:
        grid.add_row(*row)
    return grid


def _spread(front: Sequence[TrialResult], rows: int) -> list[TrialResult]:
    """At most a few rows, from both ends and evenly between."""
    if len(front) <= rows:
        return list(front)
    return [front[round(i * (len(front) - 1) / (rows - 1))] for i in range(rows)]
