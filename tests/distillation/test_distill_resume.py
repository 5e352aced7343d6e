from __future__ import annotations

import pytest
import torch
from resumed import FINE_TUNING, assert_same_state, state, stop_after, with_train

from automl_kd.core import Interrupted, UserError
from automl_kd.distillation import distill

SGD = {"name": "sgd", "lr": 0.05}
ADAMW = {"name": "adamw", "lr": 0.003}
LOSSES = {"kd": {"weight": 1}, "hint": {"weight": 1, "at": ["stage1", "last"]}}


@pytest.fixture
def recipe(make):
    return lambda optimizer=SGD, **changes: make(LOSSES, augment=["crop", "mixup"], optimizer=optimizer, **changes)


@pytest.mark.parametrize(("optimizer", "steps"), [(SGD, (0, 1, 5, 7, 14)), (ADAMW, (5, 7))], ids=["sgd", "adamw"])
def test_a_run_resumed_at_any_step_equals_one_that_went_through(recipe, few, teacher, tmp_path, optimizer, steps):
    through = tmp_path / "through.pt"
    expected = distill(recipe(optimizer), few, teacher, device="cpu", checkpoint=through)
    for number in steps:
        resumed = tmp_path / f"{number}.pt"
        with pytest.raises(Interrupted, match=f"step {number} "):
            distill(recipe(optimizer), few, teacher, device="cpu", checkpoint=resumed, should_stop=stop_after(number))
        assert state(resumed)["step"] == number
        found = distill(recipe(optimizer), few, teacher, device="cpu", checkpoint=resumed)
        assert_same_state(through, resumed)
        assert (found.losses, found.score, found.step) == (expected.losses, expected.score, expected.step)


@pytest.mark.parametrize(("optimizer", "steps"), [(SGD, (4, 6, 10)), (ADAMW, (6,))], ids=["sgd", "adamw"])
def test_a_run_that_is_fine_tuned_resumes_too(recipe, few, teacher, tmp_path, optimizer, steps):
    tuned = with_train(recipe(optimizer, balance="gradient"), FINE_TUNING)
    through = tmp_path / "through.pt"
    expected = distill(tuned, few, teacher, device="cpu", checkpoint=through)
    for number in steps:
        resumed = tmp_path / f"{number}.pt"
        with pytest.raises(Interrupted):
            distill(tuned, few, teacher, device="cpu", checkpoint=resumed, should_stop=stop_after(number))
        found = distill(tuned, few, teacher, device="cpu", checkpoint=resumed)
        assert_same_state(through, resumed)
        assert found.evaluation.values == expected.evaluation.values
        for name, tensor in expected.student.state_dict().items():
            assert torch.equal(found.student.state_dict()[name], tensor), name


@pytest.mark.parametrize("train", [{}, FINE_TUNING], ids=["plain", "fine-tuned"])
def test_rungs_are_prefixes_of_one_run(recipe, few, teacher, tmp_path, train):
    through, rungs = tmp_path / "through.pt", tmp_path / "rungs.pt"
    asked = with_train(recipe(), train)
    distill(asked, few, teacher, device="cpu", checkpoint=through)
    first = distill(asked, few, teacher, device="cpu", checkpoint=rungs, until=1)
    alone = distill(asked, few, teacher, device="cpu", until=1)
    assert (first.score, first.losses) == (alone.score, alone.losses)
    last = distill(asked, few, teacher, device="cpu", checkpoint=rungs, until=3)
    assert_same_state(through, rungs)
    assert last.seconds > first.seconds


def test_cached_targets_resume_too(make, few, teacher, tmp_path):
    recipe, folder = make(LOSSES), tmp_path / "outputs"
    through, resumed = tmp_path / "through.pt", tmp_path / "resumed.pt"
    distill(recipe, few, teacher, device="cpu", checkpoint=through, cache=folder)
    with pytest.raises(Interrupted):
        distill(recipe, few, teacher, device="cpu", checkpoint=resumed, cache=folder, should_stop=stop_after(8))
    distill(recipe, few, teacher, device="cpu", checkpoint=resumed, cache=folder)
    assert_same_state(through, resumed)


def test_a_finished_run_is_not_trained_again(recipe, few, teacher, tmp_path):
    path = tmp_path / "run.pt"
    done = distill(recipe(), few, teacher, device="cpu", checkpoint=path)
    # A wish to stop comes too late: all that is left is to evaluate.
    again = distill(recipe(), few, teacher, device="cpu", checkpoint=path, should_stop=lambda: True)
    assert (again.epoch, again.score, again.losses) == (done.epoch, done.score, done.losses)
    assert again.seconds == done.seconds, "training time"


def test_stopping_needs_no_checkpoint(recipe, few, teacher):
    with pytest.raises(Interrupted):
        distill(recipe(), few, teacher, device="cpu", should_stop=lambda: True)


def test_a_checkpoint_of_another_run_is_refused(recipe, few, teacher, tmp_path):
    path = tmp_path / "run.pt"
    distill(recipe(), few, teacher, device="cpu", checkpoint=path, until=1)
    with pytest.raises(UserError, match=r"run\.pt: belongs to another run, its recipe"):
        distill(recipe(seed=9), few, teacher, device="cpu", checkpoint=path)
    with pytest.raises(UserError, match=r"its schedule is 3 epochs and should be 4 epochs"):
        distill(recipe(), few, teacher, device="cpu", checkpoint=path, total_epochs=4)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None], ids=["empty", "text", "truncated"])
def test_a_damaged_checkpoint_is_refused_in_one_line(recipe, few, teacher, tmp_path, content):
    path = tmp_path / "run.pt"
    distill(recipe(), few, teacher, device="cpu", checkpoint=path, until=1)
    path.write_bytes(path.read_bytes()[:-1000] if content is None else content)
    with pytest.raises(UserError, match=r"run\.pt: cannot be read .*delete it to start afresh"):
        distill(recipe(), few, teacher, device="cpu", checkpoint=path)


def test_no_temporary_file_is_left(recipe, few, teacher, tmp_path):
    distill(recipe(), few, teacher, device="cpu", checkpoint=tmp_path / "deep" / "run.pt", until=1)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["run.pt"]
