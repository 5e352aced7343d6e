"""The decisions of a search hold as properties, and at the values that can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_kd.controller import (
    Point,
    dominates,
    hypervolume,
    hypervolumes,
    knee,
    non_dominated_ranks,
    paired_difference,
    pareto_front,
    ranking,
)
from automl_kd.recipes import Recipe
from automl_kd.studies.policy import (
    RungRecord,
    choose_picks,
    epoch_seconds,
    full_epochs,
    hopeless,
    near_ties,
    no_distillation,
    plain_kd,
    promotions,
    rung_epochs,
    seconds_for_picks,
    split,
)

coordinates = st.tuples(st.integers(0, 6), st.integers(1, 6))
clouds = st.lists(coordinates, min_size=1, max_size=25).map(
    lambda pairs: [Point(number, accuracy / 6, float(ms)) for number, (accuracy, ms) in enumerate(pairs)]
)


def ranks_by_definition(points):
    left, ranks, rank = set(range(len(points))), {}, 0
    while left:
        best = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        ranks |= dict.fromkeys(best, rank)
        left -= best
        rank += 1
    return [ranks[index] for index in range(len(points))]


@given(clouds)
def test_ranks_are_those_of_the_definition(points):
    assert non_dominated_ranks(points) == ranks_by_definition(points)


@given(clouds, coordinates)
def test_a_rank_never_falls_when_a_candidate_arrives(points, newcomer):
    more = [*points, Point(99, newcomer[0] / 6, float(newcomer[1]))]
    assert all(new >= old for old, new in zip(non_dominated_ranks(points), non_dominated_ranks(more), strict=False))


@given(clouds)
def test_the_front_is_what_nothing_dominates(points):
    front = pareto_front(points)
    assert not any(dominates(other, point) for point in front for other in points)
    for point in points:
        assert any(
            dominates(f, point) or (f.accuracy, f.latency_ms) == (point.accuracy, point.latency_ms) for f in front
        )


@given(clouds)
def test_the_ranking_is_a_permutation_ordered_by_rank(points):
    order, ranks = ranking(points), non_dominated_ranks(points)
    assert sorted(order) == list(range(len(points)))
    assert [ranks[index] for index in order] == sorted(ranks)


@given(clouds)
def test_hypervolume_counts_grid_cells(points):
    cells = sum(
        any(p.accuracy * 6 >= a + 1 - 1e-9 and p.latency_ms <= ms for p in points)
        for a in range(6)
        for ms in range(1, 7)
    )
    assert hypervolume(points, accuracy=0.0, latency_ms=7.0) == pytest.approx(cells / 6)


@given(clouds)
def test_the_hypervolume_grows_as_if_counted_anew_after_each_point(points):
    anew = [hypervolume(points[: end + 1], accuracy=0.3, latency_ms=5.0) for end in range(len(points))]
    assert list(hypervolumes(points, accuracy=0.3, latency_ms=5.0)) == pytest.approx(anew)


def test_the_knee_is_the_bend():
    front = [Point(0, 0.5, 1.0), Point(1, 0.88, 1.5), Point(2, 0.9, 4.0), Point(3, 0.91, 16.0)]
    assert knee(front).trial == 1
    assert knee(front[:1]).trial == 0
    assert knee(front[:2]).trial == 1


def test_picks_start_at_the_knee_and_cover_the_front():
    front = [Point(n, 1 - 0.5**n, 2.0**n) for n in range(9)]
    dominated = [Point(20, 0.1, 300.0)]
    picks = choose_picks(front + dominated, 5)
    assert len({pick.trial for pick in picks}) == 5
    assert picks[0] == knee(front)
    assert {front[0], front[-1]} <= set(picks)
    assert choose_picks([], 5) == []
    assert len(choose_picks(front, 100)) == 9


def test_near_ties_are_what_accuracy_and_predicted_latency_cannot_tell_from_the_front():
    front = [Point(0, 0.90, 1.0), Point(1, 0.95, 2.0)]
    close, slower, worse = Point(2, 0.945, 2.1), Point(3, 0.949, 9.0), Point(4, 0.80, 1.9)
    intervals = {0: (0.8, 1.3), 1: (1.6, 2.6), 2: (1.7, 2.7), 3: (7.0, 11.0), 4: (1.5, 2.4)}
    points = [*front, close, slower, worse]
    assert near_ties(points, intervals, 1000, 5) == [close]
    assert near_ties(points, intervals, 1000, 0) == []
    assert near_ties(points, intervals, 10**8, 5) == []  # so many images tell half a point apart
    assert near_ties(points, intervals | {3: (1.5, 11.0)}, 1000, 5) == [slower, close]


def test_rungs_are_thirds_of_the_whole():
    assert rung_epochs(9) == (1, 3, 9)
    assert rung_epochs(1) == (1,)
    assert rung_epochs(27) == (1, 3, 9, 27)
    assert rung_epochs(8) == (2, 8)


def test_rungs_too_short_to_tell_anything_are_left_out():
    assert rung_epochs(12, images=1000) == (4, 12)
    assert rung_epochs(12, images=10) == (12,)
    assert rung_epochs(12, images=10**6) == (1, 4, 12)


def waiting(trial, accuracy, latency=1.0, rung=0):
    return RungRecord(trial, latency, dict.fromkeys(range(rung + 1), accuracy), True)


def test_the_best_third_goes_on_and_no_more():
    rung_records = [waiting(0, 0.5), waiting(1, 0.9), waiting(2, 0.7)]
    assert promotions(rung_records[:2], 3) == []
    assert promotions(rung_records, 3) == [1]
    moved = [rung_records[0], RungRecord(1, 1.0, {0: 0.9, 1: 0.95}, True), rung_records[2]]
    assert promotions(moved, 3) == []
    assert promotions(moved, 3, drain=True) == [1, 2, 0]


def test_draining_finishes_the_highest_rung_first():
    rung_records = [waiting(0, 0.9), waiting(1, 0.5, rung=1)]
    assert promotions(rung_records, 3) == []
    assert promotions(rung_records, 3, drain=True) == [1, 0]


def test_running_and_finished_trials_are_not_promoted():
    running = [RungRecord(n, 1.0, {0: 0.5 + n / 10}, False) for n in range(4)]
    assert promotions(running, 3, drain=True) == []


def test_hopeless_trials_stay_so():
    rung_records = [waiting(n, 0.9 - n / 100, 1.0 + n) for n in range(10)]
    assert hopeless(rung_records, 3, expected=3000) == []
    out = hopeless(rung_records, 3, expected=10)
    assert out
    assert 0 not in out
    late = [*rung_records, waiting(10, 0.99, 0.5)]
    assert set(out) <= set(hopeless(late, 3, expected=10))


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


@given(st.integers(1, 300), st.integers(1, 100), st.floats(0.01, 100), st.floats(-10, 1e5), st.integers(1, 16))
def test_full_distillations_are_as_long_as_wanted_or_as_one_pick_with_its_arms_fits(
    wanted, least, per_epoch, seconds, workers
):
    epochs = full_epochs(wanted, least, per_epoch, seconds, workers, settings=3)
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


def test_the_paired_interval_covers_the_truth_at_its_rate():
    rng = np.random.default_rng(1)
    covered = 0
    for repeat in range(60):
        theirs = rng.random((2, 300)) < 0.80
        ours = np.where(rng.random((2, 300)) < 0.25, rng.random((2, 300)) < 0.84, theirs)
        truth = 0.25 * (0.84 - 0.80)
        result = paired_difference(ours, theirs, draws=300, seed=repeat)
        covered += result["low"] <= truth <= result["high"]
    assert covered >= 50
    same = paired_difference(theirs, theirs)
    assert (same["difference"], same["low"], same["high"]) == (0, 0, 0)


def test_where_worth_is_known_the_places_of_a_rung_go_to_what_is_expected_to_add_most():
    rung_records = [RungRecord(number, 1.0 + number, {0: 0.1 * number}, True) for number in range(7)]
    worth = {0: 0.3, 1: 0.1, 5: 0.2, 6: 0.0}
    assert promotions(rung_records, 2, worth=worth) == [0, 5]
    assert promotions(rung_records, 2, worth=worth, reduction=7) == [0]
    gone = [RungRecord(0, 1.0, {0: 0.0, 1: 0.9}, False), *rung_records[1:]]
    assert promotions(gone, 2, worth=worth) == [5]
    assert promotions(gone, 2, worth=worth, drain=True)[:2] == [5, 1]


def test_the_knee_of_a_front_that_sags_is_its_most_accurate_point():
    sagging = [Point(0, 0.38, 1.0), Point(1, 0.44, 3.0), Point(2, 0.85, 4.0)]
    assert knee(sagging) == sagging[2]
    assert knee([*sagging, Point(3, 0.86, 100.0)]) == sagging[2]


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
