"""The plot of a device: its predictions beside measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence

from plotly.graph_objects import Figure  # type: ignore[attr-defined]

from automl_kd.core import round_numbers
from automl_kd.delivery.plotting import BLUE, FAINT_BLUE, GREY, styled
from automl_kd.hardware import CrossValidation


def prediction_figure(rows: Sequence[CrossValidation]) -> Figure:
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
        line={"dash": "dot", "color": GREY, "width": 1.5},
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
            "color": FAINT_BLUE,
        },
        mode="markers",
        marker={"color": BLUE, "size": 8},
        text=[f"{row.model}<br>{row.gflops:.3g} GFLOP, error {100 * row.error:+.0f} %" for row in rows],
        hovertemplate="%{text}<br>measured %{x:.3g} ms, predicted %{y:.3g} ms<extra></extra>",
    )
    ticks = round_numbers(low, high)
    limits = [math.log10(low), math.log10(high)]
    axis = {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks], "range": limits}
    figure.update_xaxes(title="measured latency, ms (logarithmic)", **axis)
    figure.update_yaxes(title="predicted latency, ms (logarithmic)", **axis)
    return styled(figure, 560)
