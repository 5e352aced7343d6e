"""One driver a study: refused while another lives, taken over at once when it is dead."""

import signal
import subprocess
import sys
import threading
import time

import optuna
import psutil
import pytest
from sqlalchemy import text

from automl_kd.core import UserError
from automl_kd.storage import Database
from automl_kd.storage.tables import LeaseRow

_HOLD = """
import sys
from automl_kd.storage import Database
with Database(sys.argv[1]).lease("cam"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path):
    return Database(str(tmp_path / "automl-kd.db"))


@pytest.fixture
def holder(database):
    """A process that drives the study until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, database.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def leases(database):
    return database.transact(lambda session: session.execute(text("SELECT study, host, pid FROM akd_leases")).all())


@pytest.fixture
def hasty(monkeypatch):
    """Hearts are watched for a moment only."""
    monkeypatch.setattr("automl_kd.storage.lease._WATCH_SECONDS", 1.0)


def hold_from_another_host(database, heartbeat):
    row = LeaseRow(study="cam", owner="them", host="another-machine", pid=1, heartbeat=heartbeat)
    database.transact(lambda session: session.merge(row))


def test_a_second_process_is_refused_by_name_while_the_first_lives(database, holder):
    with (
        pytest.raises(UserError, match=f"study cam in .* is being searched by process {holder.pid}"),
        database.lease("cam"),
    ):
        pass
    assert [row.pid for row in leases(database)] == [holder.pid]


def test_asking_who_drives_a_study_takes_nothing(database, holder):
    with pytest.raises(UserError, match=f"is being searched by process {holder.pid}"):
        database.refuse_if_driven("cam")
    database.refuse_if_driven("other")
    assert [row.study for row in leases(database)] == ["cam"]


def test_another_study_of_the_same_database_is_free(database, holder):
    with database.lease("other"):
        assert {row.study for row in leases(database)} == {"cam", "other"}


def test_a_lease_is_given_back_at_its_end(database, holder):
    holder.communicate("", timeout=60)
    assert leases(database) == []
    with database.lease("cam") as lease:
        lease.beat()


def test_the_lease_of_a_killed_process_is_taken_over_at_once(database, holder):
    holder.kill()
    holder.wait()
    assert len(leases(database)) == 1, "kill -9 leaves the lease behind"
    with database.lease("cam") as lease:
        lease.beat()


def test_the_lease_of_a_dead_process_whose_number_was_given_to_another_is_taken_over(database, holder, hasty):
    long_before = time.time() - 10_000  # that process began
    database.transact(lambda session: setattr(session.get(LeaseRow, "cam"), "heartbeat", long_before))
    with database.lease("cam") as lease:
        lease.beat()


def test_a_holder_on_another_host_is_respected_until_its_heartbeat_is_old(database, hasty):
    hold_from_another_host(database, time.time() - 5)
    with pytest.raises(UserError, match="on another-machine"), database.lease("cam"):
        pass
    hold_from_another_host(database, time.time() - 3600)
    with database.lease("cam") as lease:
        lease.beat()


@pytest.mark.parametrize("wrong", [-86_400, 86_400])
def test_a_holder_whose_clock_is_wrong_is_respected_as_long_as_its_heart_beats(database, monkeypatch, wrong):
    monkeypatch.setattr("automl_kd.storage.lease._WATCH_SECONDS", 20.0)
    hold_from_another_host(database, time.time() + wrong)
    beat = threading.Timer(1.0, hold_from_another_host, [database, time.time() + wrong + 1])
    beat.start()
    with pytest.raises(UserError, match="on another-machine"), database.lease("cam"):
        pass
    beat.join()


def test_who_lost_its_lease_is_told_at_its_next_heartbeat(database):
    with database.lease("cam") as lease:
        hold_from_another_host(database, time.time())
        with pytest.raises(UserError, match="study cam was taken over by another process"):
            lease.beat()
    assert [row.host for row in leases(database)] == ["another-machine"], "the loser leaves the new holder's lease"


_RACE = """
import sys, time
from automl_kd.core.errors import UserError
from automl_kd.storage import Database
database = Database(sys.argv[1])
sys.stdin.read(1)
try:
    with database.lease("cam"):
        print("held", flush=True)
        sys.stdin.read()
except UserError:
    print("refused", flush=True)
"""


def test_of_several_processes_that_want_a_study_at_once_one_gets_it(database):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _RACE, database.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        process.stdin.write("g")
        process.stdin.flush()
    said = sorted(process.stdout.readline() for process in processes)
    for process in processes:
        process.communicate("")
    assert said == ["held\n", "refused\n", "refused\n"]


_WRITER = """
import sys, optuna
from automl_kd.core.errors import UserError
from automl_kd.storage import Database, StudyRecord
database = Database(sys.argv[1])
with database.lease("cam") as lease:
    storage = database.optuna()
    study = optuna.create_study(study_name="cam", storage=storage)
    trial = study.ask()
    writes = {
        "beat": lease.beat,
        "seconds": lambda: database.save_seconds("cam", {"search": 7.0}),
        "study": lambda: database.save_study(StudyRecord("cam", {}, {}, 60.0, {"search": 7.0})),
        "job": lambda: database.finish_job("cam", "key", {}),
        "parameter": lambda: trial.suggest_float("x", 0.0, 1.0),
        "attribute": lambda: trial.set_user_attr("a", 1),
        "trial": study.ask,
        "state": lambda: study.tell(trial, 1.0),
    }
    database.save_study(StudyRecord("cam", {}, {}, 60.0))
    print("held", flush=True)
    for line in sys.stdin:
        try:
            writes[line.strip()]()
            print("written", flush=True)
        except UserError as error:
            print(error, flush=True)
"""
_WRITES = ("seconds", "study", "job", "parameter", "attribute", "trial", "state", "beat")


@pytest.fixture
def writer(database):
    """A process that drives the study and writes what it is told to."""
    command = [sys.executable, "-W", "ignore", "-c", _WRITER, database.url]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def tells(process, line):
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def stored(database):
    trials = optuna.load_study(study_name="cam", storage=database.optuna()).get_trials()
    return database.study("cam"), database.jobs("cam"), trials


def test_a_process_that_is_stopped_keeps_its_study_as_long_as_its_heartbeat_is_recent(database, writer, hasty):
    writer.send_signal(signal.SIGSTOP)
    with pytest.raises(UserError, match=f"is being searched by process {writer.pid}"), database.lease("cam"):
        pass
    writer.send_signal(signal.SIGCONT)
    assert [tells(writer, each) for each in _WRITES] == len(_WRITES) * ["written"]


def test_a_process_that_stays_stopped_loses_its_study_and_writes_nothing_when_it_wakes(
    database, writer, hasty, monkeypatch
):
    monkeypatch.setattr("automl_kd.storage.lease._FRESH_SECONDS", 0.1)
    time.sleep(0.2)
    with pytest.raises(UserError, match="is being searched"), database.lease("cam"):
        pass
    writer.send_signal(signal.SIGSTOP)
    while psutil.Process(writer.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    with database.lease("cam") as lease:
        before = stored(database)
        writer.send_signal(signal.SIGCONT)
        lost = "study cam was taken over by another process while this one stood still"
        assert [tells(writer, each) for each in _WRITES] == len(_WRITES) * [lost]
        lease.beat()
        assert stored(database) == before
        database.save_seconds("cam", {"search": 9.0})
        optuna.load_study(study_name="cam", storage=database.optuna()).ask()
    assert len(stored(database)[2]) == 2
