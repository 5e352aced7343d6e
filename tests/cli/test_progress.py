"""A terminal says what is happening, the front so far and the time left; a log says it in few lines."""

import io
import time

import pytest
from rich.console import Console

from automl_kd.cli.panel import SnapshotPanel
from automl_kd.cli.progress import watching
from automl_kd.objectives import Objective
from automl_kd.results import Snapshot


def rendered(snapshot, width=80, height=24):
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(SnapshotPanel(snapshot))
    return console.export_text()


def test_the_panel_names_phase_time_left_counts_and_the_ends_of_the_front(entry):
    front = [entry(trial, accuracy=0.9 + trial / 1000) for trial in range(20)]
    text = rendered(
        Snapshot(
            "search",
            "training 2 candidates",
            80,
            180,
            split={"search": 90},
            counts={"complete": 4, "failed": 0},
            objectives=(Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True)),
            front=front,
            done=0.4,
        )
    )
    assert "search" in text.splitlines()[0]
    assert "training 2 candidates" in text
    assert "100 s left" in text or "1 min 40 s left" in text
    assert "4 complete" in text
    assert "failed" not in text
    rows = [line.split()[1] for line in text.splitlines() if "–" in line]
    assert rows[0] == "0"
    assert rows[-1] == "19"
    assert len(rows) < 12


OBJECTIVES = (Objective("accuracy", "maximize", "%"), Objective("latency_ms", "minimize", "ms", known=True))


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (80, 60), (200, 50)])
def test_the_front_is_plotted_as_far_as_the_terminal_has_room(entry, width, height):
    front = [entry(trial, latency_ms=1.5**trial, accuracy=0.9 + trial / 1000) for trial in range(12)]
    snapshot = Snapshot("search", "training", 80, 180, {"search": 90}, {"complete": 4}, OBJECTIVES, front, done=0.4)
    lines = rendered(snapshot, width, height).splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= min(width, 110)
    assert sum(line.count("●") for line in lines) >= 6
    assert any("parameters" in line for line in lines)


@pytest.mark.parametrize(("width", "height"), [(59, 40), (80, 18)])
def test_in_a_small_terminal_the_table_is_all_there_is(entry, width, height):
    front = [entry(trial, latency_ms=1.5**trial, accuracy=0.9 + trial / 1000) for trial in range(12)]
    text = rendered(Snapshot("search", "training", 80, 180, objectives=OBJECTIVES, front=front), width, height)
    assert "●" not in text
    assert "accuracy" in text


def test_the_panel_has_a_column_for_every_objective_in_its_own_unit(entry):
    objectives = (
        Objective("log_loss", "minimize", "nats"),
        Objective("latency_ms@raspberry-pi-4", "minimize", "ms", known=True),
        Objective("memory_bytes", "minimize", "bytes", known=True),
    )
    text = rendered(Snapshot("search", "training", 1, 9, objectives=objectives, front=[entry(3, log_loss=0.132)]))
    assert "accuracy" not in text
    assert all(name in text for name in ("log loss", "raspberry-pi-4", "memory", "parameters"))
    (row,) = [line.strip("│ \n") for line in text.splitlines() if "nats" in line]
    assert " ".join(row.split()) == "3 0.132 nats 10 ms 7.5–12.5 87.9 KiB 3.5 k"


def test_a_phase_without_a_budget_shows_no_time():
    text = rendered(Snapshot("distill", "distilling, epoch 1 of 3", 5, 0.0, done=0.3))
    assert "distilling, epoch 1 of 3" in text
    assert "left" not in text


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when it is told to."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(time, "monotonic", lambda: Clock.now)
    return Clock


def calibration(clock, seconds, observer, budget=0.0):
    """Four updates a second, as a workflow tells them."""
    for tick in range(4 * seconds):
        clock.now += 0.25
        doing = f"timing network {tick % 7}"
        observer.update(Snapshot("calibrate", doing, clock.now, budget, done=(tick + 1) / (4 * seconds)))


@pytest.mark.parametrize(("seconds", "most"), [(1, 0), (30, 4), (3600, 60), (86_400, 100)])
def test_a_log_is_a_few_lines_however_often_it_is_told(clock, capfd, seconds, most):
    with watching(False) as observer:
        calibration(clock, seconds, observer)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) <= most
    assert len(set(lines)) == len(lines)
    assert all(line.startswith("calibrate: timing network") for line in lines)
    if seconds > 1:
        assert "%" in lines[-1]
        assert "left" in lines[-1]


def test_a_log_names_every_phase_as_it_begins_and_notes_at_once_but_never_twice(clock, capfd):
    with watching(False) as observer:
        clock.now = 5.0
        for phase in ("teacher", "search", "picks", "search", "picks"):
            clock.now += 0.1
            observer.update(Snapshot(phase, "training", clock.now, 60.0))
        observer.note("hardly any improvement is expected")
        observer.note("hardly any improvement is expected")
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["teacher", "search", "picks"]
    assert lines[3:] == ["hardly any improvement is expected"]


def test_under_json_a_log_is_silent(clock, capfd):
    with watching(True) as observer:
        calibration(clock, 60, observer, budget=60.0)
        observer.note("hardly any improvement is expected")
    assert capfd.readouterr().err == ""
