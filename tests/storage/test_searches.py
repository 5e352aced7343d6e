"""The queue of searches and their events, on SQLite and on PostgreSQL, under any order of calls and many at once."""

import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from automl_kd.core import UserError
from automl_kd.storage import (
    Database,
    DatabaseFailedError,
    EventLog,
    NameTakenError,
    QueueFullError,
    SearchClaims,
    SearchQueue,
    WrongStateError,
)

TABLES = ("akd_searches", "akd_events", "akd_queue")
MOST = 4


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Database(str(tmp_path / "automl-kd.db"))
    return emptied(Database(request.getfixturevalue("postgres").url))


@pytest.fixture
def queue(database):
    return SearchQueue(database)


@pytest.fixture
def claims(database):
    return SearchClaims(database)


@pytest.fixture
def log(database):
    return EventLog(database)


def emptied(database):
    for table in TABLES:
        database.served().transact(lambda session, table=table: session.execute(text(f"DELETE FROM {table}")))
    return database


def submit(queue, name, owner="ann", **options):
    return queue.submit(name, owner, {"hw": "jetson-nano"}, 60.0, **({"priority": 5, "most": 100} | options))


def told(log, name):
    """All events of a search; their numbers have no gap."""
    found = log.after(name, 0, 100_000)
    assert [each.number for each in found] == list(range(1, len(found) + 1))
    return found


