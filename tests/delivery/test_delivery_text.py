"""Numbers as a reader wants them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_summaries import ACCURACY, LATENCY, LOG_LOSS, gain

from automl_kd.core import formatting
from automl_kd.delivery import text
from automl_kd.delivery.progress import progress
from automl_kd.delivery.training_figure import training_figure
from automl_kd.objectives import Objective
from automl_kd.results import HistoryRow


def test_a_network_that_does_not_fit_has_no_latency():
    assert "does not fit" in text.latency(math.inf, math.inf, math.inf)


@pytest.mark.parametrize(("value", "shown"), [(0.9781, "97.8 %"), (None, "–")])
def test_a_bare_percentage_is_an_accuracy(value, shown):
    assert text.scored(value, ACCURACY) == shown


def test_any_other_score_is_named():
    assert text.scored(0.1316, LOG_LOSS) == "log loss 0.132 nats"


def test_a_gain_is_shown_in_the_metrics_own_unit():
    assert text.worth(gain(0.012, -0.0001, 0.024), ACCURACY) == "+1.2 points (95 % interval 0.0 to +2.4)"
    assert text.interval(gain(-0.04, -0.05, -0.03), LOG_LOSS) == "[−0.05, −0.03]"


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12 B"), (2048, "2.0 KiB"), (1.5 * 2**20, "1.5 MiB"), (2**31, "2.0 GiB")]
)
def test_sizes(number, text):
    assert formatting.size(number) == text


def row(trial, seconds, **values):
    return HistoryRow(
        trial=trial,
        seconds=seconds,
        score=next(iter(values.values())),
        metrics={},
        objectives=values,
        latency_ms=values["latency_ms"],
    )


def test_progress_goes_by_time_and_ends_at_the_whole():
    rows = [
        row(2, 9.0, accuracy=0.9, latency_ms=2.0),
        row(0, 1.0, accuracy=0.5, latency_ms=1.0),
        row(3, 12.0, accuracy=0.6, latency_ms=2.0),
    ]
    found = progress(rows, (ACCURACY, LATENCY))
    assert found.reference == pytest.approx((0.49, 2.02))
    steps = found.steps
    assert [step.trial for step in steps] == [0, 2, 3]
    assert [step.finished for step in steps] == [1, 2, 3]
    assert [step.best for step in steps] == [0.5, 0.9, 0.9]
    assert [step.grew for step in steps] == [True, True, False]
    # First 0.01 x 1.02, then 0.4 x 0.02 on top.
    assert steps[0].hypervolume == pytest.approx(0.0102 / 0.0182)
    assert steps[-1].hypervolume == 1.0


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.sampled_from(["maximize", "minimize"]))
def test_every_study_with_a_finished_trial_has_a_volume(scores, direction):
    score = Objective("score", direction, "")
    rows = [row(index, index, score=value, latency_ms=1.0) for index, value in enumerate(scores)]
    steps = progress(rows, (score, LATENCY)).steps
    assert steps[0].grew
    assert steps[-1].hypervolume == 1.0
    assert steps[-1].best == (max if direction == "maximize" else min)(scores)


def test_a_training_is_drawn_with_a_panel_for_each_unit_of_its_metrics():
    rows = [
        {"epoch": 1, "accuracy": 0.5, "log_loss": 1.2, "validation_accuracy": 0.4, "kd": 3.0},
        {"epoch": 2, "accuracy": 0.6, "log_loss": 1.1, "kd": 2.0},
    ]
    figure = training_figure(rows, (ACCURACY, LOG_LOSS))
    panels = {trace.name: (trace.yaxis, list(trace.y)) for trace in figure.data}
    assert panels == {
        "accuracy": ("y", [0.5, 0.6]),
        "validation accuracy": ("y", [0.4]),
        "log loss": ("y2", [1.2, 1.1]),
        "kd": ("y3", [3.0, 2.0]),
    }
    assert figure.layout.yaxis.tickformat == ".1~%"
    assert figure.layout.yaxis2.title.text == "log loss, nats"
