"""What listeners are told: every event once, in order, from wherever they went away."""

import re
import threading

import pytest
from served import TINY, awaited, events
from test_who_may import problem

from automl_kd.storage import Database, EventLog, SearchQueue


@pytest.fixture
def told(served, alice, request):
    """A search of which the test tells, as its runner would."""
    name = request.node.name.replace("[", "-").strip("]")[:100]
    assert alice.post("/searches", json={**TINY, "study": name, "budget": "1h"}).status_code == 201
    log = EventLog(Database(str(served.folder / "automl-kd.db")))
    return name, lambda number: log.add(name, "note", {"text": str(number)})


def test_events_are_numbered_from_one_and_go_on_behind_the_last_that_was_seen(alice, told):
    name, tell = told
    for number in range(2, 12):
        tell(number)
    found = events(alice, name, until=11)
    assert [each[0] for each in found] == list(range(1, 12))
    assert [each[1] for each in found] == ["state", *(10 * ["note"])]
    assert found[0][2]["state"] == "queued"
    assert all(each[2]["time"] > 0 for each in found)
    assert [each[0] for each in events(alice, name, after=4, until=11)] == list(range(5, 12))
    with alice.stream("GET", f"/searches/{name}/events", params={"after": 10}) as stream:
        assert next(stream.iter_lines()) == "id: 11"
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert "no-store" in stream.headers["cache-control"]


def test_a_listener_that_comes_and_goes_misses_and_repeats_nothing(alice, told):
    name, tell = told
    last, seen = 0, []
    for number in range(2, 30):
        tell(number)
        if number % 4 == 1:
            found = events(alice, name, after=last, until=number)
            seen += [each[0] for each in found]
            last = seen[-1]
    assert seen == list(range(1, 30))


def test_every_one_of_many_listeners_sees_all_while_it_happens(served, told):
    name, tell = told
    seen = [[] for _ in range(25)]

    def listen(mine, after):
        with served.client(served.tokens["looker"]) as client:
            mine += [each[0] for each in events(client, name, after=after or None, until=60)]

    threads = [threading.Thread(target=listen, args=(mine, at % 3)) for at, mine in enumerate(seen)]
    for thread in threads:
        thread.start()
    writers = [threading.Thread(target=lambda at=at: [tell(number) for number in range(at, 61, 3)]) for at in (2, 3, 4)]
    for thread in writers:
        thread.start()
    for thread in (*writers, *threads):
        thread.join(60)
    for at, mine in enumerate(seen):
        assert mine == list(range(at % 3 + 1, 61))


def test_a_long_history_is_read_whole_by_who_comes_late(alice, told):
    name, tell = told
    for number in range(2, 1300):
        tell(number)
    assert [each[0] for each in events(alice, name, until=1299, most=2000)] == list(range(1, 1300))


def test_steering_is_told_to_listeners(alice, told):
    name, _ = told
    alice.post(f"/searches/{name}/extend", json={"by": "30m"})
    alice.post(f"/searches/{name}/cancel")
    alice.post(f"/searches/{name}/resume")
    found = [each[2] for each in events(alice, name, until=4)]
    assert [each["state"] for each in found] == ["queued", "queued", "cancelled", "queued"]
    assert found[1]["budget"] == 5400


def test_the_events_of_another_owner_or_of_no_search_are_not_found(bob, told):
    name, _ = told
    assert problem(bob.get(f"/searches/{name}/events"), 404)
    assert problem(bob.get("/searches/none/events"), 404)


def test_what_is_measured_counts_listeners_and_searches(served, alice, boss, told):
    def listeners():
        return float(re.search(r"^automl_kd_listeners (\S+)", boss.get("/metrics").text, re.MULTILINE)[1])

    name, _ = told
    before = listeners()
    with alice.stream("GET", f"/searches/{name}/events") as stream:
        lines = stream.iter_lines()  # held, because the connection ends with it
        next(lines)
        awaited(lambda: listeners() > before)
        measured = boss.get("/metrics").text
    awaited(lambda: listeners() <= before)
    queued = SearchQueue(Database(str(served.folder / "automl-kd.db"))).counts()["queued"]
    assert f'automl_kd_searches{{state="queued"}} {float(queued)}' in measured
    assert 'automl_kd_requests_total{method="POST",route="/searches",status="201"}' in measured
