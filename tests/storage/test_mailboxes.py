"""Mailboxes in a database, on SQLite and on PostgreSQL."""

import os

import pytest
from sqlalchemy import text

from automl_kd.errors import UserError
from automl_kd.storage import Database, Letter, Mailbox, Post


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Database(str(tmp_path / "automl-kd.db"))
    return Database(request.getfixturevalue("postgres").url)


@pytest.fixture
def post(database):
    post = Post(database, "cam")
    post.clear()
    return post


@pytest.fixture
def mailbox(database, post):
    mailbox = Mailbox(database, "cam")
    mailbox.open()
    return mailbox


def files(database):
    return database.transact(lambda session: session.scalar(text("SELECT count(*) FROM akd_files")))


def test_a_job_goes_out_and_its_answer_comes_back_with_files_of_many_parts(database, post, mailbox):
    large = os.urandom(9_000_001)
    (sign,) = post.signs()
    assert (sign.pid, sign.ready, sign.answered) == (os.getpid(), False, 0)
    mailbox.ready(True)
    post.give(sign.worker, 1, Letter({"until": 3}, {"checkpoint": large, "empty": b""}))
    assert mailbox.look() == (1, 0, False)
    assert mailbox.job() == Letter({"until": 3}, {"checkpoint": large, "empty": b""})
    mailbox.answer(1, Letter({"epoch": 3}, {"checkpoint": large[::-1]}))
    assert mailbox.answer_waits()
    assert [each.answered for each in post.signs()] == [1]
    assert post.take(sign.worker) == Letter({"epoch": 3}, {"checkpoint": large[::-1]})
    assert not mailbox.answer_waits()
    assert files(database) == 0


def test_a_heart_is_a_count(post, mailbox):
    before = post.signs()[0].beats
    for _ in range(3):
        mailbox.beat()
    assert post.signs()[0].beats == before + 3


def test_a_mailbox_that_is_taken_away_leaves_nothing_and_its_worker_sees_it(database, post, mailbox):
    (sign,) = post.signs()
    post.give(sign.worker, 1, Letter({}, {"checkpoint": b"state"}))
    post.dismiss(sign.worker)
    assert (mailbox.look(), mailbox.job(), post.take(sign.worker), post.signs()) == (None, None, None, [])
    assert files(database) == 0


def test_what_a_worker_wrote_into_a_mailbox_that_is_gone_goes_with_the_next_driver(database, post, mailbox):
    other = Post(database, "other")
    other.offer(Letter({}, {"teacher": b"weights"}))
    post.dismiss(post.signs()[0].worker)
    mailbox.answer(1, Letter({}, {"checkpoint": b"state"}))
    assert files(database) == 2
    post.clear()
    assert files(database) == 1, "another study's offer stays"
    other.clear()


def test_an_offer_is_read_file_by_file_and_a_damaged_one_is_refused(database, post, mailbox):
    assert mailbox.offer() is None
    post.offer(Letter({"task": "digits", "hashes": []}, {"teacher": b"weights"}))
    assert mailbox.offer() == {"task": "digits", "hashes": []}
    sha256 = database.transact(lambda session: session.scalar(text("SELECT sha256 FROM akd_files")))
    assert mailbox.file_of_offer(sha256) == b"weights"
    spoil = text("UPDATE akd_files SET content = :content")
    database.transact(lambda session: session.execute(spoil, {"content": b"other"}))
    with pytest.raises(UserError, match="taken away or damaged on its way"):
        mailbox.file_of_offer(sha256)


def test_studies_do_not_see_each_other(database, post, mailbox):
    other = Post(database, "other")
    other.clear()
    other.ask_to_stop()
    assert other.signs() == []
    assert mailbox.look() == (0, 0, False)
    post.ask_to_stop()
    assert mailbox.look() == (0, 0, True)
