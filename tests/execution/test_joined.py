"""Workers that join over a database: a pool at the other end of mailboxes, in a thread of this process."""

import json
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worker_jobs import answer_of, labels_only, recipe_document

from automl_kd.core import UserError
from automl_kd.distillation import custom_loss_spec
from automl_kd.execution import (
    Bounds,
    Crew,
    Evaluated,
    EvaluateJob,
    Failed,
    JoinedWorkers,
    Joining,
    Stopped,
    Taken,
    Trained,
    TrainJob,
    WorkerPool,
    setup_of,
)
from automl_kd.execution.archive import Archive
from automl_kd.execution.letters import answer_of as returned_of
from automl_kd.execution.letters import letter_of_answer, letter_of_parcel, offer_of, parcel_of
from automl_kd.execution.parcel import PackedSetup, Parcel, Returned
from automl_kd.recipes import custom_files, pin_code
from automl_kd.recipes.losses import CustomLoss
from automl_kd.storage import Database, Letter, Mailboxes, Post


@pytest.fixture
def database(tmp_path):
    return Database(str(tmp_path / "automl-kd.db"))


@pytest.fixture
def post(database):
    with database.lease("cam") as lease:
        yield Post(database, "cam", lease)


@pytest.fixture
def joined(post, setup, module_cache):
    with JoinedWorkers(post, setup) as joined:
        yield joined


class Machine(threading.Thread):
    """Another machine that works for the study until its mailboxes are taken away, or it is told to leave."""

    def __init__(self, database, folder):
        super().__init__(daemon=True)
        self.database, self.folder = database, folder
        self.leaving = threading.Event()
        self.ended = None
        self.start()

    def run(self):
        (self.folder / "jobs").mkdir()
        try:
            with Joining(Mailboxes(self.database, "cam"), self.folder / "jobs") as joining:
                while (offer := joining.asked()) is None:
                    time.sleep(0.05)
                setup = setup_of(offer).unpack(joining.fetch)
                with WorkerPool(1, setup, self.folder / "log", Bounds(60.0, 64e9)) as pool:
                    self.pool = pool
                    joining.ready(1)
                    self.serve(joining, pool)
                self.ended = "left"
        except Taken:
            self.ended = "taken"
        except UserError as error:
            self.ended = str(error)

    def trains(self):
        """Whether its worker has begun its job."""
        return self.pool._workers[0].begun

    def serve(self, joining, pool):
        try:
            while not self.leaving.is_set():
                joining.step(pool)
        except UserError:
            joining.leave(pool)
            raise
        joining.leave(pool)


@pytest.fixture
def begin(database, joined, tmp_path):
    """Have a machine join that keeps its files in a folder."""
    begun = []

    def begin(folder):
        folder.mkdir(exist_ok=True)
        begun.append(Machine(database, folder))
        until(joined, lambda: joined.idle)
        return begun[-1]

    yield begin
    joined.kill()
    for machine in begun:
        machine.join(60)


@pytest.fixture
def machine(begin, tmp_path):
    return begin(tmp_path / "machine")


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of its own with room for a log and no more."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def until(joined, condition, seconds=60):
    """Look after mailboxes until something is so; gives the answers that came."""
    end, answers = time.monotonic() + seconds, []
    while not condition() and time.monotonic() < end:
        answers += joined.wait(0.2)
    assert condition()
    return answers


def as_json(letter):
    """A letter after its way through a database."""
    return Letter(json.loads(json.dumps(dict(letter.document))), letter.files)


def test_a_training_there_gives_the_weights_of_one_here(machine, joined, pool, job, tmp_path):
    straight = replace(job, checkpoint=tmp_path / "straight.pt", weights=tmp_path / "straight.safetensors")
    assert isinstance(answer_of(pool, 1, straight), Trained)
    assert joined.size == 1
    first = answer_of(joined, "a", replace(job, until=2))
    assert (first.epoch, job.checkpoint.exists(), job.weights.exists()) == (2, True, False)
    assert isinstance(answer_of(joined, "b", job), Trained)
    assert job.weights.read_bytes() == straight.weights.read_bytes()
    evaluated = answer_of(joined, "c", EvaluateJob(None, None))
    assert evaluated.correct.mean() > 0.95
    assert joined.idle == 1


def test_a_stop_brings_the_state_back(machine, joined, endless):
    joined.submit("a", endless)
    assert until(joined, machine.trains) == [], "it does not end by itself"
    assert joined.stop() == [("a", Stopped())]
    assert endless.checkpoint.exists()
    machine.join(60)
    assert machine.ended == "taken"


def test_a_worker_that_leaves_hands_its_job_back_and_is_forgotten(machine, joined, endless):
    joined.submit("a", endless)
    until(joined, machine.trains)
    machine.leaving.set()
    assert until(joined, lambda: not joined.running) == [("a", Stopped())]
    assert endless.checkpoint.exists()
    until(joined, lambda: not joined.size)
    machine.join(60)
    assert machine.ended == "left"


