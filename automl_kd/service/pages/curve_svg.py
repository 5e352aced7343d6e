"""What a training reached, drawn epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from automl_kd.core import round_steps
from automl_kd.objectives import Objective
from automl_kd.service.pages.svg_plot import Axis, Plot

_WIDTH, _HEIGHT = 420, 240


def curve_svg(points: Sequence[tuple[int, float]], full: Sequence[tuple[int, float]], score: Objective) -> Markup:
    """Scores on search-validation over epochs; better is up.

    Args:
        points: Epochs and score, rung by rung; at least one, here or below.
        full: The same of trainings in full.
        score: What the scores are of.
    """
    both = [*points, *full]
    goods = [score.goodness(value) for _, value in both]
    margin = 0.15 * (max(goods) - min(goods)) or 0.01
    low, high = score.goodness(min(goods) - margin), score.goodness(max(goods) + margin)
    marks = [(value, score.shown(value)) for value in round_steps(min(low, high), max(low, high), 5)]
    last = max(epochs for epochs, _ in both)
    epochs = sorted({epochs for epochs, _ in both})
    plot = Plot(
        _WIDTH,
        _HEIGHT,
        Axis(0, last * 1.05, [(each, str(each)) for each in epochs], "epochs"),
        Axis(low, high, marks, score.title),
    )
    plot.path([(plot.x.at(each), plot.y.at(value)) for each, value in points], "front-line")
    for each, value in points:
        plot.dot(plot.x.at(each), plot.y.at(value), 4.5, "front", f"{each} epochs: {score.shown(value)}")
    for each, value in full:
        plot.dot(plot.x.at(each), plot.y.at(value), 6, "pick", f"in full, {each} epochs: {score.shown(value)}")
    return plot.svg(f"{score.title} over epochs. The table has the same numbers.")
