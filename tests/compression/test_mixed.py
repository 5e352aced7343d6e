"""The choice of layers: as good as the best of all choices, whatever borders cost."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.compression import fastest, least_loss

LOSSES = st.one_of(st.just(0.0), st.floats(1e-6, 10))
TIMES = st.floats(0.01, 10)


@st.composite
def chains(draw):
    """Losses of blocks in integers, and a price: each block in either form, each border by what is on its sides."""
    losses = draw(st.lists(LOSSES, min_size=1, max_size=6))
    blocks = [draw(st.tuples(TIMES, TIMES)) for _ in losses]
    borders = [draw(st.tuples(TIMES, TIMES, TIMES, TIMES)) for _ in losses[1:]]

    def prices(assignments):
        return [
            sum(times[form] for times, form in zip(blocks, each, strict=True))
            + sum(times[2 * a + b] for times, (a, b) in zip(borders, itertools.pairwise(each), strict=True))
            for each in assignments
        ]

    return losses, prices


def every(losses, prices):
    found = list(itertools.product((True, False), repeat=len(losses)))
    lost = [sum(loss for loss, integer in zip(losses, each, strict=True) if integer) for each in found]
    return dict(zip(found, zip(prices(found), lost, strict=True), strict=True))


@settings(deadline=None, max_examples=50)
@given(chains(), st.floats(0, 1))
def test_of_what_a_limit_allows_it_loses_least(chain, share):
    losses, prices = chain
    points = every(losses, prices)
    low, high = min(ms for ms, _ in points.values()), max(ms for ms, _ in points.values())
    limit = low + share * (high - low) + 1e-9
    chosen = least_loss(losses, prices, limit)
    assert points[chosen][0] <= limit
    best = min(lost for ms, lost in points.values() if ms <= max(limit - 1e-8, low))
    assert points[chosen][1] <= best + 1e-9


@settings(deadline=None, max_examples=50)
@given(chains(), st.floats(0, 1))
def test_of_what_a_loss_allows_it_is_fastest(chain, share):
    losses, prices = chain
    points = every(losses, prices)
    bound = share * sum(losses)
    chosen = fastest(losses, prices, bound)
    assert points[chosen][1] <= bound + 1e-9
    assert points[chosen][0] <= min(ms for ms, lost in points.values() if lost <= bound - 1e-9 or not lost) + 1e-8
    assert points[fastest(losses, prices)][0] <= min(ms for ms, _ in points.values()) + 1e-8


def test_a_limit_that_nothing_keeps_has_no_answer():
    assert least_loss([1.0, 1.0], lambda found: [5.0 + each.count(False) for each in found], 4.9) is None


@pytest.mark.parametrize("limit", [1.9, 2.5, 10.0])
def test_what_does_not_fit_the_memory_is_never_chosen(limit):
    # Floats take the memory of two blocks, and there is memory for four in all.
    def prices(found):
        return [math.inf if each.count(False) > 1 or not each[0] else 1.0 + each.count(False) for each in found]

    chosen = least_loss([9.0, 1.0, 2.0], prices, limit)
    assert chosen == ((True, True, True) if limit < 2 else (True, True, False))


def test_a_block_that_floats_compute_faster_stays_in_floats():
    assert fastest([0.0, 0.0], lambda found: [2.0 if each[0] else 1.0 for each in found])[0] is False


def test_seventy_layers_take_no_time():
    def prices(found):
        return [
            sum((1.0 + at * 0.37 % 1) * (1 if integer else 3) for at, integer in enumerate(each))
            + 0.1 * sum(a != b for a, b in itertools.pairwise(each))
            for each in found
        ]

    losses = [(at * 0.73 % 1) ** 4 for at in range(70)]
    chosen = least_loss(losses, prices, 150.0)
    assert prices([chosen])[0] <= 150.0
    assert 0 < sum(chosen) < 70
