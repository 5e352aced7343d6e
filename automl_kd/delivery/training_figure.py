"""The plot of one training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plotly.graph_objects import Figure  # type: ignore[attr-defined]
from plotly.subplots import make_subplots

from automl_kd.delivery.plotting import styled, tick_format
from automl_kd.objectives import Objective


def training_figure(history: Sequence[Mapping[str, float]], metrics: Sequence[Objective]) -> Figure:
    """Every column of a training's history over its epochs: a panel for the metrics of each unit, losses below.

    Args:
        history: One row an epoch: ``epoch``, and numbers by name; at least one row.
        metrics: What columns of their names are of, also behind the name of a split (``validation_rmse``).
    """
    names = list(dict.fromkeys(name for row in history for name in row if name != "epoch"))
    panels: dict[tuple[str, str], list[str]] = {}
    losses = []
    for name in names:
        metric = next((each for each in metrics if name == each.name or name.endswith(f"_{each.name}")), None)
        if metric is None:
            losses.append(name)
        else:
            # Shares have one scale; other metrics of one unit need not be of one size.
            title = (
                ""
                if metric.unit == "%"
                else metric.title + (f", {metric.unit}" if metric.unit not in ("", "label") else "")
            )
            panels.setdefault((title, metric.unit), []).append(name)
    if losses:
        panels["loss", ""] = losses
    figure = make_subplots(rows=max(1, len(panels)), cols=1, shared_xaxes=True, vertical_spacing=0.08)
    for row, ((title, unit), group) in enumerate(panels.items(), start=1):
        for name in group:
            values = [(each["epoch"], each[name]) for each in history if each.get(name) is not None]
            x, y = [x for x, _ in values], [y for _, y in values]
            figure.add_scatter(x=x, y=y, mode="lines+markers", name=name.replace("_", " "), row=row, col=1)
        named = title or (group[0].replace("_", " ") if len(group) == 1 else "share")
        figure.update_yaxes(title=named, tickformat=tick_format(unit), row=row, col=1)
    figure.update_xaxes(dtick=max(1, round(len(history) / 10)))
    figure.update_xaxes(title="epoch", row=max(1, len(panels)), col=1)
    return styled(figure, 120 + 150 * max(1, len(panels)))
