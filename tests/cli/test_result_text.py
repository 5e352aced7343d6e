"""What a search found is told in the metric that was searched, in its own unit and sign."""

from automl_kd.cli.result_text import result_text
from automl_kd.objectives import Objective

ACCURACY = Objective("accuracy", "maximize", "%")
MACRO_F1 = Objective("macro_f1", "maximize", "%", title="macro F1")
LOG_LOSS = Objective("log_loss", "minimize", "nats")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
ON_PI = Objective("latency_ms@raspberry-pi-4", "minimize", "ms", known=True)
MEMORY = Objective("memory_bytes", "minimize", "bytes", known=True)


def cells(line):
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def table_after(text, heading):
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(heading)) + 1
    return cells(lines[start]), cells(lines[start + 1])


def test_of_accuracy_against_latency(entry, picked, result):
    trial = entry(3, accuracy=0.9123)
    text = result_text(result([trial], [picked(trial, accuracy=0.894)], teacher=0.978))
    assert "front (accuracy on search-validation, latency predicted):" in text
    assert table_after(text, "front") == (
        ["trial", "accuracy", "latency", "interval", "parameters"],
        ["3", "91.2 %", "2.5 ms", "1.25–5", "3.5 k"],
    )
    header, row = table_after(text, "picks, distilled in full (test split; teacher 97.8 %):")
    assert dict(zip(header, row, strict=True)) == {
        "trial": "3",
        "role": "knee",
        "accuracy": "89.4 % ± 0.4",
        "on device": "89.4 %",
        "delivered": "searched",
        "searched": "89.4 %",
        "no teacher": "–",
        "plain KD": "–",
        "latency": "2.5 ms",
        "files": "picks/trial-3",
    }
    assert "trial 3, plain KD: the time was used up" in text
    assert "other metrics" not in text


def test_of_a_metric_of_which_less_is_better_and_several_prices(entry, picked, result):
    trial = entry(3, log_loss=0.132, macro_f1=0.9)
    pick = picked(trial, log_loss=0.25, macro_f1=0.871, accuracy=0.9)
    metrics, prices = (LOG_LOSS, ACCURACY, MACRO_F1), (LATENCY, ON_PI, MEMORY)
    text = result_text(result([trial], [pick], metrics, prices, teacher=0.01))
    assert (
        "front (log loss, lower is better, on search-validation,"
        " latency, latency on raspberry-pi-4 and memory predicted):"
    ) in text
    header, row = table_after(text, "front")
    prices = ["latency", "interval", "latency on raspberry-pi-4", "interval", "memory"]
    assert header == ["trial", "log loss", *prices, "parameters"]
    assert row[1:] == ["0.132 nats", "2.5 ms", "1.25–5", "10 ms", "7.5–12.5", "87.9 KiB", "3.5 k"]
    header, row = table_after(text, "picks, distilled in full (test split; teacher 0.01 nats):")
    shown = dict(zip(header, row, strict=True))
    assert shown["log loss"] == "0.25 nats ± 0.004"
    assert (shown["latency on raspberry-pi-4"], shown["memory"]) == ("10 ms", "87.9 KiB")
    assert "other metrics of the knee (trial 3): accuracy 90.0 %, macro F1 87.1 %" in text
    assert text.count("accuracy") == 1


def test_before_the_first_trial_there_are_only_counts(result):
    assert len(result_text(result()).splitlines()) == 3
