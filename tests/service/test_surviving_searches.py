"""Searches outlive the processes that drive and serve them: taken over, resumed, steered, and nothing done twice."""

import os
import signal
import time
from contextlib import suppress
from itertools import pairwise

import optuna
import psutil
import pytest
from optuna.trial import TrialState
from served import awaited, events, new_token, serve

from automl_kd.storage import Database, EventLog, SearchQueue

DRIVER = "automl_kd.workflows.search_driver"
RUNNER = "automl_kd.workflows.runner"


class Yard:
    """A folder with a database, a service without runners, and the runners that a test starts."""

    def __init__(self, command, folder, request):
        self.command, self.folder, self.request = command, folder, request
        self.token = new_token(command, folder, "ann")
        self.service = serve(command, folder, "--runners", "0")
        self.client = self.service.client(self.token)
        self.database = Database(str(folder / "automl-kd.db"))
        self.queue, self.log = SearchQueue(self.database), EventLog(self.database)
        self.runners = []

    def runner(self, *options):
        process = psutil.Process(self.command.start("runner", *options, cwd=self.folder).pid)
        self.runners.append(process)
        return process

    def submit(self, name, *pins, **options):
        asked = {**self.request, "study": name, **options}
        asked["pins"] = [*self.request["pins"], *pins]
        answer = self.client.post("/searches", json=asked)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def view(self, name):
        return self.client.get(f"/searches/{name}").json()

    def is_in(self, name, state, seconds=120):
        return awaited(lambda: (found := self.view(name))["state"] == state and found, seconds)

    def trials(self, name, state=TrialState.COMPLETE):
        """Trials in a state by number, with what they found."""
        with suppress(KeyError):
            study = optuna.load_study(study_name=name, storage=self.database.optuna())
            found = study.get_trials(deepcopy=False, states=(state,))
            return {each.number: (each.values, each.datetime_complete) for each in found}
        return {}

    def states(self, name):
        return [each.document for each in self.log.after(name, 0, 10_000) if each.kind == "state"]

    def close(self):
        self.client.close()
        for process in self.runners:
            with suppress(psutil.NoSuchProcess):
                process.resume()
                process.terminate()
        psutil.wait_procs(self.runners, 40)
        self.service.stop()


def children(process, module):
    """Processes below one that run a module."""
    with suppress(psutil.Error):
        return [each for each in process.children(recursive=True) if module in _words(each)]
    return []


def _words(process):
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def driver_of(process, seconds=60):
    return awaited(lambda: children(process, DRIVER), seconds, pause=0.02)[0]


@pytest.fixture(scope="module")
def yard(command, few, digits_teacher, tmp_path_factory):
    pins = [word for flag, word in pairwise(few) if flag == "--set"]
    request = {"hw": "jetson-nano", "task": "digits", "device": "cpu", "budget": "20m", "workers": 4, "pins": pins}
    found = Yard(command, tmp_path_factory.mktemp("yard"), request)
    yield found
    found.close()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_search_goes_on_when_its_driver_its_runner_and_its_service_are_killed(yard):
    first = yard.runner("--cores", "1")
    yard.submit("steady")
    kept = awaited(lambda: yard.trials("steady"))

    os.kill(driver_of(first).pid, signal.SIGKILL)
    more = awaited(lambda: len(found := yard.trials("steady")) > len(kept) and found)
    assert more.items() >= kept.items()

    second = serve(yard.command, yard.folder, "--runners", "1", "--cores", "1")
    server = psutil.Process(second.process.pid)
    own = awaited(lambda: children(server, RUNNER))[0]
    first.kill()
    awaited(lambda: (yard.queue.search("steady").runner or "").endswith(f" {own.pid}"))
    driver = driver_of(own)

    server.kill()
    psutil.wait_procs([own, driver], 40)
    assert not own.is_running()
    assert not driver.is_running()
    assert yard.is_in("steady", "queued")["reason"]
    third = serve(yard.command, yard.folder, "--runners", "1", "--cores", "1")
    done = yard.is_in("steady", "done", 300)
    assert third.stop() == 0

    trials = yard.trials("steady")
    assert trials.items() >= more.items(), "what was finished stays as it was"
    assert done["reason"] is None
    result = yard.client.get("/searches/steady/result").json()
    assert result["trials"]["complete"] == len(trials)
    recipes = [str(each["recipe"]) for each in result["complete"]]
    assert len(set(recipes)) == len(recipes), "no candidate was trained twice"
    assert not yard.trials("steady", TrialState.RUNNING)
    states = yard.states("steady")
    assert [each["state"] for each in states] == [*(4 * ["queued", "running"]), "done"]
    reasons = [each["reason"] for each in states if "reason" in each]
    assert reasons[0] == "its process ended by signal 9"
    assert reasons[1].endswith("died")
    assert reasons[2] == "its runner was stopped"
    told = yard.log.after("steady", 0, 100_000)
    assert [each.number for each in told] == list(range(1, len(told) + 1))
    progress = [each.document for each in told if each.kind == "progress"]
    assert max(each["counts"].get("running", 0) for each in progress) == 1, "no more than its cores allow"
    heard = events(yard.client, "steady", after=3, until=len(told))
    assert [each[0] for each in heard] == list(range(4, len(told) + 1))


