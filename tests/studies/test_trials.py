"""Candidates survive their driver: a study that was cut at any point is read back as it stood."""

import optuna
import pytest
from optuna.trial import TrialState

from automl_kd.execution import Trained
from automl_kd.storage import StudyRecord
from automl_kd.studies.attributes import TRIAL, TrialAttributes
from automl_kd.studies.summary import result_of, summarize

OPEN = {"task": "digits", "hw": "jetson-nano", "space": "tiny_cnn", "seed": 0, "limits": {}}


def states(database):
    """State and values of every trial, as Optuna has them."""
    study = optuna.load_study(study_name="cam", storage=database.optuna())
    return [(trial.state, trial.values) for trial in study.get_trials()]


def trained(accuracy, seconds, between=None):
    return Trained(accuracy, 0.01, {"accuracy": accuracy}, epoch=9, seconds=seconds, between=between)


def set_attributes(database, number, kept):
    storage = database.optuna()
    trial = storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name("cam"), number)
    storage.set_trial_user_attr(trial, TRIAL, kept.document())


def trial_in_the_middle(store):
    return store.study.ask()


def test_a_paused_candidate_is_running_for_optuna_and_complete_only_at_the_top_rung(database, open_store, propose_for):
    store = open_store()
    candidate = propose_for(store).next()
    store.arrive(candidate, 0, trained(0.6, 1.5, None))
    assert states(database) == [(TrialState.RUNNING, None)]
    assert store.complete() == []

    store.arrive(candidate, 1, trained(0.9, 4.5, 0.02))
    assert states(database) == [(TrialState.COMPLETE, [0.9, candidate.price.latency_ms])]
    assert [(point.trial, point.values[0]) for point in store.complete()] == [(0, 0.9)]


def test_a_driver_that_starts_again_finds_every_candidate_as_it_was(open_store, propose_for):
    store = open_store()
    source = propose_for(store)
    waiting, done, pruned, failed, fresh = (source.next() for _ in range(5))
    store.arrive(waiting, 0, trained(0.6, 1.5, None))
    store.arrive(done, 0, trained(0.7, 1.0, None))
    store.arrive(done, 1, trained(0.9, 3.0, None))
    store.arrive(pruned, 0, trained(0.1, 1.0, None))
    store.prune(pruned, "as many stand before it as will ever go on")
    store.fail(failed, "kd is not finite")
    store.note_death(fresh)
    waiting.status = "running"  # its worker had it in hand when the driver was killed

    again = open_store()

    assert {number: each.status for number, each in again.candidates.items()} == {
        waiting.number: "waiting",
        done.number: "complete",
        pruned.number: "pruned",
        failed.number: "failed",
        fresh.number: "waiting",
    }
    for candidate in (waiting, done, pruned, failed, fresh):
        found = again.candidates[candidate.number]
        assert found.recipe == candidate.recipe
        assert (found.price, found.scores) == (candidate.price, candidate.scores)
        assert (found.seconds, found.attempts) == (candidate.seconds, candidate.attempts)
    assert again.counts() == store.counts() | {"running": 0, "waiting": 2}
    assert again.front() == store.front()


@pytest.mark.parametrize("answered", [False, True])
def test_a_trial_that_was_given_up_while_it_was_trained_is_pruned_whatever_comes_of_it(
    database, open_store, propose_for, answered
):
    store = open_store()
    candidate = propose_for(store).next()
    store.arrive(candidate, 0, trained(0.6, 1.5, None))
    candidate.status = "running"
    store.give_up(candidate, "ended by its owner")
    if answered:  # it was faster than the wish
        store.arrive(candidate, 1, trained(0.9, 4.5, 0.02))
        assert states(database) == [(TrialState.PRUNED, None)]

    again = open_store()  # else the driver was killed before the answer

    assert states(database) == [(TrialState.PRUNED, None)]
    (found,) = again.candidates.values()
    assert (found.status, found.attributes.reason) == ("pruned", "ended by its owner")
    assert found.scores == ({0: 0.6, 1: 0.9} if answered else {0: 0.6})
    assert again.complete() == []


def test_a_trial_cut_between_its_last_accuracy_and_the_verdict_is_complete(database, open_store, propose_for):
    store = open_store()
    candidate = propose_for(store).next()
    store.arrive(candidate, 0, trained(0.6, 1.5, None))
    kept = candidate.attributes.model_copy(update={"scores": {3: 0.6, 9: 0.8}})
    set_attributes(database, candidate.number, kept)  # the kill came here

    again = open_store()

    assert again.candidates[0].status == "complete"
    assert states(database) == [(TrialState.COMPLETE, [0.8, candidate.price.latency_ms])]


