"""What a budget holds, as it looks by what trainings took so far."""

import time

from automl_kd.execution.jobs import Trained
from automl_kd.studies.clock import Clock
from automl_kd.studies.time_plan import TimePlan

SECONDS = 15.0


def test_where_the_first_trainings_were_dear_no_dearer_ones_are_still_trained(open_store, propose_for, pricing):
    store = open_store()
    source = propose_for(store)
    seen = sorted((source.next() for _ in range(6)), key=lambda each: each.price.flops)
    plan = TimePlan(store, Clock({"search": 3 * SECONDS}, 10 * SECONDS, time.monotonic()), {}, 1000, 1)
    before = [plan.affordable(each.recipe, pricing.price([each.recipe])[0]) for each in seen]
    for each in seen[1::2]:  # each took so long that four of them are more than the search
        store.arrive(each, 0, Trained(score=0.5, error=0.1, values={}, epoch=3, seconds=SECONDS, between=None))
    after = [plan.affordable(each.recipe, pricing.price([each.recipe])[0]) for each in seen]
    assert all(before)
    assert after == [True] * 4 + [False] * 2