class Queue(RuleBasedStateMachine):
    """Any order of what owners and runners do, beside a model of what must come of it."""

    names = st.sampled_from([f"s{number}" for number in range(6)])
    owners = st.sampled_from(["ann", "bob", "cid"])

    @initialize()
    def begin(self):
        emptied(self.database)
        self.queue, self.log = SearchQueue(self.database), EventLog(self.database)
        self.runners = SearchClaims(self.database)
        self.states, self.claims, self.budgets, self.owned, self.events = {}, {}, {}, {}, Counter()
        self.deaths, self.stopping, self.waiting = Counter(), set(), []
        self.lost = []

    def enqueue(self, name):
        self.states[name] = "queued"
        self.claims.pop(name, None)
        self.stopping.discard(name)
        self.waiting.append(name)

    def active(self, owner):
        return sum(self.owned[name] == owner and state in ("queued", "running") for name, state in self.states.items())

    @rule(name=names, owner=owners, priority=st.integers(0, 9))
    def submit(self, name, owner, priority):
        try:
            submit(self.queue, name, owner, priority=priority, most=MOST)
        except NameTakenError:
            assert name in self.states
        except QueueFullError:
            assert self.active(owner) >= MOST
        else:
            assert name not in self.states
            assert self.active(owner) < MOST
            self.owned[name], self.budgets[name] = owner, 60.0
            self.enqueue(name)
            self.events[name] += 1

    def turns(self):
        """Those that wait in the order in which they are to be taken if none that runs ends."""
        rows = {each.name: each for each in self.queue.searches()}
        running = Counter(self.owned[name] for name, state in self.states.items() if state == "running")
        left, found = list(self.waiting), []
        while left:
            urgent = max(rows[name].priority for name in left)
            equal = [name for name in left if rows[name].priority == urgent]
            found.append(min(equal, key=lambda name: running[self.owned[name]]))  # the first, who waits longest
            running[self.owned[found[-1]]] += 1
            left.remove(found[-1])
        return found

    @rule()
    def take(self):
        turns = self.turns()
        found = self.runners.take("host 1")
        expected = next(iter(turns), None)
        if found is None:
            assert expected is None
            return
        assert found.name == expected
        self.waiting.remove(found.name)
        self.states[found.name], self.claims[found.name] = "running", found.claim
        self.events[found.name] += 1

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), finished=st.booleans())
    def beat(self, data, finished):
        name = data.draw(st.sampled_from(sorted(self.claims)))
        found = self.runners.beat(name, self.claims[name])
        assert (found.budget, found.cancelled) == (self.budgets[name], name in self.stopping)
        if finished:
            self.runners.progressed(name, self.claims[name])
            self.deaths[name] = 0

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), state=st.sampled_from(["done", "failed", "cancelled"]), stale=st.booleans())
    def finish(self, data, state, stale):
        name = data.draw(st.sampled_from(sorted(self.claims)))
        budget = self.budgets[name] - (5.0 if stale else 0.0)
        assert self.runners.finish(name, self.claims[name], state, budget=budget)
        self.lost.append((name, self.claims[name]))
        self.events[name] += 1
        self.deaths[name] = 0
        if state == "done" and stale and name not in self.stopping:
            self.enqueue(name)
        else:
            self.states[name] = state
            self.claims.pop(name)
            self.stopping.discard(name)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), died=st.booleans())
    def hand_back(self, data, died):
        name = data.draw(st.sampled_from(sorted(self.claims)))
        assert self.runners.hand_back(name, self.claims[name], "its runner died", died=died)
        self.lost.append((name, self.claims[name]))
        self.events[name] += 1
        self.deaths[name] += died
        if name in self.stopping:
            self.states[name] = "cancelled"
            self.claims.pop(name)
            self.stopping.discard(name)
        elif self.deaths[name] >= 3:
            self.states[name] = "failed"
            self.claims.pop(name)
            assert "3 times in a row" in self.queue.search(name).reason
        else:
            self.enqueue(name)

    @precondition(lambda self: self.lost)
    @rule(data=st.data())
    def whoever_lost_a_claim_changes_nothing(self, data):
        name, claim = data.draw(st.sampled_from(self.lost))
        before = self.queue.search(name)
        assert self.runners.beat(name, claim) is None
        assert not self.runners.finish(name, claim, "done")
        assert not self.runners.hand_back(name, claim, "late", died=True)
        assert not self.log.add(name, "note", {}, claim)
        assert self.queue.search(name) == before

    @rule(name=names)
    def cancel(self, name):
        state = self.states.get(name)
        try:
            self.queue.cancel(name)
        except WrongStateError:
            assert state in ("done", "failed", "cancelled")
        except UserError:
            assert state is None
        else:
            if state == "running":
                self.stopping.add(name)
            else:
                assert state == "queued"
                self.waiting.remove(name)
                self.states[name] = "cancelled"
            self.events[name] += 1

    @rule(name=names)
    def resume(self, name):
        state = self.states.get(name)
        try:
            self.queue.resume(name, most=MOST)
        except WrongStateError:
            assert state in ("queued", "running", "done")
        except QueueFullError:
            assert self.active(self.owned[name]) >= MOST
        except UserError:
            assert state is None
        else:
            assert state in ("failed", "cancelled")
            self.deaths[name] = 0
            self.enqueue(name)
            self.events[name] += 1

    @rule(name=names, seconds=st.integers(1, 9))
    def extend(self, name, seconds):
        state = self.states.get(name)
        try:
            self.queue.extend(name, seconds, most=MOST)
        except WrongStateError:
            assert state in ("failed", "cancelled")
        except QueueFullError:
            assert state == "done"
            assert self.active(self.owned[name]) >= MOST
        except UserError:
            assert state is None
        else:
            self.budgets[name] += seconds
            self.events[name] += 1
            if state == "done":
                self.enqueue(name)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), kind=st.sampled_from(["progress", "front", "note"]))
    def tell(self, data, kind):
        name = data.draw(st.sampled_from(sorted(self.claims)))
        assert self.log.add(name, kind, {"seconds": float("inf")}, self.claims[name])
        self.events[name] += 1
        assert self.log.latest(name, kind).number == self.events[name]

    @invariant()
    def nothing_is_lost_or_doubled(self):
        rows = {each.name: each for each in self.queue.searches()}
        assert {name: each.state for name, each in rows.items()} == self.states
        assert {name: each.claim for name, each in rows.items() if each.claim} == self.claims
        assert {name: each.budget for name, each in rows.items()} == self.budgets
        assert {name: each.events for name, each in rows.items()} == self.events
        assert {name: len(told(self.log, name)) for name in rows} == self.events
        assert {each.name for each in self.runners.running()} == self.claims.keys()
        counted = Counter(self.states.values())
        assert self.queue.counts() == counted
        assert self.queue.positions() == {name: place for place, name in enumerate(self.turns(), start=1)}
        assert Counter(each.owner for each in self.queue.searches("ann")).keys() <= {"ann"}
        for name, each in rows.items():
            last = [one for one in told(self.log, name) if one.kind == "state"][-1]
            assert last.document["state"] == each.state


