"""The same promises on a real PostgreSQL server."""

import os
import subprocess
import sys
import threading
import time

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from automl_kd.core import UserError
from automl_kd.storage import Database


@pytest.fixture
def url(postgres):
    return postgres.url


def test_several_processes_make_the_tables_of_a_fresh_database_at_once(url):
    script = "import sys; from automl_kd.storage import Database; Database(sys.argv[1]).optuna()"
    together = [subprocess.Popen([sys.executable, "-c", script, url], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1] for process in together]
    assert [process.returncode for process in together] == [0, 0, 0], errors


def test_a_study_has_one_driver_and_finished_jobs_stay_finished_through_a_restart(postgres):
    url = postgres.url
    database = Database(url)
    with database.lease("cam") as lease:
        lease.beat()
        other = "import sys; from automl_kd.storage import Database\nwith Database(sys.argv[1]).lease('cam'): pass"
        refused = subprocess.run([sys.executable, "-c", other, url], capture_output=True, text=True, check=False)
        assert f"is being searched by process {os.getpid()}" in refused.stderr
    database.finish_job("cam", "key", {"accuracy": 0.9})
    postgres.control("restart")
    assert Database(url).jobs("cam") == {"key": {"accuracy": 0.9}}


def test_who_has_reached_the_server_waits_while_it_is_away(postgres):
    database = Database(postgres.url)
    storage = database.optuna()
    study = optuna.create_study(storage=storage, study_name="away")
    postgres.control("stop")
    began = time.monotonic()
    threading.Timer(3.0, postgres.control, ["start"]).start()
    trial = study.ask({"x": FloatDistribution(0, 1)})
    study.tell(trial, 1.0)
    assert time.monotonic() - began >= 3.0
    database.finish_job("away", "key", {"accuracy": 0.9})
    assert [each.value for each in study.get_trials()] == [1.0]


def test_a_transaction_that_the_server_broke_is_made_again(postgres):
    database = Database(postgres.url)
    tries = []

    def work(session):
        session.execute(text("INSERT INTO akd_jobs (study, key, result, finished) VALUES ('torn', 'key', '{}', 0)"))
        tries.append(session.scalar(text("SELECT pg_backend_pid()")))
        if len(tries) == 1:
            ending = "SELECT pg_terminate_backend(:pid)"
            Database(postgres.url).transact(lambda other: other.execute(text(ending), {"pid": tries[0]}))
        return session.scalar(text("SELECT count(*) FROM akd_jobs WHERE study = 'torn'"))

    assert database.transact(work) == 1
    assert len(tries) == 2


@pytest.mark.parametrize("table", ["trials", "trial_params", "trial_values", "trial_system_attributes"])
def test_a_read_that_the_server_broke_is_made_again_in_silence(postgres, table, caplog):
    database = Database(postgres.url)
    storage = database.optuna()
    study = optuna.create_study(storage=storage, study_name=f"read {table}")
    study.tell(study.ask({"x": FloatDistribution(0, 1)}), 1.0)
    left = study.ask({"x": FloatDistribution(0, 1)})
    reader = optuna.load_study(storage=database.optuna(), study_name=study.study_name)
    ended = []

    @event.listens_for(reader._storage._backend.engine, "before_cursor_execute")
    def end(connection, cursor, statement, *_):
        if not ended and f"FROM {table} " in f"{' '.join(statement.split())} ":
            ended.append(connection.connection.dbapi_connection.info.backend_pid)
            ending = "SELECT pg_terminate_backend(:pid)"
            database.transact(lambda other: other.execute(text(ending), {"pid": ended[0]}))

    optuna.logging.enable_propagation()
    try:
        states = [trial.state.name for trial in reader.get_trials()]
    finally:
        optuna.logging.disable_propagation()
    assert len(ended) == 1
    assert states == ["COMPLETE", "RUNNING"]
    assert not [record for record in caplog.records if record.levelname != "INFO"]
    study.tell(left, 2.0)
    assert [trial.value for trial in reader.get_trials()] == [1.0, 2.0]


def test_a_verdict_is_told_once_though_its_answer_was_lost(postgres, monkeypatch):
    storage = Database(postgres.url).optuna()
    study = optuna.create_study(storage=storage, study_name="verdict")
    told = study.ask()
    finished = RDBStorage.set_trial_state_values
    lost = []

    def lose(self, *arguments):
        stored = finished(self, *arguments)
        if not lost:
            lost.append(stored)
            error = OperationalError(
                "COMMIT", {}, Exception("server closed the connection"), connection_invalidated=True
            )
            raise StorageInternalError("the answer was lost") from error
        return stored

    monkeypatch.setattr(RDBStorage, "set_trial_state_values", lose)
    study.tell(told, 1.0)
    assert [each.value for each in study.get_trials()] == [1.0]
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(told._trial_id, TrialState.COMPLETE, [2.0])


def test_passwords_are_not_shown(url):
    assert "secret" not in Database(url).display_name


def test_an_unreachable_server_is_told_in_one_line(free_port):
    with pytest.raises(UserError, match=r"127\.0\.0\.1") as error:
        Database(f"postgresql+psycopg://akd:secret@127.0.0.1:{free_port}/postgres")
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
