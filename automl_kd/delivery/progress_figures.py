"""The plots of how a study's front grew, by time and by trials."""

from __future__ import annotations

from collections.abc import Sequence

from plotly.graph_objects import Figure  # type: ignore[attr-defined]
from plotly.subplots import make_subplots

from automl_kd.delivery.plotting import BLUE, ORANGE, styled, tick_format
from automl_kd.delivery.prices import device_of, is_latency, quantity
from automl_kd.delivery.progress import Progress, progress
from automl_kd.objectives import Objective
from automl_kd.results import StudySummary

_LINE = 18
"""Height of a title's line in pixels."""


def progress_figure(summary: StudySummary) -> Figure:
    """Best score and hypervolume of the front over the time that the search took."""
    found, score = progress(summary.history, summary.objectives), summary.objective
    unit, size = _unit_of_time(max((step.seconds for step in found.steps), default=0.0))
    times = [step.seconds / size for step in found.steps]
    less = score.direction == "minimize"
    best = f"best {score.title} on search-validation{' (less is better, upwards)' if less else ''}"
    title = _of_hypervolume(found, summary)
    more = _further_lines(title)
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.2 + 0.03 * more, subplot_titles=(best, title))
    _add_steps(figure, times, [step.best for step in found.steps], BLUE, 1)
    _add_steps(figure, times, [step.hypervolume for step in found.steps], ORANGE, 2)
    figure.update_xaxes(title=unit, row=2, col=1)
    figure.update_yaxes(tickformat=tick_format(score.unit), autorange="reversed" if less else None, row=1, col=1)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=2, col=1)
    return _titled(figure, 440 + _LINE * more)


def growth_figure(summary: StudySummary) -> Figure:
    """Hypervolume of the front over the number of finished trials."""
    found = progress(summary.history, summary.objectives)
    title = _of_hypervolume(found, summary)
    figure = make_subplots(rows=1, cols=1, subplot_titles=(title,))
    numbers = [step.finished for step in found.steps]
    _add_steps(figure, numbers, [step.hypervolume for step in found.steps], ORANGE, 1)
    figure.update_xaxes(title="finished trials")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    more = _LINE * _further_lines(title)
    return _titled(figure, 270 + more).update_layout(margin={"t": 36 + more})


def _add_steps(figure: Figure, x: Sequence[float], y: Sequence[float], colour: str, row: int) -> None:
    figure.add_scatter(x=x, y=y, mode="lines", line={"shape": "hv", "width": 2, "color": colour}, row=row, col=1)
    figure.update_xaxes(rangemode="tozero", row=row, col=1)


def _of_hypervolume(found: Progress, summary: StudySummary) -> str:
    """What a panel shows, in lines short enough for a phone."""
    if not found.steps:
        return "hypervolume, as a share of the final one;<br>no trial is finished"
    values = zip(summary.objectives, found.reference, strict=True)
    several = sum(is_latency(each) for each in summary.objectives) > 1
    worst = [_worst(objective, value, summary.hw, several) for objective, value in values]
    lines = ",<br>".join(", ".join(worst[start : start + 2]) for start in range(0, len(worst), 2))
    return f"hypervolume, as a share of the final one;<br>reference {lines}"


def _further_lines(title: str) -> int:
    """How many lines a panel's title has beyond the usual two."""
    return max(0, title.count("<br>") - 1)


def _worst(objective: Objective, value: float, hw: str, several: bool) -> str:
    if is_latency(objective):
        return objective.shown(value) + (f" on {device_of(objective, hw)}" if several else "")
    return f"{objective.shown(value)} {quantity(objective)}"


def _titled(figure: Figure, height: int) -> Figure:
    figure.update_annotations(x=0, xanchor="left", align="left", font={"size": 13})
    return styled(figure, height).update_layout(showlegend=False)


def _unit_of_time(seconds: float) -> tuple[str, float]:
    """The unit in which a time reads best, and its length in seconds."""
    if seconds < 300:
        return "seconds", 1.0
    return ("minutes", 60.0) if seconds < 10_800 else ("hours", 3600.0)