@pytest.mark.parametrize("examples", [8, pytest.param(300, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_whatever_owners_and_runners_do_nothing_is_lost_and_no_search_has_two_claims(database, examples):
    machine = type("Machine", (Queue,), {"database": database})
    chosen = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)


def test_the_more_urgent_comes_first_then_who_came_first(queue, claims):
    for name, priority in [("a", 5), ("b", 9), ("c", 5), ("d", 0), ("e", 9)]:
        submit(queue, name, priority=priority)
    assert queue.positions() == {"b": 1, "e": 2, "a": 3, "c": 4, "d": 5}
    assert [claims.take("host 1").name for _ in range(5)] == ["b", "e", "a", "c", "d"]
    assert claims.take("host 1") is None


def test_who_submits_many_searches_does_not_keep_others_waiting(queue, claims):
    for number in range(40):
        submit(queue, f"ann-{number:02}")
    for number in range(2):
        submit(queue, f"bob-{number}", "bob")
    submit(queue, "urgent", priority=6)
    order = ["urgent", "bob-0", "ann-00", "bob-1", "ann-01", "ann-02"]
    assert sorted(queue.positions(), key=queue.positions().get)[:6] == order
    taken = [claims.take("host 1") for _ in range(4)]
    assert [each.name for each in taken] == order[:4]
    claims.finish("ann-00", taken[2].claim, "done")
    claims.finish("urgent", taken[0].claim, "done")
    submit(queue, "bob-2", "bob")
    assert [claims.take("host 1").name for _ in range(4)] == ["ann-01", "ann-02", "ann-03", "bob-2"]


def test_what_comes_back_waits_behind_its_equals(queue, claims):
    for name in ("a", "b"):
        submit(queue, name)
    first = claims.take("host 1")
    claims.hand_back("a", first.claim, "its runner was stopped", died=False)
    assert [claims.take("host 2").name for _ in range(2)] == ["b", "a"]


def test_many_threads_take_every_search_once_and_tell_of_it_without_a_gap(queue, claims, log):
    for number in range(24):
        submit(queue, f"s{number}")

    def work(runner):
        taken = []
        while (found := claims.take(f"host {runner}")) is not None:
            taken.append(found.name)
            for _ in range(3):
                assert log.add(found.name, "progress", {"phase": "search"}, found.claim)
                assert claims.beat(found.name, found.claim)
            assert claims.finish(found.name, found.claim, "done")
        return taken

    with ThreadPoolExecutor(8) as threads:
        taken = [name for each in threads.map(work, range(8)) for name in each]
    assert sorted(taken) == sorted(f"s{number}" for number in range(24))
    for name in taken:
        assert [each.document.get("state") for each in told(log, name) if each.kind == "state"] == [
            "queued",
            "running",
            "done",
        ]
        assert len(told(log, name)) == 6


def test_processes_that_take_and_submit_at_once_share_the_queue(database, queue, log):
    for number in range(12):
        submit(queue, f"s{number}")
    script = (
        "import sys\n"
        "from automl_kd.storage import Database, SearchClaims, SearchQueue\n"
        "database = Database(sys.argv[1])\n"
        "queue, claims = SearchQueue(database), SearchClaims(database)\n"
        "queue.submit(f'own-{sys.argv[2]}', 'bob', {}, 60.0, priority=1, most=9)\n"
        "while (found := claims.take(sys.argv[2])) is not None:\n"
        "    print(found.name)\n"
        "    assert claims.finish(found.name, found.claim, 'done')\n"
    )
    url = database.url
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, url, str(number)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], ended
    taken = [name for out, _ in ended for name in out.split()]
    assert sorted(taken) == sorted([*(f"s{n}" for n in range(12)), "own-0", "own-1", "own-2"])
    assert queue.counts() == {"done": 15}
    assert all(len(told(log, name)) == 3 for name in taken)


def test_listeners_see_every_event_while_several_write(queue, claims, log):
    submit(queue, "busy")
    claim = claims.take("host 1").claim
    over, seen = threading.Event(), []

    def listen():
        last = 0
        while True:
            ended = over.is_set()
            for each in log.after("busy", last, 7):
                seen.append(each.number)
                last = each.number
            if ended and last == log.last_numbers(["busy", "nothing"])["busy"]:
                return

    listener = threading.Thread(target=listen)
    listener.start()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda number: log.add("busy", "note", {"text": str(number)}, claim), range(120)))
    over.set()
    listener.join(60)
    assert seen == list(range(1, 123))
    assert Counter(each.document.get("text") for each in told(log, "busy")).most_common(1)[0][1] == 2  # no text: states


