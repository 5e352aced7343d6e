"""Mailboxes in a database, on SQLite and on PostgreSQL."""

import hashlib
import os

import pytest
from sqlalchemy import text

from automl_kd.core import UserError
from automl_kd.storage import Database, JobQueue, Mailboxes, MailboxStatus, Message


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Database(str(tmp_path / "automl-kd.db"))
    return Database(request.getfixturevalue("postgres").url)


@pytest.fixture
def queue(database):
    with database.lease("cam") as lease:
        queue = JobQueue(database, "cam", lease)
        queue.clear()
        yield queue


@pytest.fixture
def other(database):
    """The driver of another study."""
    with database.lease("other") as lease:
        queue = JobQueue(database, "other", lease)
        yield queue
        queue.clear()


@pytest.fixture
def machine(database, queue):
    machine = Mailboxes(database, "cam")
    machine.open(1)
    return machine


def files(database):
    return database.transact(lambda session: session.scalar(text("SELECT count(*) FROM akd_files")))


def test_a_job_goes_out_and_its_answer_comes_back_with_files_of_many_parts(database, queue, machine):
    large = os.urandom(9_000_001)
    (joined,) = queue.workers()
    assert (joined.pid, joined.ready, joined.answered) == (os.getpid(), False, 0)
    machine.set_ready(True)
    queue.post(joined.worker, 1, Message({"until": 3}, {"checkpoint": large, "empty": b""}))
    assert machine.status() == {0: MailboxStatus(1, 0, False, False, False)}
    assert machine.job(0) == Message({"until": 3}, {"checkpoint": large, "empty": b""})
    machine.answer(0, 1, Message({"epoch": 3}, {"checkpoint": large[::-1]}))
    assert machine.status() == {0: MailboxStatus(1, 1, False, True, False)}
    assert [each.answered for each in queue.workers()] == [1]
    assert queue.take(joined.worker) == Message({"epoch": 3}, {"checkpoint": large[::-1]})
    assert machine.status() == {0: MailboxStatus(1, 1, False, False, False)}
    assert files(database) == 0


def test_heartbeats_are_counted(queue, machine):
    before = queue.workers()[0].heartbeats
    for _ in range(3):
        machine.beat()
    assert queue.workers()[0].heartbeats == before + 3


def test_a_mailbox_that_is_taken_away_leaves_nothing_and_its_worker_sees_it(database, queue, machine):
    (joined,) = queue.workers()
    queue.post(joined.worker, 1, Message({}, {"checkpoint": b"state"}))
    queue.dismiss(joined.worker)
    assert (machine.status(), machine.job(0), queue.take(joined.worker), queue.workers()) == ({}, None, None, [])
    assert files(database) == 0


def test_what_a_worker_wrote_into_a_mailbox_that_is_gone_goes_with_the_next_driver(database, queue, other, machine):
    other.offer({}, {"0" * 64: [b"weights"]})
    queue.dismiss(queue.workers()[0].worker)
    machine.answer(0, 1, Message({}, {"checkpoint": b"state"}))
    assert files(database) == 2
    queue.clear()
    assert files(database) == 1, "another study's offer stays"


def test_an_offer_is_read_file_by_file_and_a_damaged_one_is_refused(database, queue, machine):
    assert machine.offer() is None
    sha256 = hashlib.sha256(b"weights").hexdigest()
    queue.offer({"task": "digits", "hashes": []}, {sha256: [b"wei", b"", b"ghts"]})
    assert machine.offer() == {"task": "digits", "hashes": []}
    assert list(machine.offered_file(sha256)) == [b"weights"]
    spoil = text("UPDATE akd_files SET content = :content")
    database.transact(lambda session: session.execute(spoil, {"content": b"other"}))
    with pytest.raises(UserError, match="taken away or damaged on its way"):
        list(machine.offered_file(sha256))


def test_a_file_goes_in_parts_and_an_offer_that_is_taken_back_is_none(database, queue, machine, monkeypatch):
    monkeypatch.setattr("automl_kd.storage.mailboxes._PART_BYTES", 4)
    pieces = [b"ab", b"cdefghijk", b"", b"lm"]
    whole = b"".join(pieces)
    sha256 = hashlib.sha256(whole).hexdigest()
    asked = []
    queue.offer({"task": "digits"}, {sha256: pieces}, lambda: asked.append(1) or len(asked) < 3)
    assert (machine.offer(), files(database)) == (None, 2)
    queue.offer({"task": "digits"}, {sha256: pieces})
    assert list(machine.offered_file(sha256)) == [whole[:4], whole[4:8], whole[8:12], whole[12:]]
    assert machine.offer() == {"task": "digits"}


def test_studies_do_not_see_each_other(queue, other, machine):
    other.ask_to_stop()
    assert other.workers() == []
    assert machine.status() == {0: MailboxStatus(0, 0, False, False, False)}
    queue.ask_to_stop()
    assert machine.status() == {0: MailboxStatus(0, 0, True, False, False)}


def test_a_driver_that_lost_its_lease_sees_and_touches_nothing_of_the_next(database, queue, machine):
    lose = text("UPDATE akd_leases SET owner = 'the next' WHERE study = 'cam'")
    database.transact(lambda session: session.execute(lose))
    queue.ask_to_stop()
    queue.clear()
    assert queue.workers() == []
    assert machine.status() == {0: MailboxStatus(0, 0, False, False, False)}
    database.transact(lambda session: session.execute(text("DELETE FROM akd_leases")))


def test_a_machine_that_leaves_leaves_an_answer_that_nobody_has_taken(database, queue, machine):
    machine.open(2)
    first, second = queue.workers()
    machine.answer(0, 1, Message({"epoch": 3}, {"checkpoint": b"state"}))
    machine.close()
    (left,) = queue.workers()
    assert left.worker in (first.worker, second.worker)
    assert queue.take(left.worker) == Message({"epoch": 3}, {"checkpoint": b"state"})
    assert files(database) == 0
