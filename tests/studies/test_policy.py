"""The rules of a search hold as properties, and at the values that can be worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe
from automl_kd.studies.policy import (
    RungRecord,
    epoch_seconds,
    from_scratch,
    full_epochs,
    hopeless,
    no_distillation,
    plain_kd,
    promotions,
    rung_epochs,
    seconds_for_picks,
    split,
)

SCORE = Objective("accuracy", "maximize", "%")
LOSS = Objective("log_loss", "minimize", "nats")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
TWO = (SCORE, LATENCY)


def test_rungs_are_thirds_of_the_whole():
    assert rung_epochs(9) == (1, 3, 9)
    assert rung_epochs(1) == (1,)
    assert rung_epochs(27) == (1, 3, 9, 27)
    assert rung_epochs(8) == (2, 8)


def test_rungs_too_short_to_tell_anything_are_left_out():
    assert rung_epochs(12, examples=1000) == (4, 12)
    assert rung_epochs(12, examples=10) == (12,)
    assert rung_epochs(12, examples=10**6) == (1, 4, 12)


def record(trial, latency, scores, waiting):
    return RungRecord(trial, (latency,), scores, waiting)


def waiting(trial, score, latency=1.0, rung=0):
    return record(trial, latency, dict.fromkeys(range(rung + 1), score), True)


def test_where_little_is_good_the_lowest_go_on():
    records = [waiting(0, 0.5), waiting(1, 0.9), waiting(2, 0.7)]
    assert promotions(records, 3, (LOSS, LATENCY)) == [0]
    assert promotions(records, 3, (LOSS, LATENCY), drain=True) == [0, 2, 1]


def test_a_third_objective_keeps_what_is_best_in_it():
    good = RungRecord(0, (1.0, 9.0), {0: 0.9}, True)
    worse = [RungRecord(trial, (1.0, 9.0), {0: 0.9 - trial / 10}, True) for trial in (1, 2)]
    small = RungRecord(3, (1.0, 1.0), {0: 0.1}, True)
    memory = Objective("memory_bytes", "minimize", "bytes", known=True)
    records = [good, *worse, small]
    assert set(promotions(records, 2, (*TWO, memory), reduction=2)) == {0, 3}
    assert hopeless(records, 2, (*TWO, memory), expected=4, reduction=2) == [1, 2]  # two stand before each


def test_the_best_third_goes_on_and_no_more():
    records = [waiting(0, 0.5), waiting(1, 0.9), waiting(2, 0.7)]
    assert promotions(records[:2], 3, TWO) == []
    assert promotions(records, 3, TWO) == [1]
    moved = [records[0], record(1, 1.0, {0: 0.9, 1: 0.95}, True), records[2]]
    assert promotions(moved, 3, TWO) == []
    assert promotions(moved, 3, TWO, drain=True) == [1, 2, 0]


def test_draining_finishes_the_highest_rung_first():
    records = [waiting(0, 0.9), waiting(1, 0.5, rung=1)]
    assert promotions(records, 3, TWO) == []
    assert promotions(records, 3, TWO, drain=True) == [1, 0]


def test_running_and_finished_trials_are_not_promoted():
    running = [record(n, 1.0, {0: 0.5 + n / 10}, False) for n in range(4)]
    assert promotions(running, 3, TWO, drain=True) == []


def test_hopeless_trials_stay_so():
    records = [waiting(n, 0.9 - n / 100, 1.0 + n) for n in range(10)]
    assert hopeless(records, 3, TWO, expected=3000) == []
    out = hopeless(records, 3, TWO, expected=10)
    assert out
    assert 0 not in out
    late = [*records, waiting(10, 0.99, 0.5)]
    assert set(out) <= set(hopeless(late, 3, TWO, expected=10))


@given(st.floats(1, 1e6), st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
def test_a_split_adds_up_and_leaves_the_search_the_most(budget, teacher, wanted):
    parts = split(budget, teacher, wanted)
    assert min(parts.search, parts.picks) >= 0
    assert parts.search >= parts.picks
    assert parts.search + parts.picks == pytest.approx(max(0, budget - teacher))


@given(st.integers(1, 5), st.floats(0.1, 100), st.integers(1, 16))
def test_picks_take_no_less_than_their_trainings_and_more_workers_never_take_longer(picks, per_run, workers):
    seconds = seconds_for_picks(picks, per_run, workers, 3)
    assert seconds * workers >= picks * 8 * per_run
    assert seconds_for_picks(picks, per_run, workers + 1, 3) <= seconds
    assert seconds_for_picks(picks + 1, per_run, workers, 3) > seconds
    assert seconds <= seconds_for_picks(picks, per_run, workers, 3, from_scratch=True) <= seconds + 2 * 1.16 * per_run


@given(st.integers(1, 300), st.integers(1, 100), st.floats(0.01, 100), st.floats(-10, 1e5), st.integers(1, 16))
def test_full_distillations_are_as_long_as_wanted_or_as_so_many_of_them_fit(wanted, least, per_epoch, seconds, workers):
    epochs = full_epochs(wanted, least, per_epoch, seconds, workers, runs=5)
    rounds = -(-5 // workers)
    assert 1 <= epochs <= wanted
    assert epochs >= min(wanted, least)
    if epochs > least:
        assert rounds * epochs * per_epoch <= seconds
    if least <= epochs < wanted:
        assert rounds * (epochs + 1) * per_epoch * 1.15 > seconds * (1 - 1e-9)


def test_arms_share_everything_but_the_teacher():
    recipe = Recipe.model_validate(
        {
            "task": "digits",
            "seed": 5,
            "student": {"family": "resnet", "depth": 8},
            "distill": {
                **{"targets": "cache-fp16", "views": 4, "mixed": "cached", "fuse": "entropy", "balance": "gradient"},
                "losses": {"hint": {"weight": 1}, "kd": {"weight": 2}},
                "handover": {},
            },
            "train": {"epochs": 7, "augment": ["crop", "mixup"]},
        }
    )
    for arm in (no_distillation(recipe), plain_kd(recipe, 4.0, 0.9)):
        assert (arm.train, arm.student, arm.seed) == (recipe.train, recipe.student, recipe.seed)
        assert arm.distill.losses.hint is None
        assert arm.distill.handover is None
        assert arm.distill.balance == "none"
        for heard in ("targets", "views", "mixed", "fuse"):
            assert getattr(arm.distill, heard) == getattr(recipe.distill, heard)
    assert not no_distillation(recipe).distill.needs_teacher()
    assert plain_kd(recipe, 4.0, 0.9).distill.losses.kd.temperature == 4.0


def test_what_spares_inherited_weights_goes_with_them():
    alike = {"epochs": 7, "ema": 0.99, "label_smoothing": 0.1}
    recipe = Recipe.model_validate(
        {
            "student": {"family": "resnet", "depth": 8, "resolution": 16, "start": {"weights": "net.safetensors"}},
            "train": {**alike, "freeze": 0.2, "layer_decay": 0.8, "batch_norm": "frozen"},
        }
    )
    arm = from_scratch(recipe)
    scratch = {"student": {"family": "resnet", "depth": 8, "resolution": 16}, "train": alike}
    assert arm == Recipe.model_validate(scratch)
    assert from_scratch(arm) == arm
    measured_anew = recipe.with_(train={**alike, "batch_norm": "reestimated"})
    assert from_scratch(measured_anew).train.batch_norm == "reestimated"


def test_where_worth_is_known_the_places_of_a_rung_go_to_what_is_expected_to_add_most():
    records = [record(number, 1.0 + number, {0: 0.1 * number}, True) for number in range(7)]
    worth = {0: 0.3, 1: 0.1, 5: 0.2, 6: 0.0}
    assert promotions(records, 2, TWO, worth=worth) == [0, 5]
    assert promotions(records, 2, TWO, worth=worth, reduction=7) == [0]
    gone = [record(0, 1.0, {0: 0.0, 1: 0.9}, False), *records[1:]]
    assert promotions(gone, 2, TWO, worth=worth) == [5]
    assert promotions(gone, 2, TWO, worth=worth, drain=True)[:2] == [5, 1]


nominal_times = st.floats(1e-3, 1e2)


@given(st.floats(0.01, 10), st.floats(0.1, 10), st.lists(nominal_times, min_size=3, max_size=8, unique=True))
def test_the_time_of_an_epoch_is_a_shared_part_and_one_by_operations(shared, speed, sizes):
    seen = [(size, shared + speed * size) for size in sizes] * 100  # what was seen outweighs the nominal speed
    smallest, largest = min(sizes), max(sizes)
    if largest > 3 * smallest:
        for size in (smallest, largest):
            assert epoch_seconds(size, seen) == pytest.approx(shared + speed * size, rel=0.1)


@given(st.lists(st.tuples(nominal_times, nominal_times), max_size=8), nominal_times, nominal_times)
def test_an_epoch_of_more_operations_is_never_expected_to_take_less(seen, one, other):
    low, high = sorted((one, other))
    assert 0 <= epoch_seconds(low, seen) <= epoch_seconds(high, seen)


def test_a_small_student_does_not_make_a_large_one_seem_dear():
    seen = [(0.01, 0.4)]  # 40 times its operations' time: most of it is shared
    assert epoch_seconds(1.0, seen) == pytest.approx(1.39, rel=0.01)
    assert epoch_seconds(0.5, []) == 0.5