def test_only_the_last_of_a_kind_is_asked_for(queue, log):
    for name in ("a", "b", "c"):
        submit(queue, name)
    for number in range(3):
        log.add("a", "progress", {"spent": number})
        log.add("b", "note", {"text": "x"})
    found = log.latest_of(["a", "b", "c", "none"], "progress")
    assert {name: each.document for name, each in found.items()} == {"a": {"spent": 2}}
    assert log.latest("b", "front") is None


@pytest.fixture
def served(postgres):
    return emptied(Database(postgres.url))


def cutting(database, statement, times=1):
    """Cut the connection right after a commit that held such a statement: it was stored, and the answer is lost."""
    held, cut = set(), []

    @event.listens_for(database._engine, "after_cursor_execute")
    def note(connection, cursor, sql, *_):
        if statement in " ".join(sql.split()):
            held.add(id(connection.connection.dbapi_connection))

    @event.listens_for(database._engine, "commit")
    def lose(connection):
        raw = connection.connection.dbapi_connection
        if id(raw) in held and len(cut) < times:
            held.discard(id(raw))
            cut.append(statement)
            raw.commit()
            raw.close()
            raise DBAPIError(statement, {}, Exception("cut"), connection_invalidated=True)

    return cut


@pytest.mark.parametrize(
    "call",
    [
        lambda queue, claims, log, claim: submit(queue, "new"),
        lambda queue, claims, log, claim: claims.take("host 2"),
        lambda queue, claims, log, claim: queue.extend("one", 7, most=9),
        lambda queue, claims, log, claim: claims.finish("one", claim, "done"),
        lambda queue, claims, log, claim: claims.hand_back("one", claim, "died", died=True),
        lambda queue, claims, log, claim: log.add("one", "note", {"text": "x"}, claim),
        lambda queue, claims, log, claim: queue.cancel("two"),
    ],
    ids=["submit", "take", "extend", "finish", "hand back", "tell", "cancel"],
)
def test_what_was_stored_while_the_answer_was_lost_is_not_stored_twice(served, call):
    queue, claims, log = SearchQueue(served), SearchClaims(served), EventLog(served)
    submit(queue, "one")
    submit(queue, "two")
    claim = claims.take("host 1").claim
    before = sum(each.events for each in queue.searches())
    cut = cutting(served, "UPDATE akd_searches SET events=")
    call(queue, claims, log, claim)
    assert len(cut) == 1
    rows = queue.searches()
    assert sum(each.events for each in rows) == before + 1
    for each in rows:
        assert len(told(log, each.name)) == each.events
    assert queue.search("one").budget in (60.0, 67.0)
    assert len([each for each in rows if each.claim]) in (0, 1, 2)


def test_a_server_that_restarts_under_runners_and_owners_loses_and_doubles_nothing(postgres, served):
    queue, claims, log = SearchQueue(served), SearchClaims(served), EventLog(served)
    over, taken, told_of = threading.Event(), [], Counter()

    def own():
        for number in range(40):
            submit(queue, f"s{number}")
            time.sleep(0.05)

    def run(runner):
        while not over.is_set():
            found = claims.take(f"host {runner}")
            if found is None:
                time.sleep(0.05)
                continue
            taken.append(found.name)
            for number in range(3):
                assert log.add(found.name, "note", {"text": str(number)}, found.claim)
            assert claims.finish(found.name, found.claim, "done")

    threads = [threading.Thread(target=run, args=(runner,)) for runner in range(4)]
    owner = threading.Thread(target=own)
    for thread in (owner, *threads):
        thread.start()
    time.sleep(0.7)
    postgres.control("restart")
    owner.join(120)
    end = time.monotonic() + 60
    while queue.counts() != {"done": 40} and time.monotonic() < end:
        time.sleep(0.2)
    over.set()
    for thread in threads:
        thread.join(60)
    assert queue.counts() == {"done": 40}
    assert sorted(taken) == sorted(f"s{number}" for number in range(40)), told_of
    for name in taken:
        assert [each.document.get("text") for each in told(log, name) if each.kind == "note"] == ["0", "1", "2"]


def test_a_database_that_stays_away_is_told_as_that(postgres, monkeypatch):
    monkeypatch.setattr("automl_kd.storage.reconnecting._OUTAGE_SECONDS", 1.0)
    queue = SearchQueue(Database(postgres.url))
    queue.counts()
    postgres.control("stop")
    try:
        with pytest.raises(DatabaseFailedError) as error:
            queue.counts()
    finally:
        postgres.control("start")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    queue.counts()
