"""What a front has in common is named where chance would not give it, and only there."""

import random
from math import comb

import pytest
from scipy.stats import hypergeom

from automl_kd.objectives import commonalities


def study(values, front):
    """Candidates with one hole."""
    return commonalities([{"hole": value} for value in values], front)


def draw(rng, holes):
    """A candidate: every hole has two to six values, and every second one is there with every second candidate only."""
    return {
        f"hole {number}": f"{rng.randrange(2 + number % 5)}"
        for number in range(holes)
        if number % 2 or rng.random() < 0.5
    }


def test_one_pair_has_the_chance_of_the_hypergeometric_tail():
    first, second = study("aaaaabbbbbbbbbb", [0, 1, 2])
    assert (first.hole, first.value) == ("hole", "a")
    assert (first.chosen, first.of_chosen, first.count, first.of_count) == (3, 3, 5, 15)
    # Three of three a happen with comb(5, 3) / comb(15, 3), and three of three b are not so rare.
    assert first.p == pytest.approx(comb(5, 3) / comb(15, 3))
    assert first.p == pytest.approx(hypergeom.sf(2, 15, 5, 3))
    assert second.p == 1


def test_a_tail_counts_what_is_as_rare_as_what_was_seen():
    found = study("aaaabbbbbbbb", [0, 1, 2, 4])
    tail = (comb(4, 3) * comb(8, 1) + 1) / comb(12, 4)
    # Of b, four of four are as rare as comb(8, 4) / comb(12, 4) = .141, more than the tail of a, .067.
    assert found[0].p == pytest.approx(tail)


def test_equal_holes_pay_for_each_other_and_what_can_never_stand_out_costs_nothing():
    values = "aaaaabbbbbbbbbb"
    alone = study(values, [0, 1, 2])[0].p
    twice = commonalities([{"one": v, "two": v, "same": "s"} for v in values], [0, 1, 2])
    assert [each.p for each in twice[:2]] == pytest.approx([2 * alone, 2 * alone])
    assert {each.hole: each.p for each in twice}["same"] == 1


def test_the_second_is_corrected_for_what_is_left():
    candidates = [{"one": a, "two": b} for a, b in zip("aaabbbbbbbbbbbb", "ccccddddddddddd", strict=True)]
    first, second, *_ = commonalities(candidates, [0, 1, 2])
    one, two = 1 / comb(15, 3), comb(4, 3) / comb(15, 3)
    assert first.hole == "one"
    assert first.p == pytest.approx(one)  # a hole's c cannot be as rare: the least of its chances is two
    assert second.hole == "two"
    assert second.p == pytest.approx(two)


def test_a_value_within_a_branch_is_judged_within_it():
    wide = [{"family": "wide"} for _ in range(40)]
    deep = [{"family": "deep", "deep.kernel": "3" if n % 2 else "5"} for n in range(20)]
    found = {(each.hole, each.value): each for each in commonalities([*wide, *deep], range(41, 60, 3))}
    assert found["family", "deep"].p < 0.01
    assert found["deep.kernel", "3"].of_count == 20
    assert found["deep.kernel", "3"].p > 0.9


def test_noise_is_found_in_no_more_than_one_study_of_twenty():
    """Exactly at that rate for holes without conditions, so that fifty of a thousand are met give or take seven."""
    found = 0
    for trials, front in ((30, 4), (60, 7)):
        for seed in range(500):
            rng = random.Random(f"{trials} {seed}")
            candidates = [draw(rng, 12) for _ in range(trials)]
            found += any(each.p <= 0.05 for each in commonalities(candidates, rng.sample(range(trials), front)))
    assert found <= 50 + 2 * 7


@pytest.mark.parametrize(("trials", "front"), [(60, 7), (200, 12)])
def test_what_was_planted_is_found(trials, front):
    found = 0
    for seed in range(30):
        rng = random.Random(seed)
        candidates = [draw(rng, 12) for _ in range(trials)]
        good = [index for index, each in enumerate(candidates) if each["hole 3"] == "0"]  # one in five
        first = commonalities(candidates, rng.sample(good, min(front, len(good))))[0]
        found += (first.hole, first.value) == ("hole 3", "0") and first.p <= 0.05
    assert found >= 27


def test_nothing_chosen_or_nothing_there():
    assert commonalities([], []) == []
    assert all(each.p == 1 for each in study("aab", []))
