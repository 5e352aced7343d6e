"""The front in text: every point in its place, within the terminal, and nothing where there is no room."""

import random

import pytest

from automl_kd.cli.front_plot import front_plot
from automl_kd.objectives import Objective

ACCURACY = Objective("accuracy", "maximize", "%")
LOG_LOSS = Objective("log_loss", "minimize", "nats")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
MEMORY = Objective("memory_bytes", "minimize", "bytes", known=True)


def test_points_stand_where_their_score_and_price_are(entry):
    front = [entry(7, 1.0, accuracy=0.5), entry(12, 10.0, accuracy=0.75), entry(3, 100.0, accuracy=1.0)]
    title, *lines = front_plot(front, (ACCURACY, LATENCY), 76, 14)
    assert title.startswith("accuracy over latency, ms")
    rows = [line for line in lines if "●" in line]
    first, middle, last = (line.index("●") for line in reversed(rows))
    assert rows[0].startswith("100.0 % ┤")
    assert rows[-1].startswith("50.0 % ┤".rjust(9))
    assert abs((last - first) / 2 - (middle - first)) <= 1, "logarithmic: ten times is as far from 1 as from 10"
    assert [trial in row for trial, row in zip(("3 ●", "12 ●", "7 ●"), rows, strict=True)] == [True] * 3
    assert lines[-1].split() == ["1", "10", "100"]


def test_intervals_are_drawn_where_they_tell_points_apart(entry):
    far = [entry(1, 1.0, accuracy=0.5), entry(2, 1000.0, accuracy=0.9)]
    near = [entry(1, 1.0, accuracy=0.5), entry(2, 1.1, accuracy=0.9)]
    assert any("─●" in line or "● ─" in line or "●─" in line for line in front_plot(far, (ACCURACY, LATENCY), 80, 12))
    title, *lines = front_plot(near, (ACCURACY, LATENCY), 80, 12)
    assert "90 % intervals wider than this axis" in title
    assert not any("─" in line for line in lines[:-2])


def test_less_may_be_better_and_a_price_may_have_no_interval(entry):
    front = [entry(1, 1.0, log_loss=0.9), entry(2, 4.0, log_loss=0.1)]
    front = [each.model_copy(update={"memory_bytes": 1000 * each.trial}) for each in front]
    title, *lines = front_plot(front, (LOG_LOSS, MEMORY), 70, 12)
    assert title == "log loss (lower is better) over memory, bytes"
    assert "1 ●" in lines[0] or "● 1" in lines[0]


@pytest.mark.parametrize("seed", range(20))
def test_any_front_stays_within_its_lines_and_columns(entry, seed):
    rng = random.Random(seed)
    width, height = rng.randint(56, 140), rng.randint(9, 30)
    scale, spread = 10 ** rng.uniform(-6, 6), rng.choice([0.0, 1e-9, 0.1, 5.0])
    front = [
        entry(rng.randint(0, 9999), scale * 10 ** rng.uniform(0, spread), accuracy=rng.choice([0.5, rng.random()]))
        for _ in range(rng.randint(2, 40))
    ]
    lines = front_plot(front, (ACCURACY, LATENCY), width, height, plain=True)
    assert len(lines) == height
    assert max(map(len, lines)) <= width
    assert all(line.isascii() for line in lines)
    assert 1 <= sum(line.count("*") for line in lines) <= len(front)


def test_without_room_or_with_a_single_point_there_is_no_plot(entry):
    front = [entry(1, 1.0, accuracy=0.5), entry(2, 4.0, accuracy=0.9)]
    assert front_plot(front, (ACCURACY, LATENCY), 55, 20) == []
    assert front_plot(front, (ACCURACY, LATENCY), 80, 8) == []
    assert front_plot(front[:1], (ACCURACY, LATENCY), 80, 20) == []
    out_of_memory = entry(3, float("inf"), accuracy=0.95)
    assert front_plot([front[0], out_of_memory], (ACCURACY, LATENCY), 80, 20) == []
