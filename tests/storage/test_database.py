"""The database as a user finds it: opened twice, damaged, missing, or begun by several processes at once."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from automl_kd.core import UserError
from automl_kd.storage import Database, JobQueue, Mailboxes, Message, StudyRecord

RECORD = StudyRecord(
    name="cam",
    identity={"data": "a1", "limits": {"max_latency_ms": 4.0}},
    settings={"task": "digits", "pins": ["student.width=0.5"]},
    budget=180.0,
    seconds={"teacher": 3.5},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "automl-kd.db"


def test_what_was_stored_is_there_when_the_database_is_opened_again(path):
    Database(str(path)).save_study(RECORD)

    again = Database(f"sqlite:///{path}")

    assert again.studies() == [RECORD]
    assert again.study("cam") == RECORD


def test_saving_a_study_again_replaces_it_and_spending_sets_its_seconds(path):
    database = Database(str(path))
    database.save_study(RECORD)
    database.save_study(StudyRecord("cam", RECORD.identity, RECORD.settings, 360.0, RECORD.seconds, "done"))
    database.save_seconds("cam", {"teacher": 3.5, "search": 20.0})

    found = Database(str(path)).study("cam")

    assert (found.budget, found.state) == (360.0, "done")
    assert found.seconds == {"teacher": 3.5, "search": 20.0}


def test_a_database_of_version_0_1_is_read_and_used(path):
    connection = sqlite3.connect(path)
    connection.executescript(Path(__file__).with_name("tables_0_1.sql").read_text())
    connection.close()
    database = Database(str(path))
    settings = {"task": "digits", "searched": 180.0}
    assert database.study("cam") == StudyRecord("cam", {"data": "a1", "seed": 0}, settings, 180.0, {"search": 3.5})
    assert database.jobs("cam") == {"k1": {"accuracy": 0.75, "epochs": 9}}
    database.save_study(RECORD)
    database.finish_job("cam", "k2", {"score": 0.5})
    machine = Mailboxes(database, "new")
    machine.open(1)
    with database.lease("new") as lease:
        queue = JobQueue(database, "new", lease)
        queue.offer({"task": "digits"})
        queue.post(queue.workers()[0].worker, 1, Message({"until": 3}, {"checkpoint": b"state"}))
        assert machine.job(0) == Message({"until": 3}, {"checkpoint": b"state"})


def test_studies_come_oldest_first(path):
    database = Database(str(path))
    for name in ("zebra", "ant", "middle"):
        database.save_study(StudyRecord(name, {}, {}, 1.0))
    assert [record.name for record in database.studies()] == ["zebra", "ant", "middle"]


def test_an_unknown_study_names_the_nearest(path):
    database = Database(str(path))
    database.save_study(RECORD)
    with pytest.raises(UserError, match=r"unknown study in .*automl-kd\.db: 'camm'; did you mean cam\?"):
        database.study("camm")
    assert database.find_study("camm") is None


def test_finished_jobs_survive_and_belong_to_their_study(path):
    database = Database(str(path))
    database.finish_job("cam", "k1", {"accuracy": 0.5})
    database.finish_job("cam", "k1", {"accuracy": 0.75, "seed": 3})
    database.finish_job("other", "k1", {"accuracy": 0.1})

    assert Database(str(path)).jobs("cam") == {"k1": {"accuracy": 0.75, "seed": 3}}


def test_our_connections_and_optunas_use_the_write_ahead_log_with_normal_sync(path):
    database = Database(str(path))
    storage = database.optuna()
    for engine in (database._engine, storage.engine):
        with engine.connect() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 1  # NORMAL


def test_optunas_tables_and_ours_live_in_one_file(path):
    Database(str(path)).optuna()
    tables = {row[0] for row in sqlite3.connect(path).execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"akd_studies", "akd_leases", "akd_jobs", "studies", "trials"} <= tables


@pytest.mark.parametrize("create", [True, False])
def test_a_file_that_is_no_database_is_refused_by_name_and_left_as_it_is(path, create):
    content = b"dear diary, this is no database\n" * 200
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"automl-kd\.db: is damaged or not an SQLite database .* left as it is"):
        Database(str(path), create=create)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_database_is_refused_by_name_and_left_as_it_is(path):
    database = Database(str(path))
    database.optuna()
    for number in range(200):
        database.finish_job("cam", f"key {number}", {"padding": "x" * 500})
    database._engine.dispose()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()
    content = bytearray(path.read_bytes())
    content[4096 * 4 : 4096 * 20] = b"\xa5" * (4096 * 16)
    path.write_bytes(content)

    with pytest.raises(UserError, match=r"automl-kd\.db: is damaged.* left as it is"):
        Database(str(path))
    assert path.read_bytes() == content


def test_an_empty_file_is_a_new_database(path):
    path.touch()
    Database(str(path)).save_study(RECORD)
    assert Database(str(path)).studies() == [RECORD]


def test_a_verb_that_only_reads_makes_no_file(path):
    with pytest.raises(UserError, match=r"automl-kd\.db does not exist; begin a search"):
        Database(str(path), create=False)
    assert not path.exists()


def test_looking_for_a_study_makes_neither_file_nor_table(path):
    database = Database(str(path))
    assert database.find_study("cam") is None
    assert database.studies() == []
    database.refuse_if_driven("cam")
    assert list(path.parent.iterdir()) == []
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine (x)")
    assert Database(str(path)).find_study("cam") is None
    tables = sqlite3.connect(path).execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("mine",)]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///{folder}/missing/automl-kd.db", "folder .*missing does not exist"),
        ("{folder}", "is a folder; name a file in it"),
        ("no such thing://", "not a database URL"),
        ("", "is a folder; name a file in it"),
        ("foo://x", "foo://x: Can't load plugin"),
        ("sqlite+foo:///{folder}/x.db", "Can't load plugin"),
    ],
)
def test_a_storage_that_cannot_be_is_refused_with_what_is_wrong(tmp_path, url, message):
    with pytest.raises(UserError, match=message):
        Database(url.format(folder=tmp_path))


def test_files_too_large_for_the_database_lie_in_a_folder_beside_it(path):
    assert Database(str(path)).files == path.parent / "automl-kd-files"


_BEGIN = """
import sys
from automl_kd.storage import Database, StudyRecord
sys.stdin.read(1)
database = Database(sys.argv[1])
storage = database.optuna()
database.save_study(StudyRecord(sys.argv[2], {}, {}, 1.0))
storage.create_new_study(directions=[], study_name=sys.argv[2])
"""


def test_several_processes_may_begin_one_fresh_file_at_the_same_time(path):
    names = [f"study-{number}" for number in range(3)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _BEGIN, str(path), name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in names
    ]
    for process in processes:
        process.stdin.write("go")
        process.stdin.flush()
    for process in processes:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    database = Database(str(path))
    assert {record.name for record in database.studies()} == set(names)
    assert {study.study_name for study in database.optuna().get_all_studies()} == set(names)