def test_a_machine_without_room_hands_its_job_back_and_leaves(begin, tiny_disk, joined, job):
    machine = begin(tiny_disk)
    joined.submit("a", job)
    assert until(joined, lambda: not joined.running) == [("a", Stopped())], "another machine can do it"
    machine.join(60)
    assert machine.ended.startswith("no room on disk for")
    assert until(joined, lambda: not joined.size) == []


def test_a_driver_that_starts_again_is_nobody_s_debtor_and_workers_see_it(machine, joined, endless, post, setup):
    joined.submit("a", endless)
    JoinedWorkers(post, setup)
    machine.join(60)
    assert machine.ended == "taken"
    assert until(joined, lambda: not joined.running) == [("a", Stopped())]


def test_abandoned_jobs_come_back_at_once(machine, joined, endless):
    joined.submit("a", endless)
    assert joined.abandon() == ["a"]
    assert joined.running == []
    machine.join(60)
    assert machine.ended == "taken"


def test_what_takes_long_to_offer_holds_nobody_up(database, post, setup, monkeypatch):
    going, begun = threading.Event(), threading.Event()

    def offer_of(setup):
        begun.set()
        assert going.wait(60)
        return {"task": "digits"}, {}

    monkeypatch.setattr("automl_kd.execution.joined.offer_of", offer_of)
    mailboxes = Mailboxes(database, "cam")
    with JoinedWorkers(post, setup) as joined:
        mailboxes.open(1)
        until(joined, begun.is_set)
        for _ in range(3):  # the loop goes on meanwhile
            assert joined.wait(0.3) == []
        assert mailboxes.offer() is None
        going.set()
        until(joined, lambda: mailboxes.offer() == {"task": "digits"})
    assert mailboxes.offer() is None


def test_a_file_that_goes_before_it_is_sent_is_told_to_those_that_join(database, post, setup, tmp_path, monkeypatch):
    def offer_of(setup):
        (tmp_path / "data.npz").write_bytes(b"images")
        archive = Archive(tmp_path / "data.npz")
        document = {"hashes": [archive.sha256]}
        (tmp_path / "data.npz").unlink()
        return document, {archive.sha256: archive}

    monkeypatch.setattr("automl_kd.execution.joined.offer_of", offer_of)
    mailboxes = Mailboxes(database, "cam")
    with JoinedWorkers(post, setup) as joined:
        mailboxes.open(1)
        until(joined, lambda: mailboxes.offer() is not None)
        assert "data.npz: cannot be read to be sent to other machines" in mailboxes.offer()["refused"]
        assert joined.wait(0.3) == []


def test_a_worker_whose_heart_stops_is_given_up(database, joined, endless, monkeypatch):
    monkeypatch.setattr("automl_kd.execution.joined._SILENT_SECONDS", 1.0)
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    mailboxes = Mailboxes(database, "cam")
    mailboxes.open(1)
    monkeypatch.undo()
    monkeypatch.setattr("automl_kd.execution.joined._SILENT_SECONDS", 1.0)
    mailboxes.ready(True)
    until(joined, lambda: joined.idle)
    joined.submit("a", endless)
    ((key, answer),) = until(joined, lambda: not joined.running)
    assert (key, answer.reason, answer.worker_died) == ("a", "worker on another-machine gave no sign for 1 s", True)
    assert mailboxes.look() == {}


def test_a_machine_whose_main_thread_hangs_does_not_beat(database, tmp_path, monkeypatch):
    monkeypatch.setattr("automl_kd.execution.joining._BEAT_SECONDS", 0.02)
    monkeypatch.setattr("automl_kd.execution.joining._STUCK_SECONDS", 0.5)
    with database.lease("cam") as lease, Joining(Mailboxes(database, "cam"), tmp_path) as joining:
        post = Post(database, "cam", lease)

        def beaten(turn=lambda: None):
            """Whether it beats within a while."""
            before, end = post.signs()[0].beats, time.monotonic() + 2.0
            while post.signs()[0].beats < before + 3 and time.monotonic() < end:
                turn()
                time.sleep(0.02)
            return post.signs()[0].beats >= before + 3

        time.sleep(1.0)
        assert beaten(), "data and teacher may take long to open"
        joining.ready(1)
        assert beaten(joining.asked)
        time.sleep(1.0)  # and no turn of the loop
        assert not beaten()
        assert beaten(joining.asked)


def test_jobs_go_to_this_machine_first_and_then_to_those_that_joined(machine, joined, setup, job, tmp_path):
    short = replace(job, recipe=labels_only(), until=1)
    with WorkerPool(1, setup, tmp_path / "log") as local:
        crew = Crew(local, joined)
        assert (crew.size, crew.idle) == (2, 2)
        crew.submit(1, replace(short, checkpoint=tmp_path / "1.pt"))
        assert (local.running, joined.running) == ([1], [])
        crew.submit(2, replace(short, checkpoint=tmp_path / "2.pt"))
        assert crew.running == [1, 2]
        with pytest.raises(IndexError):
            crew.submit(3, short)
        answers = {}
        while len(answers) < 2:
            answers |= dict(crew.wait(60))
        assert {type(answer) for answer in answers.values()} == {Trained}
        assert answers[1].accuracy == answers[2].accuracy


