"""The panel on a terminal says what is happening, the front so far and the time left."""

import io

from rich.console import Console

from automl_kd.cli._progress import _panel
from automl_kd.workflows import Snapshot


def rendered(snapshot):
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_panel(snapshot))
    return console.export_text()


def entry(trial):
    price = {"latency_ms": 2.5 + trial, "latency_low": 2.0, "latency_high": 9.0, "params": 1000 * trial + 500}
    return {"trial": trial, "accuracy": 0.9 + trial / 1000, **price}


def test_the_panel_names_phase_time_left_counts_and_the_ends_of_the_front():
    front = [entry(trial) for trial in range(20)]
    text = rendered(
        Snapshot("search", "training 2 candidates", 80, 180, {"search": 90}, {"complete": 4, "failed": 0}, front, 0.4)
    )
    assert "search" in text.splitlines()[0]
    assert "training 2 candidates" in text
    assert "100 s left" in text or "1 min 40 s left" in text
    assert "4 complete" in text
    assert "failed" not in text
    rows = [line.split()[1] for line in text.splitlines() if "%" in line]
    assert rows[0] == "0"
    assert rows[-1] == "19"
    assert len(rows) < 12


def test_a_phase_without_a_budget_shows_no_time():
    text = rendered(Snapshot("distill", "distilling, epoch 1 of 3", 5, 0.0, done=0.3))
    assert "distilling, epoch 1 of 3" in text
    assert "left" not in text
