"""A training that hangs or eats memory is ended and named; the pool goes on."""

import pytest
from worker_jobs import answer_of

from automl_kd.core import UserError
from automl_kd.execution import Bounds, Failed, WorkerPool
from automl_kd.studies.request import SearchRequest


@pytest.mark.usefixtures("module_cache")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_training_that_takes_too_much_memory_is_ended_and_tried_again_only_where_that_may_help(
    setup, job, tmp_path, elsewhere
):
    with WorkerPool(1, setup, tmp_path / "workers.log", Bounds(600.0, 1e6, elsewhere)) as pool:
        answer = answer_of(pool, "a", job)
        assert isinstance(answer, Failed)
        assert answer.worker_died == elsewhere
        assert answer.reason.endswith("GB of memory, over 0.0 GB (--trial-memory)")
        assert pool.idle == 1


@pytest.mark.usefixtures("module_cache")
def test_a_training_that_makes_no_step_is_ended_and_may_be_tried_again(setup, endless, tmp_path):
    with WorkerPool(1, setup, tmp_path / "workers.log", Bounds(0.2, 64e9)) as pool:
        # To open data and teacher makes no step either, and takes longer than this; it has bounds of its own.
        answer = answer_of(pool, "a", endless)
        assert answer == Failed("made no step for 0.2 s (--trial-timeout)", worker_died=True)
        assert pool.idle == 1


def test_bounds_are_of_processes_of_this_machine():
    with pytest.raises(UserError, match="only for executor process"):
        SearchRequest(hw="jetson-nano", budget="1m", executor="ray", trial_memory="4GB")
    with pytest.raises(UserError, match="trial_timeout"):
        SearchRequest(hw="jetson-nano", budget="1m", trial_timeout="soon")
