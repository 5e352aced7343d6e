"""The plot of a study's front: the score over each known objective."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plotly.graph_objects import Figure  # type: ignore[attr-defined]
from plotly.subplots import make_subplots

from automl_kd.core import count, round_bytes, round_numbers, size
from automl_kd.delivery.plotting import (
    BLUE,
    FAINT_BLUE,
    GREEN,
    GREY,
    ORANGE,
    styled,
    tick_format,
)
from automl_kd.delivery.prices import (
    LATENCY,
    MEMORY,
    by_device,
    device_of,
    interval_of,
    is_latency,
    known_objectives,
    quantity,
    short_price,
    value_of,
    whole_price,
)
from automl_kd.delivery.text import scored
from automl_kd.objectives import Objective
from automl_kd.results import StoppedTrial, StudySummary, TrialResult


def front_figure(summary: StudySummary) -> Figure:
    """The front of a study: the score on search-validation over each predicted price with its intervals, picks marked.

    One panel a known objective, beside each other, of the same trials. Better is always up: the axis of a metric of
    which less is better runs downwards.

    Args:
        summary: At any point of the search; without trials the axes are empty.
    """
    prices = known_objectives(summary.objectives)
    figure = make_subplots(rows=1, cols=len(prices), shared_yaxes=True, horizontal_spacing=0.04)
    for column, price in enumerate(prices, start=1):
        panel = _Panel(figure, column, price, summary, prices)
        panel.add_stopped()
        panel.add_behind()
        panel.add_front()
        panel.add_picks()
        panel.add_limit()
        panel.style_axis()
    _draw_teacher(figure, summary.teacher.validation_score, len(prices))
    _style_scores(figure, summary)
    return styled(figure, 460 if len(prices) == 1 else 480)


@dataclass(frozen=True)
class _Panel:
    """The trials of a study over one price.

    Attributes:
        figure: What is drawn into.
        column: Which of its panels, from 1.
        price: What is to the right.
        summary: The study.
        prices: Of all panels.
    """

    figure: Figure
    column: int
    price: Objective
    summary: StudySummary
    prices: Sequence[Objective]

    def add_stopped(self) -> None:
        score = self.summary.objective
        self._add(
            "stopped early",
            self.summary.stopped,
            mode="markers",
            marker={"color": GREY, "size": 5, "opacity": 0.4, "symbol": "circle-open"},
            text=[
                f"trial {entry.trial}, stopped after {entry.epochs} epochs<br>{scored(entry.score, score)} in"
                f" {short_price(entry, self.price)}"
                for entry in self.summary.stopped
            ],
            hovertemplate="%{text}<extra></extra>",
        )

    def add_behind(self) -> None:
        on_front = {entry.trial for entry in self.summary.front}
        behind = [entry for entry in self.summary.complete if entry.trial not in on_front]
        self._add(
            "complete",
            behind,
            mode="markers",
            marker={"color": GREY, "size": 6, "opacity": 0.6},
            text=[_described(entry, self.summary, self.prices) for entry in behind],
            hovertemplate="%{text}<extra></extra>",
        )

    def add_front(self) -> None:
        price = self.price
        front = sorted(self.summary.front, key=lambda entry: price.goodness(value_of(entry, price)), reverse=True)
        self._add(
            "front",
            front,
            error_x=_intervals(front, price) if is_latency(price) else None,
            # The front of three objectives is a surface, of which a panel shows no line.
            mode="lines+markers" if len(self.summary.objectives) == 2 else "markers",
            line={"color": BLUE, "width": 1.5, "shape": "hv"},
            marker={"color": BLUE, "size": 8},
            text=[_described(entry, self.summary, self.prices) for entry in front],
            hovertemplate="%{text}<extra></extra>",
        )

    def add_picks(self) -> None:
        summary = self.summary
        known = {entry.trial: entry for entry in (*summary.complete, *summary.front)}
        on_front = {entry.trial for entry in summary.front}
        # A trial that was picked in several rounds has the role of the last.
        roles = {pick.trial: pick.role or "pick" for pick in summary.picks if pick.trial in known}
        self._add(
            "picks",
            [known[trial] for trial in roles],
            mode="markers+text",
            marker={"color": ORANGE, "size": 15, "symbol": "circle-open", "line": {"width": 2.5}},
            text=[f"{role} · {trial}" for trial, role in roles.items()],
            # A front has nothing above it; of a pick behind it, such as a near tie, the label stands out of the way.
            textposition=["top left" if trial in on_front else "bottom right" for trial in roles],
            hoverinfo="skip",
        )

    def add_limit(self) -> None:
        limits = self.summary.limits
        limit = {LATENCY.name: limits.max_latency_ms, MEMORY.name: limits.max_memory_bytes}.get(self.price.name)
        if limit is None:
            return
        self.figure.add_vline(limit, line={"dash": "dash", "color": GREY, "width": 1}, row=1, col=self.column)
        self.figure.add_annotation(
            x=math.log10(limit), xref=f"x{self.column}", y=0, yref="paper", text="limit",
            xanchor="right", yanchor="bottom", showarrow=False,
        )  # fmt: skip

    def style_axis(self) -> None:
        price, summary = self.price, self.summary
        values = [value_of(entry, price) for entry in (*summary.complete, *summary.front)]
        values += [value_of(entry, price) for entry in summary.stopped]
        binary, narrow = price.unit == "bytes", len(self.prices) > 1
        ticks = (round_bytes if binary else round_numbers)(min(values), max(values)) if values else []
        device = f" on {device_of(price, summary.hw)}" if is_latency(price) else ""
        unit = "" if binary or not price.unit else f", {price.unit}"
        # Beside others a panel is about as wide as the title's first line.
        title = (
            f"{quantity(price)}{device}{unit}<br>(predicted, logarithmic)"
            if narrow
            else f"predicted {quantity(price)}{unit} (logarithmic)"
        )
        self.figure.update_xaxes(
            type="log",
            title=title,
            tickvals=ticks,
            ticktext=[size(tick) if binary else f"{tick:g}" for tick in ticks],
            row=1,
            col=self.column,
        )

    def _add(self, name: str, entries: Sequence[TrialResult] | Sequence[StoppedTrial], **look: object) -> None:
        if entries:
            self.figure.add_scatter(
                name=name,
                legendgroup=name,
                showlegend=self.column == 1,
                x=[value_of(entry, self.price) for entry in entries],
                y=[entry.score for entry in entries],
                row=1,
                col=self.column,
                **look,
            )


def _intervals(entries: Sequence[TrialResult], price: Objective) -> dict[str, object]:
    values = [value_of(entry, price) for entry in entries]
    ends = [
        interval_of(entry, entry.others, price) or (value, value) for entry, value in zip(entries, values, strict=True)
    ]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for (_, high), value in zip(ends, values, strict=True)],
        "arrayminus": [value - low for (low, _), value in zip(ends, values, strict=True)],
        "thickness": 1.2,
        "width": 3,
        "color": FAINT_BLUE,
    }


def _described(entry: TrialResult, summary: StudySummary, panels: Sequence[Objective]) -> str:
    texts = [whole_price(entry, entry.others, each) for each in panels]
    prices = texts[0] if len(panels) == 1 else by_device(panels, texts, summary.hw)
    return (
        f"trial {entry.trial} {entry.recipe.student.title}<br>{scored(entry.score, summary.objective)} in {prices}"
        f"<br>{count(entry.params)} parameters"
    )


def _draw_teacher(figure: Figure, score: float | None, panels: int) -> None:
    if score is None:
        return
    figure.add_hline(score, line={"dash": "dot", "color": GREEN, "width": 1.5}, row="all", col="all")
    figure.add_annotation(
        x=1, xref="x domain" if panels == 1 else f"x{panels} domain", y=score, yref="y", text="teacher",
        xanchor="right", yanchor="bottom", showarrow=False,
    )  # fmt: skip


def _style_scores(figure: Figure, summary: StudySummary) -> None:
    score = summary.objective
    less = score.direction == "minimize"
    unit = "" if score.unit in ("%", "label", "") else f", {score.unit}"
    title = f"{score.title} on search-validation{unit}{'<br>(less is better, upwards)' if less else ''}"
    figure.update_yaxes(tickformat=tick_format(score.unit), automargin=True)
    figure.update_yaxes(title=title, row=1, col=1)
    values = [entry.score for entry in (*summary.complete, *summary.front)]
    if values:
        figure.update_yaxes(range=_focus(values, summary.teacher.validation_score, score))


def _focus(scores: Sequence[float], teacher: float | None, objective: Objective) -> list[float]:
    """The scores that are compared fill the plot: trials stopped early lie far below and would flatten it."""
    goods = [objective.goodness(score) for score in scores]
    worst, best = min(goods), max([*goods, *([] if teacher is None else [objective.goodness(teacher)])])
    margin = 0.12 * (best - worst) or 0.01
    return [objective.goodness(worst - 2 * margin), objective.goodness(best + margin)]