@pytest.mark.timeout(600)
def test_a_running_search_is_extended_cancelled_resumed_and_taken_over_and_its_trials_ended(yard):
    runner = yard.runner("--cores", "1")
    yard.submit("long", "search_epochs=90000", budget="20h")
    name = "/searches/long"
    trains = awaited(lambda: [n for n, each in yard.trials("long", TrialState.RUNNING).items()])
    awaited(lambda: (yard.view("long")["progress"] or {}).get("phase") == "search")
    assert yard.client.post(f"{name}/extend", json={"by": "1h"}).json()["budget"] == 21 * 3600
    awaited(lambda: "the budget is 21 h" in str(yard.log.latest("long", "note")))
    assert yard.client.post(f"{name}/trials/{trains[0]}/end").status_code == 200
    awaited(lambda: trains[0] in yard.trials("long", TrialState.PRUNED))

    assert yard.client.post(f"{name}/resume").status_code == 409
    stopping = yard.client.post(f"{name}/cancel").json()
    assert (stopping["state"], stopping["stopping"]) == ("running", True)
    assert not yard.is_in("long", "cancelled")["stopping"]
    awaited(lambda: not children(runner, DRIVER))
    assert yard.client.post(f"{name}/extend", json={"by": "1h"}).status_code == 409
    assert yard.client.post(f"{name}/cancel").status_code == 409

    assert yard.client.post(f"{name}/resume").json()["state"] in ("queued", "running")
    yard.is_in("long", "running")
    awaited(lambda: driver_of(runner) and yard.trials("long", TrialState.RUNNING))
    assert trains[0] in yard.trials("long", TrialState.PRUNED)
    second = yard.runner("--cores", "1")
    runner.kill()
    awaited(lambda: (yard.queue.search("long").runner or "").endswith(f" {second.pid}"))
    driver_of(second)
    second.terminate()  # hands it back; it was not done
    assert yard.is_in("long", "queued")["reason"] == "its runner was stopped"
    psutil.wait_procs([second], 40)
    assert yard.client.post(f"{name}/cancel").json()["state"] == "cancelled"


def test_a_search_whose_driver_dies_three_times_without_getting_anywhere_has_failed(yard):
    runner = yard.runner("--cores", "1")
    yard.submit("deadly")
    for _ in range(3):
        driver = driver_of(runner)
        os.kill(driver.pid, signal.SIGKILL)
        awaited(lambda driver=driver: not driver.is_running())
    failed = yard.is_in("deadly", "failed")
    assert failed["reason"] == (
        "its process died 3 times in a row without getting anywhere: its process ended by signal 9"
    )
    assert yard.client.post("/searches/deadly/resume").json()["state"] == "queued"
    assert yard.client.post("/searches/deadly/cancel").status_code == 200
    runner.terminate()


def test_a_mistake_that_shows_only_once_data_are_read_fails_with_the_commands_line(yard):
    runner = yard.runner("--cores", "1")
    yard.submit("wrong", max_latency="0.001us")
    reason = yard.is_in("wrong", "failed")["reason"]
    assert "limit" in reason
    assert "fault of automl-kd" not in reason
    runner.terminate()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_runner_that_stands_still_is_waited_for_then_replaced_and_writes_nothing_when_it_goes_on(yard):
    first = yard.runner("--cores", "1")
    yard.submit("still", "search_epochs=90000", budget="20h")
    awaited(lambda: yard.trials("still", TrialState.RUNNING))
    stopped = [first, *first.children(recursive=True)]
    for process in stopped:
        process.suspend()
    claim = yard.queue.search("still").claim
    second = yard.runner("--cores", "1")
    time.sleep(15)
    assert yard.queue.search("still").claim == claim, "not before it was silent for long"
    awaited(lambda: yard.queue.search("still").claim not in (claim, None))
    held = yard.queue.search("still")
    before = yard.trials("still", TrialState.RUNNING)
    for process in stopped:
        process.resume()
    awaited(lambda: not children(first, DRIVER) or yard.queue.search("still").claim != held.claim)
    told = [each.document for each in yard.log.after("still", 0, 10_000) if each.kind == "state"]
    assert [each["state"] for each in told] == ["queued", "running", "queued", "running"]
    awaited(lambda: yard.trials("still", TrialState.RUNNING))
    assert yard.trials("still", TrialState.RUNNING).keys() >= before.keys()
    assert yard.client.post("/searches/still/cancel").status_code == 200
    yard.is_in("still", "cancelled")
    for process in (first, second):
        process.terminate()
