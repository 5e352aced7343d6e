"""What is said of trials that were never finished."""

import pytest

from automl_kd import trial_detail
from automl_kd.execution import Trained
from automl_kd.storage import StudyRecord

OPEN = {"task": "digits", "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0, "limits": {}}


@pytest.fixture
def ask(database, own_cache):
    database.save_study(StudyRecord("cam", {}, OPEN, 60.0))
    return lambda number: trial_detail("cam", number, storage=database.url)


def test_a_trial_that_was_not_finished_says_why(ask, database, open_store, propose_for):
    store = open_store()
    source = propose_for(store)
    screened, over = store.study.ask(), store.study.ask()
    store.screen(screened, "12 ms is over the limit of 10")
    store.pass_over(over, "same recipe as trial 3")
    stopped, failed, paused, fresh = (source.next() for _ in range(4))
    for each in (stopped, paused):
        store.begin(each, 3)
        store.arrive(each, 0, Trained(0.6, 0.01, {"accuracy": 0.6}, epoch=3, seconds=1.5, between=None))
    store.prune(stopped, "as many stand before it as will ever go on")
    store.fail(failed, "kd is not finite")
    store.begin(paused, 9)

    assert ask(0).told == "screened before any training: 12 ms is over the limit of 10"
    assert ask(1).told == "passed over: same recipe as trial 3"
    assert ask(stopped.number).told == "stopped at 3 epochs: as many stand before it as will ever go on"
    assert ask(failed.number).told == "failed before its first rung: kd is not finite"
    assert ask(fresh.number).told == "waits before its first rung"
    assert ask(paused.number).told == "waits at 3 epochs", "whoever trained it is gone"
    with database.lease("cam"):
        found = ask(paused.number)
    assert (found.state, found.told, found.training_until) == ("running", "is being trained to 9 epochs", 9)
    assert [(each.epochs, each.score) for each in found.curve] == [(3, 0.6)]
    assert found.metrics["accuracy"].error == 0.01
    assert (found.price, found.reading) == (paused.price, None)
    assert found.breakdown.parts
    assert "has not reached the top rung" in found.unread
