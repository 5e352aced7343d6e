"""Trainings that hang or eat memory, in a whole search."""

import pytest
from outside import rows

LOSSES = """
import time
import torch
from automl_kd.distillation import loss

@loss("logits")
def kind(student, teacher):
    return (student - teacher).square().mean()

@loss("logits")
def hangs(student, teacher):
    if len(student) > 4:  # not where its form is checked
        time.sleep(3600)
    return kind(student, teacher)

@loss("logits")
def eats(student, teacher):
    if len(student) > 4:
        hoard = torch.ones(750_000_000)
        time.sleep(20)
    return kind(student, teacher)
"""

SPACE = """
search_epochs: 3
student: {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}}
distill:
  losses:
    task: {weight: 1.0}
    custom:
      choice:
        - mine: {file: losses.py, function: kind, weight: 1}
        - mine: {file: losses.py, function: hangs, weight: 1}
        - mine: {file: losses.py, function: eats, weight: 1}
train: {epochs: 3, batch_size: 128}
"""

TWO = """
search_epochs: 3
student: {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}}
distill: {losses: {task: {weight: 1.0}}}
train: {epochs: 3, batch_size: {choice: [64, 128]}}
"""


@pytest.mark.long  # tests/execution/test_bounds.py has its parts
def test_trainings_that_hang_or_eat_memory_fail_with_their_reason_and_the_study_ends(command, digits_teacher, tmp_path):
    (tmp_path / "losses.py").write_text(LOSSES)
    (tmp_path / "space.yaml").write_text(SPACE)
    bounds = ("--trial-timeout", "12s", "--trial-memory", "2GB", "--allow-code", "--workers", "2", "--device", "cpu")
    arguments = ("--hw", "jetson-nano", "--budget", "5m", "--space", "space.yaml", "--study", "cam", "--json")
    document = command("search", *arguments, *bounds, cwd=tmp_path).document
    assert document["state"] == "done"
    assert (document["trials"]["complete"], document["trials"]["failed"]) == (1, 2)
    summary = command("status", "--study", "cam", "--json", cwd=tmp_path).document
    reasons = sorted(failure["reason"] for failure in summary["failures"])
    assert ("RUNNING",) not in rows(tmp_path / "automl-kd.db", "SELECT state FROM trials")
    assert reasons[0] == "made no step for 12 s (--trial-timeout)"
    assert "of memory, over 2.0 GB (--trial-memory)" in reasons[1]
    assert document["picks"]


def test_where_every_trial_fails_the_search_ends_with_the_reason(command, digits_teacher, tmp_path):
    (tmp_path / "space.yaml").write_text(TWO)
    arguments = ("--hw", "jetson-nano", "--budget", "5m", "--space", "space.yaml", "--study", "cam", "--device", "cpu")
    ended = command("search", *arguments, "--trial-memory", "50MB", "--workers", "1", cwd=tmp_path)
    assert ended.code == 2
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("automl-kd: all 2 trials failed, the last: took 0.")
    assert last.endswith("GB of memory, over 0.1 GB (--trial-memory)")