@pytest.mark.parametrize(
    "returned",
    [
        Returned(Trained(0.9, 3, 1.5, None), b"state", b"weights"),
        Returned(Trained(0.9, 3, 1.5, 0.25), b"state"),
        Returned(Stopped(), b"state"),
        Returned(Failed("diverged at step 3", worker_died=True)),
    ],
)
def test_answers_come_through_a_database_as_they_were(returned):
    assert returned_of(as_json(letter_of_answer(returned))) == returned


def test_right_answers_come_through_a_database_as_they_were():
    correct = np.random.default_rng(0).random(1000) < 0.7
    came = returned_of(as_json(letter_of_answer(Returned(Evaluated(correct)))))
    assert came.answer.correct.dtype == bool
    assert (came.answer.correct == correct).all()


def test_jobs_come_through_a_database_without_the_sender_s_paths(tmp_path):
    job = TrainJob(recipe_document(), 6, 3, tmp_path / "c.pt", tmp_path / "w", time.monotonic() + 60, 1.25)
    letter = as_json(letter_of_parcel(Parcel(job, 60.0, b"state")))
    assert str(tmp_path) not in json.dumps(letter.document)
    came = parcel_of(letter)
    assert (came.content, came.seconds, came.job.recipe, came.job.until) == (b"state", 60.0, job.recipe, 3)
    assert (came.job.total_epochs, came.job.trained) == (6, 1.25)
    left = [came.unpack(tmp_path, late).deadline - time.monotonic() for late in (0.0, 10.0, 90.0)]
    assert left == pytest.approx([60, 50, 0], abs=5)  # what the way takes is not for training
    student = parcel_of(as_json(letter_of_parcel(Parcel(EvaluateJob(job.recipe, tmp_path / "w"), None, b"weights"))))
    assert student.unpack(tmp_path).weights.read_bytes() == b"weights"
    teacher = parcel_of(as_json(letter_of_parcel(Parcel(EvaluateJob(None, None), None, None))))
    assert teacher.unpack(tmp_path) == EvaluateJob(None, None)


def test_a_setup_comes_through_a_database_and_what_a_machine_has_need_not_be_fetched(setup, module_cache):
    document, archives = offer_of(setup)
    document = json.loads(json.dumps(document))
    packed = setup_of(document)
    assert packed == PackedSetup.pack(setup)[0]
    for spoilt, told in (
        ({"version": "0.0.1"}, "runs automl-kd 0.0.1, this machine"),
        ({"hashes": ["/home/me/project/poetry"]}, "names files as no driver does"),
        ({"data": f"{packed.hashes[0]}/../../secrets.npz"}, "names files as no driver does"),
        ({"data": "/home/me/secrets.npz"}, "names files as no driver does"),
        ({"refused": "data.npz: cannot be read"}, "cannot send what its jobs share: data.npz"),
    ):
        with pytest.raises(UserError, match=told):
            setup_of({**document, **spoilt})
    setup_of({**document, "data": f"{packed.hashes[0]}/a..b.npz"})
    assert set(packed.hashes) == set(archives)
    own = packed.with_own(None, packed.setup.teacher.model_copy(update={"checkpoint": "mine.safetensors"}))
    assert own.hashes == ()
    assert packed.with_own("mine.npz", None).hashes == packed.hashes, "digits come with a package"


def test_a_file_of_the_user_s_own_comes_along(setup, module_cache, tmp_path, monkeypatch):
    file = tmp_path / "losses.py"
    lines = ["from automl_kd.distillation import loss", '@loss("logits")', "def gap(student, teacher):"]
    file.write_text("\n".join([*lines, "    return (student - teacher).square().mean()", ""]))
    named = pin_code({"file": str(file), "function": "gap"})
    twice = {"custom": {"gap": named, "again": {"choice": [named, {"file": "other.py", "function": "f"}]}}}
    assert custom_files({"distill": {"losses": twice}}) == [file, Path("other.py")]
    sent = replace(setup, allow_code=True, code=(str(file),))
    document, archives = offer_of(sent)
    kept = {sha256: list(archive) for sha256, archive in archives.items()}
    file.unlink()
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "another machine"))
    part = CustomLoss.model_validate(named | {"weight": 1})
    with pytest.raises(UserError, match="no such file"):
        custom_loss_spec("gap", part, allow_code=True)
    setup_of(document).unpack(kept.__getitem__)
    for spoilt in (None, "another loss"):
        if spoilt is not None:
            file.write_text(spoilt)
        assert custom_loss_spec("gap", part, allow_code=True).inputs.name == "logits"
