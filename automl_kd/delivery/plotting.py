"""What all plots share: colours, scales and a look that suits light and dark pages."""

from __future__ import annotations

from plotly.graph_objects import Figure  # type: ignore[attr-defined]

# Colours that stay apart for colour-blind readers, on light and on dark (Okabe & Ito 2008).
BLUE, ORANGE, GREEN, GREY = "#2a7ab9", "#d55e00", "#009e73", "#8a8f98"
FAINT_BLUE = "rgba(42,122,185,0.45)"


def styled(figure: Figure, height: int) -> Figure:
    """Transparent and grey, so that a page or dashboard may be light or dark."""
    grid = {"gridcolor": "rgba(128,128,128,0.22)", "linecolor": GREY, "zeroline": False, "ticks": "outside"}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure.update_layout(
        height=height,
        margin={"l": 70, "r": 20, "t": 36, "b": 56},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#6b7280"},
        colorway=[BLUE, ORANGE, GREEN, "#cc79a7", "#e69f00", "#56b4e9"],
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
        modebar={"bgcolor": "rgba(0,0,0,0)"},
    )


def tick_format(unit: str) -> str | None:
    """How plotly writes values of a unit at an axis: shares as percentages, others as numbers."""
    return ".1~%" if unit == "%" else None
