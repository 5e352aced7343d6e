"""Jobs in a thread of the driver's own process."""

from dataclasses import replace

import pytest
from worker_jobs import answer_of, labels_only

from automl_kd.core import UserError
from automl_kd.execution import InlineExecutor, Stopped, Trained
from automl_kd.studies.request import SearchRequest


@pytest.fixture
def inline(setup, module_cache):
    with InlineExecutor(setup) as inline:
        yield inline


def test_it_trains_as_a_pool_does(inline, pool, job, tmp_path):
    there = replace(job, checkpoint=tmp_path / "there.pt", weights=tmp_path / "there.safetensors")
    assert isinstance(answer_of(pool, 1, there), Trained)
    assert (inline.size, inline.idle, inline.running) == (1, 1, [])
    assert isinstance(answer_of(inline, 1, job), Trained)
    assert job.weights.read_bytes() == there.weights.read_bytes()


def test_a_stop_saves_the_state(inline, endless):
    inline.submit("a", endless)
    with pytest.raises(IndexError):
        inline.submit("b", endless)
    assert inline.wait(3) == []
    assert inline.stop() == [("a", Stopped())]
    assert endless.checkpoint.exists()


def test_a_job_that_is_cancelled_ends_with_its_state_and_the_next_one_runs(inline, endless, job, tmp_path):
    inline.submit("a", endless)
    assert inline.wait(3) == []
    inline.cancel("b")
    assert inline.wait(1) == [], "another job is meant"
    inline.cancel("a")
    assert inline.wait(60) == [("a", Stopped())]
    assert endless.checkpoint.exists()
    short = replace(job, recipe=labels_only(), until=1, checkpoint=tmp_path / "short.pt")
    assert isinstance(answer_of(inline, "b", short), Trained)


def test_an_abandoned_job_leaves_a_worker_for_the_next(inline, endless, job, tmp_path):
    inline.submit("a", endless)
    assert inline.abandon() == ["a"]
    short = replace(job, recipe=labels_only(), until=1, checkpoint=tmp_path / "short.pt")
    assert isinstance(answer_of(inline, "b", short), Trained)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"executor": "inline", "workers": 2}, "executor inline has one"),
        ({"executor": "inline", "trial_timeout": "5m"}, "only for executor process"),
        ({"executor": "ray", "workers": 0}, "must be at least 1"),
        ({"workers": -1}, "must be at least 0; 0 leaves the work to automl-kd worker"),
    ],
)
def test_what_it_cannot_do_is_told(given, told):
    with pytest.raises(UserError, match=told):
        SearchRequest(hw="jetson-nano", budget="60s", **given)