def test_a_trial_cut_between_screening_and_the_verdict_is_screened(database, open_store):
    trial = trial_in_the_middle(open_store())
    kept = TrialAttributes(ending="screened", reason="9 ms is over the limit of 4")
    set_attributes(database, trial.number, kept)  # the kill came here

    again = open_store()

    assert (again.screened, again.candidates) == (1, {})
    assert states(database) == [(TrialState.PRUNED, None)]


def test_a_trial_cut_before_it_was_priced_costs_nothing_and_is_closed(database, open_store):
    trial_in_the_middle(open_store())
    again = open_store()
    assert again.candidates == {}
    assert states(database) == [(TrialState.FAIL, None)]


def test_a_candidate_that_waits_keeps_its_place_on_the_next_rung(open_store, propose_for):
    store = open_store()
    store.arrive(propose_for(store).next(), 0, trained(0.6, 1.5, None))
    (record,) = open_store().rung_records()
    assert (record.rung, record.waiting, record.scores) == (0, True, {0: 0.6})


def test_a_study_in_the_middle_is_summarized_without_mixing_rungs(database, open_store, propose_for):
    database.save_study(StudyRecord("cam", {}, OPEN, 180.0, {"teacher": 5.0, "search": 20.0}))
    store = open_store()
    source = propose_for(store)
    waiting, done, pruned, failed, _ = (source.next() for _ in range(5))
    store.arrive(waiting, 0, trained(0.99, 1.5, None))
    store.arrive(done, 0, trained(0.5, 1.0, None))
    store.arrive(done, 1, trained(0.7, 3.0, 0.05))
    store.arrive(pruned, 0, trained(0.1, 1.0, None))
    store.prune(pruned, "as many stand before it as will ever go on")
    store.fail(failed, "kd is not finite")

    summary = summarize(database, "cam")

    counts = {"complete": 1, "pruned": 1, "failed": 1, "running": 2}
    assert summary.trials.model_dump() == counts
    (entry,) = summary.front
    assert (entry.trial, entry.score, entry.accuracy, entry.epochs) == (done.number, 0.7, 0.7, 9)
    assert entry.objectives == {"accuracy": 0.7, "latency_ms": done.price.latency_ms}
    assert entry.recipe == done.recipe
    assert {(each.trial, each.epochs) for each in summary.stopped} == {(waiting.number, 3), (pruned.number, 3)}
    assert [each.model_dump() for each in summary.failures] == [{"reason": "kd is not finite", "count": 1}]
    assert (summary.state, summary.picks, summary.teacher.accuracy) == ("open", (), None)
    assert (summary.seconds.budget, summary.seconds.total) == (180.0, 25.0)
    assert summary.between_ms == 50.0


def test_a_study_that_has_only_just_begun_is_summarized(database):
    database.save_study(StudyRecord("cam", {}, OPEN, 180.0))
    document = result_of(summarize(database, "cam")).model_dump(mode="json")
    assert document["trials"] == {"complete": 0, "pruned": 0, "failed": 0, "running": 0}
    assert (document["front"], document["picks"], document["screened"]) == ([], [], 0)
    assert (document["metric"], document["direction"]) == ("accuracy", "maximize")
    assert document["teacher"]["accuracy"] is None


def test_time_of_a_full_run_is_learned_from_the_front(open_store, propose_for):
    store = open_store()
    assert store.seconds_per_full_run() is None
    candidate = propose_for(store).next()
    store.arrive(candidate, 0, trained(0.6, 1.5, None))
    assert store.seconds_per_full_run() == pytest.approx(1.5 / 3 * 9)


def test_what_full_runs_of_an_earlier_round_took_corrects_it(open_store, propose_for):
    store = open_store()
    candidate = propose_for(store).next()
    store.arrive(candidate, 0, trained(0.6, 1.5, None))
    other = {"trial": 99, "epochs": 9, "seconds": 900.0}
    store.learn_from_full_runs([{"score": 0.9}, other])
    assert store.seconds_per_full_run() == pytest.approx(1.5 / 3 * 9)
    took = [{"trial": candidate.number, "epochs": 9, "seconds": seconds} for seconds in (9.0, 11.0)]
    store.learn_from_full_runs([*took, other])
    assert store.seconds_per_full_run() == pytest.approx(10.0)


def test_a_store_says_after_every_arrival_what_one_that_is_opened_anew_says(open_store, propose_for):
    store = open_store()
    source = propose_for(store)
    candidates = [source.next() for _ in range(4)]
    arrivals = [(each, rung) for rung in (0, 1) for each in candidates]
    for step, (candidate, rung) in enumerate(arrivals):
        store.arrive(candidate, rung, trained(0.5 + 0.1 * (step % 3), 1.0 + step))
        again = open_store()
        for question in ("complete", "front_points", "front", "seconds_per_epoch", "epochs_seen"):
            assert list(getattr(store, question)()) == list(getattr(again, question)()), question
        assert store.seconds_per_full_run() == again.seconds_per_full_run()
    assert len(store.complete()) == 4
    assert len(store.epochs_seen()) == 4
