"""Numbers as a reader wants them."""

import math

import pytest

from automl_kd.core import formatting
from automl_kd.delivery import text
from automl_kd.delivery.progress import progress


def test_a_network_that_does_not_fit_has_no_latency():
    assert "does not fit" in text.latency(math.inf, math.inf, math.inf)


@pytest.mark.parametrize(("value", "text"), [(0.012, "+1.2"), (-0.012, "−1.2"), (0.0002, "0.0"), (-0.0002, "0.0")])
def test_points_have_a_sign(value, text):
    assert text.points(value) == text


@pytest.mark.parametrize(
    ("number", "text"), [(12, "12 B"), (2048, "2.0 KiB"), (1.5 * 2**20, "1.5 MiB"), (2**31, "2.0 GiB")]
)
def test_sizes(number, text):
    assert formatting.size(number) == text


def test_progress_counts_complete_trials_only_and_ends_at_the_whole():
    rows = [
        {"trial": 2, "seconds": 9.0, "accuracy": 0.9, "latency_ms": 2.0, "state": "complete"},
        {"trial": 0, "seconds": 1.0, "accuracy": 0.5, "latency_ms": 1.0, "state": "COMPLETE"},
        {"trial": 1, "seconds": 2.0, "accuracy": 0.99, "latency_ms": 0.1, "state": "PRUNED"},
        {"trial": 3, "seconds": 12.0, "accuracy": 0.6, "latency_ms": 2.0, "state": "COMPLETE"},
    ]
    found = progress(rows)
    assert (found.accuracy, found.latency_ms) == pytest.approx((0.49, 2.02))
    steps = found.steps
    assert [step.trial for step in steps] == [0, 2, 3]
    assert [step.finished for step in steps] == [1, 2, 3]
    assert [step.best_accuracy for step in steps] == [0.5, 0.9, 0.9]
    assert [step.grew for step in steps] == [True, True, False]
    # First 0.01 x 1.02, then 0.4 x 0.02 on top.
    assert steps[0].hypervolume == pytest.approx(0.0102 / 0.0182)
    assert steps[-1].hypervolume == 1.0
