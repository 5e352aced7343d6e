"""The plots of a study, of a training and of a device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from plotly.graph_objects import Figure  # type: ignore[attr-defined]
from plotly.subplots import make_subplots

from automl_kd.core import count, milliseconds, percent
from automl_kd.delivery import text
from automl_kd.delivery.progress import Progress, progress
from automl_kd.hardware import CrossValidation

Entry = Mapping[str, Any]

# Colours that stay apart for colour-blind readers, on light and on dark (Okabe & Ito 2008).
_BLUE, _ORANGE, _GREEN, _GREY = "#2a7ab9", "#d55e00", "#009e73", "#8a8f98"
_FAINT_BLUE = "rgba(42,122,185,0.45)"


def front_figure(summary: Mapping[str, Any]) -> Figure:
    """The front of a study: accuracy on search-validation over predicted latency with its intervals, picks marked.

    Args:
        summary: As for :func:`automl_kd.delivery.study_report`; an empty one gives empty axes.
    """
    front, complete = summary.get("front") or [], summary.get("complete") or []
    stopped = [entry for entry in summary.get("stopped") or [] if entry.get("accuracy") is not None]
    roles = {pick.get("trial"): pick.get("role") or "pick" for pick in summary.get("picks") or []}
    on_front = {entry.get("trial") for entry in front}
    figure = Figure()  # type: ignore[no-untyped-call]
    _add_stopped(figure, stopped)
    _add_trials(figure, "complete", [entry for entry in complete if entry.get("trial") not in on_front], _GREY)
    _add_trials(figure, "front", sorted(front, key=lambda entry: float(entry["latency_ms"])), _BLUE)
    known = {entry.get("trial"): entry for entry in (*complete, *front)}
    _add_picks(figure, [(known[trial], role) for trial, role in roles.items() if trial in known])
    teacher = (summary.get("teacher") or {}).get("validation_accuracy")
    if teacher is not None:
        figure.add_hline(teacher, line={"dash": "dot", "color": _GREEN, "width": 1.5})
        figure.add_annotation(
            x=1, xref="paper", xanchor="right", y=teacher, yanchor="bottom", text="teacher", showarrow=False
        )
    limit = (summary.get("limits") or {}).get("max_latency_ms")
    if limit is not None:
        figure.add_vline(limit, line={"dash": "dash", "color": _GREY, "width": 1})
        figure.add_annotation(
            x=math.log10(limit), y=0, yref="paper", xanchor="right", yanchor="bottom", text="limit", showarrow=False
        )
    prices = [float(entry["latency_ms"]) for entry in (*complete, *front, *stopped)]
    ticks = _round_numbers(min(prices), max(prices)) if prices else []
    figure.update_xaxes(
        type="log",
        title="predicted latency, ms (logarithmic)",
        tickvals=ticks,
        ticktext=[f"{tick:g}" for tick in ticks],
    )
    accuracies = [float(entry["accuracy"]) for entry in (*complete, *front)]
    figure.update_yaxes(title="accuracy on search-validation", tickformat=".1~%", range=_focus(accuracies, teacher))
    return _styled(figure, 460)


def progress_figure(summary: Mapping[str, Any]) -> Figure:
    """Best accuracy and hypervolume of the front over the time that the search took."""
    found = progress(summary.get("history") or [])
    unit, size = _unit_of_time(max((step.seconds for step in found.steps), default=0.0))
    times = [step.seconds / size for step in found.steps]
    titles = ("best accuracy on search-validation", _of_hypervolume(found))
    figure = make_subplots(rows=2, cols=1, vertical_spacing=0.2, subplot_titles=titles)
    _add_steps(figure, times, [step.best_accuracy for step in found.steps], _BLUE, 1)
    _add_steps(figure, times, [step.hypervolume for step in found.steps], _ORANGE, 2)
    figure.update_xaxes(title=unit, row=2, col=1)
    figure.update_yaxes(tickformat=".1~%", row=1, col=1)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", row=2, col=1)
    return _titled(figure, 440)


def growth_figure(summary: Mapping[str, Any]) -> Figure:
    """Hypervolume of the front over the number of finished trials."""
    found = progress(summary.get("history") or [])
    figure = make_subplots(rows=1, cols=1, subplot_titles=(_of_hypervolume(found),))
    numbers = [step.finished for step in found.steps]
    _add_steps(figure, numbers, [step.hypervolume for step in found.steps], _ORANGE, 1)
    figure.update_xaxes(title="finished trials")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return _titled(figure, 270)


def training_figure(history: Sequence[Mapping[str, float]]) -> Figure:
    """Every column of a training's history over its epochs, accuracies above and losses below.

    Args:
        history: One row an epoch: ``epoch``, and numbers by name; at least one row.
    """
    names = list(dict.fromkeys(name for row in history for name in row if name != "epoch"))
    accuracies = [name for name in names if name.endswith("accuracy")]
    losses = [name for name in names if name not in accuracies]
    panels = [(title, group) for title, group in (("accuracy", accuracies), ("loss", losses)) if group]
    figure = make_subplots(rows=max(1, len(panels)), cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, (title, group) in enumerate(panels, start=1):
        for name in group:
            values = [(each["epoch"], each[name]) for each in history if each.get(name) is not None]
            x, y = [x for x, _ in values], [y for _, y in values]
            figure.add_scatter(x=x, y=y, mode="lines+markers", name=name.replace("_", " "), row=row, col=1)
        figure.update_yaxes(title=title, tickformat=".1~%" if title == "accuracy" else None, row=row, col=1)
    figure.update_xaxes(dtick=max(1, round(len(history) / 10)))
    figure.update_xaxes(title="epoch", row=max(1, len(panels)), col=1)
    return _styled(figure, 120 + 150 * len(panels))


def latency_error_figure(rows: Sequence[CrossValidation]) -> Figure:
    """Predicted over measured latency on logarithmic axes, with intervals and the line where both are equal.

    Args:
        rows: At least one network.
    """
    values = [value for row in rows for value in (row.measured_ms, row.low, row.high)]
    low, high = min(values) / 1.2, max(values) * 1.2
    figure = Figure()  # type: ignore[no-untyped-call]
    figure.add_scatter(
        name="predicted = measured",
        x=[low, high],
        y=[low, high],
        mode="lines",
        line={"dash": "dot", "color": _GREY, "width": 1.5},
        hoverinfo="skip",
    )
    figure.add_scatter(
        name="network, left out of the fit",
        x=[row.measured_ms for row in rows],
        y=[row.predicted_ms for row in rows],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [row.high - row.predicted_ms for row in rows],
            "arrayminus": [row.predicted_ms - row.low for row in rows],
            "thickness": 1.2,
            "width": 3,
            "color": _FAINT_BLUE,
        },
        mode="markers",
        marker={"color": _BLUE, "size": 8},
        text=[f"{row.model}<br>{row.gflops:.3g} GFLOP, error {100 * row.error:+.0f} %" for row in rows],
        hovertemplate="%{text}<br>measured %{x:.3g} ms, predicted %{y:.3g} ms<extra></extra>",
    )
    ticks = _round_numbers(low, high)
    limits = [math.log10(low), math.log10(high)]
    axis = {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks], "range": limits}
    figure.update_xaxes(title="measured latency, ms (logarithmic)", **axis)
    figure.update_yaxes(title="predicted latency, ms (logarithmic)", **axis)
    return _styled(figure, 560)


def _add_stopped(figure: Figure, stopped: Sequence[Entry]) -> None:
    if stopped:
        figure.add_scatter(
            name="stopped early",
            x=[entry["latency_ms"] for entry in stopped],
            y=[entry["accuracy"] for entry in stopped],
            mode="markers",
            marker={"color": _GREY, "size": 5, "opacity": 0.4, "symbol": "circle-open"},
            text=[f"trial {entry.get('trial')}, stopped after {entry.get('epochs')} epochs" for entry in stopped],
            hovertemplate="%{text}<br>%{y:.1%} in %{x:.3g} ms<extra></extra>",
        )


def _add_trials(figure: Figure, name: str, entries: Sequence[Entry], colour: str) -> None:
    if not entries:
        return
    is_front = name == "front"
    figure.add_scatter(
        name=name,
        x=[entry["latency_ms"] for entry in entries],
        y=[entry["accuracy"] for entry in entries],
        error_x=_intervals(entries) if is_front else None,
        mode="lines+markers" if is_front else "markers",
        line={"color": colour, "width": 1.5, "shape": "hv"},
        marker={"color": colour, "size": 8 if is_front else 6, "opacity": 1 if is_front else 0.6},
        text=[_described(entry) for entry in entries],
        hovertemplate="%{text}<extra></extra>",
    )


def _intervals(entries: Sequence[Entry]) -> dict[str, Any]:
    prices = [float(entry["latency_ms"]) for entry in entries]
    lows = [entry.get("latency_low") or price for entry, price in zip(entries, prices, strict=True)]
    highs = [entry.get("latency_high") or price for entry, price in zip(entries, prices, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - price for high, price in zip(highs, prices, strict=True)],
        "arrayminus": [price - low for low, price in zip(lows, prices, strict=True)],
        "thickness": 1.2,
        "width": 3,
        "color": _FAINT_BLUE,
    }


def _add_picks(figure: Figure, picks: Sequence[tuple[Entry, str]]) -> None:
    if picks:
        figure.add_scatter(
            name="picks",
            x=[entry["latency_ms"] for entry, _ in picks],
            y=[entry["accuracy"] for entry, _ in picks],
            mode="markers+text",
            marker={"color": _ORANGE, "size": 15, "symbol": "circle-open", "line": {"width": 2.5}},
            text=[f"{role} · {entry['trial']}" for entry, role in picks],
            textposition="top left",  # where a front has nothing
            hoverinfo="skip",
        )


def _focus(accuracies: Sequence[float], teacher: float | None) -> list[float] | None:
    """The accuracies that are compared fill the plot: trials stopped early lie far below and would flatten it."""
    if not accuracies:
        return None
    low, high = min(accuracies), max([*accuracies, *([] if teacher is None else [teacher])])
    margin = 0.12 * (high - low) or 0.01
    return [low - 2 * margin, high + margin]


def _add_steps(figure: Figure, x: Sequence[float], y: Sequence[float], colour: str, row: int) -> None:
    figure.add_scatter(x=x, y=y, mode="lines", line={"shape": "hv", "width": 2, "color": colour}, row=row, col=1)
    figure.update_xaxes(rangemode="tozero", row=row, col=1)


def _of_hypervolume(found: Progress) -> str:
    """What a panel shows, in lines short enough for a phone."""
    reference = f"reference {percent(found.accuracy)} accuracy, {milliseconds(found.latency_ms)}"
    return f"hypervolume, as a share of the final one;<br>{reference if found.steps else 'no trial is finished'}"


def _titled(figure: Figure, height: int) -> Figure:
    figure.update_annotations(x=0, xanchor="left", align="left", font={"size": 13})
    return _styled(figure, height).update_layout(showlegend=False)


def _unit_of_time(seconds: float) -> tuple[str, float]:
    """The unit in which a time reads best, and its length in seconds."""
    if seconds < 300:
        return "seconds", 1.0
    return ("minutes", 60.0) if seconds < 10_800 else ("hours", 3600.0)


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten from below ``low`` to above ``high``, both positive."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [float(f"{step}e{decade}") for decade in decades for step in (1, 2, 5)]


def _described(entry: Entry) -> str:
    family = ((entry.get("recipe") or {}).get("student") or {}).get("family", "")
    price = text.latency(entry["latency_ms"], entry.get("latency_low"), entry.get("latency_high"))
    return (
        f"trial {entry.get('trial')} {family}<br>{percent(entry['accuracy'])} in {price}"
        f"<br>{count(entry.get('params'))} parameters"
    )


def _styled(figure: Figure, height: int) -> Figure:
    """Transparent and grey, so that a page or dashboard may be light or dark."""
    grid = {"gridcolor": "rgba(128,128,128,0.22)", "linecolor": _GREY, "zeroline": False, "ticks": "outside"}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure.update_layout(
        height=height,
        margin={"l": 70, "r": 20, "t": 36, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#6b7280"},
        colorway=[_BLUE, _ORANGE, _GREEN, "#cc79a7", "#e69f00", "#56b4e9"],
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        modebar={"bgcolor": "rgba(0,0,0,0)"},
    )
