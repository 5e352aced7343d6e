"""Workers that join over a database: a pool at the other end of mailboxes, in a thread of this process."""

import json
import math
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worker_jobs import answer_of, labels_only, recipe

from automl_kd.core import UserError
from automl_kd.distillation import custom_loss_spec
from automl_kd.execution import (
    Bounds,
    CompositeExecutor,
    DatabaseExecutor,
    Dismissed,
    Evaluated,
    EvaluateJob,
    Failed,
    Stopped,
    Trained,
    TrainJob,
    WorkerAgent,
    WorkerPool,
)
from automl_kd.execution.archive import Archive
from automl_kd.execution.file_bundles import AnswerBundle, JobBundle, SetupBundle
from automl_kd.execution.messages import (
    decode_answer,
    decode_job,
    decode_setup,
    encode_answer,
    encode_job,
    encode_setup,
)
from automl_kd.recipes import custom_files, pin_code
from automl_kd.recipes.losses import CustomLoss
from automl_kd.storage import Database, JobQueue, Mailboxes, Message


@pytest.fixture
def database(tmp_path):
    return Database(str(tmp_path / "automl-kd.db"))


@pytest.fixture
def queue(database):
    with database.lease("cam") as lease:
        yield JobQueue(database, "cam", lease)


@pytest.fixture
def joined(queue, setup, module_cache):
    with DatabaseExecutor(queue, setup) as joined:
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
            with WorkerAgent(Mailboxes(self.database, "cam"), self.folder / "jobs") as agent:
                while (offer := agent.offer()) is None:
                    time.sleep(0.05)
                setup = offer.unpack(agent.fetch)
                with WorkerPool(1, setup, self.folder / "log", Bounds(60.0, 64e9)) as pool:
                    self.pool = pool
                    agent.set_ready(1)
                    self.serve(agent, pool)
                self.ended = "left"
        except Dismissed:
            self.ended = "taken"
        except UserError as error:
            self.ended = str(error)

    def trains(self):
        """Whether its worker has begun its job."""
        return self.pool._workers[0].begun

    def serve(self, agent, pool):
        try:
            while not self.leaving.is_set():
                agent.step(pool)
        except UserError:
            agent.leave(pool)
            raise
        agent.leave(pool)


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


def as_json(message):
    """A message after its way through a database."""
    return Message(json.loads(json.dumps(dict(message.document), allow_nan=False)), message.files)


def test_a_training_there_gives_the_weights_of_one_here(machine, joined, pool, job, tmp_path):
    straight = replace(job, checkpoint=tmp_path / "straight.pt", weights=tmp_path / "straight.safetensors")
    assert isinstance(answer_of(pool, 1, straight), Trained)
    assert joined.size == 1
    log = tmp_path / "trial.log"
    first = answer_of(joined, "a", replace(job, until=2, log=log))
    assert (first.epoch, job.checkpoint.exists(), job.weights.exists()) == (2, True, False)
    assert isinstance(answer_of(joined, "b", replace(job, log=log)), Trained)
    said = [line.partition("Z ")[2].partition(",")[0] for line in log.read_text().splitlines()]
    assert said == ["training begins", "epoch 2 reached", "training begins", "epoch 6 reached"]
    assert job.weights.read_bytes() == straight.weights.read_bytes()
    evaluated = answer_of(joined, "c", EvaluateJob(None, None))
    assert evaluated.values["accuracy"] > 0.95
    assert joined.idle == 1


def test_a_stop_brings_the_state_back(machine, joined, endless):
    joined.submit("a", endless)
    assert until(joined, machine.trains) == [], "it does not end by itself"
    assert joined.stop() == [("a", Stopped())]
    assert endless.checkpoint.exists()
    machine.join(60)
    assert machine.ended == "taken"


def test_a_job_that_is_cancelled_comes_back_and_its_machine_stays(machine, joined, endless, job, tmp_path):
    joined.submit("a", endless)
    until(joined, machine.trains)
    joined.cancel("a")
    assert until(joined, lambda: not joined.running) == [("a", Stopped())]
    assert endless.checkpoint.exists()
    short = replace(job, recipe=labels_only(), until=1, checkpoint=tmp_path / "short.pt")
    assert isinstance(answer_of(joined, "b", short), Trained)
    joined.submit("c", replace(endless, checkpoint=tmp_path / "c.pt"))
    joined.cancel("c")  # most likely before the machine has seen it
    assert until(joined, lambda: not joined.running) == [("c", Stopped())]
    assert (joined.size, machine.ended) == (1, None)


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


def test_a_driver_that_starts_again_is_nobody_s_debtor_and_workers_see_it(machine, joined, endless, queue, setup):
    joined.submit("a", endless)
    DatabaseExecutor(queue, setup)
    machine.join(60)
    assert machine.ended == "taken"
    assert until(joined, lambda: not joined.running) == [("a", Stopped())]


def test_abandoned_jobs_come_back_at_once(machine, joined, endless):
    joined.submit("a", endless)
    assert joined.abandon() == ["a"]
    assert joined.running == []
    machine.join(60)
    assert machine.ended == "taken"


def test_what_takes_long_to_offer_holds_nobody_up(database, queue, setup, monkeypatch):
    going, begun = threading.Event(), threading.Event()

    def encode_setup(setup):
        begun.set()
        assert going.wait(60)
        return {"task": "digits"}, {}

    monkeypatch.setattr("automl_kd.execution.database_executor.encode_setup", encode_setup)
    mailboxes = Mailboxes(database, "cam")
    with DatabaseExecutor(queue, setup) as joined:
        mailboxes.open(1)
        until(joined, begun.is_set)
        for _ in range(3):  # the loop goes on meanwhile
            assert joined.wait(0.3) == []
        assert mailboxes.offer() is None
        going.set()
        until(joined, lambda: mailboxes.offer() == {"task": "digits"})
    assert mailboxes.offer() is None


def test_a_file_that_goes_before_it_is_sent_is_told_to_those_that_join(database, queue, setup, tmp_path, monkeypatch):
    def encode_setup(setup):
        (tmp_path / "data.npz").write_bytes(b"images")
        archive = Archive(tmp_path / "data.npz")
        document = {"hashes": [archive.sha256]}
        (tmp_path / "data.npz").unlink()
        return document, {archive.sha256: archive}

    monkeypatch.setattr("automl_kd.execution.database_executor.encode_setup", encode_setup)
    mailboxes = Mailboxes(database, "cam")
    with DatabaseExecutor(queue, setup) as joined:
        mailboxes.open(1)
        until(joined, lambda: mailboxes.offer() is not None)
        assert "data.npz: cannot be read to be sent to other machines" in mailboxes.offer()["refused"]
        assert joined.wait(0.3) == []


def test_a_worker_whose_heartbeats_end_is_given_up(database, joined, endless, monkeypatch):
    monkeypatch.setattr("automl_kd.execution.database_executor._SILENT_SECONDS", 1.0)
    monkeypatch.setattr("socket.gethostname", lambda: "another-machine")
    mailboxes = Mailboxes(database, "cam")
    mailboxes.open(1)
    monkeypatch.undo()
    monkeypatch.setattr("automl_kd.execution.database_executor._SILENT_SECONDS", 1.0)
    mailboxes.set_ready(True)
    until(joined, lambda: joined.idle)
    joined.submit("a", endless)
    ((key, answer),) = until(joined, lambda: not joined.running)
    assert (key, answer.reason, answer.worker_died) == ("a", "worker on another-machine gave no sign for 1 s", True)
    assert mailboxes.status() == {}


def test_a_machine_whose_main_thread_hangs_does_not_beat(database, tmp_path, monkeypatch):
    monkeypatch.setattr("automl_kd.execution.agent._BEAT_SECONDS", 0.02)
    monkeypatch.setattr("automl_kd.execution.agent._STUCK_SECONDS", 0.5)
    with database.lease("cam") as lease, WorkerAgent(Mailboxes(database, "cam"), tmp_path) as agent:
        queue = JobQueue(database, "cam", lease)

        def beaten(turn=lambda: None):
            """Whether it beats within a while."""
            before, end = queue.workers()[0].heartbeats, time.monotonic() + 2.0
            while queue.workers()[0].heartbeats < before + 3 and time.monotonic() < end:
                turn()
                time.sleep(0.02)
            return queue.workers()[0].heartbeats >= before + 3

        time.sleep(1.0)
        assert beaten(), "data and teacher may take long to open"
        agent.set_ready(1)
        assert beaten(agent.offer)
        time.sleep(1.0)  # and no turn of the loop
        assert not beaten()
        assert beaten(agent.offer)


def test_jobs_go_to_this_machine_first_and_then_to_those_that_joined(machine, joined, setup, job, tmp_path):
    short = replace(job, recipe=labels_only(), until=1)
    with WorkerPool(1, setup, tmp_path / "log") as local:
        both = CompositeExecutor(local, joined)
        assert (both.size, both.idle) == (2, 2)
        both.submit(1, replace(short, checkpoint=tmp_path / "1.pt"))
        assert (local.running, joined.running) == ([1], [])
        both.submit(2, replace(short, checkpoint=tmp_path / "2.pt"))
        assert both.running == [1, 2]
        with pytest.raises(IndexError):
            both.submit(3, short)
        answers = {}
        while len(answers) < 2:
            answers |= dict(both.wait(60))
        assert {type(answer) for answer in answers.values()} == {Trained}
        assert answers[1].score == answers[2].score


@pytest.mark.parametrize(
    "bundle",
    [
        AnswerBundle(
            Trained(0.9, math.inf, {"accuracy": 0.9, "log_loss": math.inf}, 3, 1.5, None), b"state", b"weights"
        ),
        AnswerBundle(Trained(0.9, 0.01, {"accuracy": 0.9}, 3, 1.5, 0.25), b"state"),
        AnswerBundle(Stopped(), b"state"),
        AnswerBundle(Failed("diverged at step 3", worker_died=True)),
    ],
)
def test_answers_come_through_a_database_as_they_were(bundle):
    assert decode_answer(as_json(encode_answer(bundle))) == bundle


_COUNTS = np.random.default_rng(0).random((10_000, 1)).round()


@pytest.mark.parametrize(
    ("statistics", "most_bytes"),
    [
        (_COUNTS, 0.25 * _COUNTS.size),  # right or wrong: two bits an example, and not 64
        (_COUNTS * 256, None),
        (-_COUNTS, None),
        (np.random.default_rng(0).normal(size=(100, 10)), None),
        (np.array([[np.nan, np.inf], [-np.inf, 5e-324]]), None),
        (np.empty((0, 3)), None),
    ],
)
def test_statistics_come_through_a_database_as_they_were(statistics, most_bytes):
    read = Evaluated({"accuracy": 0.5, "auroc": math.nan}, statistics, Evaluated({"accuracy": 0.75}, statistics + 1))
    message = as_json(encode_answer(AnswerBundle(read)))
    came = decode_answer(message).answer
    assert came.values == {"accuracy": 0.5, "auroc": pytest.approx(math.nan, nan_ok=True)}
    assert came.statistics.dtype == np.float64
    np.testing.assert_array_equal(came.statistics, statistics)
    assert (came.uncompressed.values, came.uncompressed.uncompressed) == ({"accuracy": 0.75}, None)
    np.testing.assert_array_equal(came.uncompressed.statistics, statistics + 1)
    assert most_bytes is None or len(message.files["statistics"]) < most_bytes


def test_jobs_come_through_a_database_without_the_sender_s_paths(tmp_path):
    job = TrainJob(recipe(), 6, 3, tmp_path / "c.pt", tmp_path / "w", time.monotonic() + 60, 1.25)
    message = as_json(encode_job(JobBundle(job, 60.0, b"state")))
    assert str(tmp_path) not in json.dumps(message.document)
    came = decode_job(message)
    assert (came.content, came.seconds, came.job.recipe, came.job.until) == (b"state", 60.0, job.recipe, 3)
    assert (came.job.total_epochs, came.job.trained) == (6, 1.25)
    left = [came.unpack(tmp_path, late).deadline - time.monotonic() for late in (0.0, 10.0, 90.0)]
    assert left == pytest.approx([60, 50, 0], abs=5)  # what the way takes is not for training
    student = decode_job(as_json(encode_job(JobBundle(EvaluateJob(job.recipe, tmp_path / "w"), None, b"weights"))))
    assert student.unpack(tmp_path).weights.read_bytes() == b"weights"
    teacher = decode_job(as_json(encode_job(JobBundle(EvaluateJob(None, None), None, None))))
    assert teacher.unpack(tmp_path) == EvaluateJob(None, None, tmp_path / "job.log")


def test_a_setup_comes_through_a_database_and_what_a_machine_has_need_not_be_fetched(setup, module_cache):
    document, archives = encode_setup(setup)
    document = json.loads(json.dumps(document))
    packed = decode_setup(document)
    assert packed == SetupBundle.pack(setup)[0]
    for spoilt, told in (
        ({"version": "0.0.1"}, "runs automl-kd 0.0.1, this machine"),
        ({"hashes": ["/home/me/project/poetry"]}, "names files as no driver does"),
        ({"data": f"{packed.hashes[0]}/../../secrets.npz"}, "names files as no driver does"),
        ({"data": "/home/me/secrets.npz"}, "names files as no driver does"),
        ({"refused": "data.npz: cannot be read"}, "cannot send what its jobs share: data.npz"),
    ):
        with pytest.raises(UserError, match=told):
            decode_setup({**document, **spoilt})
    decode_setup({**document, "data": f"{packed.hashes[0]}/a..b.npz"})
    assert set(packed.hashes) == set(archives)
    own = packed.with_own(None, packed.setup.teacher.model_copy(update={"checkpoint": "mine.safetensors"}))
    assert own.hashes == ()
    assert packed.with_own("mine.npz", None).hashes == packed.hashes, "digits come with a package"


def test_a_file_of_the_user_s_own_comes_along(setup, module_cache, tmp_path, monkeypatch):
    file = tmp_path / "losses.py"
    lines = ["from automl_kd.distillation import loss", '@loss("logits")', "def gap(student, teacher):"]
    file.write_text("\n".join([*lines, "    return (student - teacher).square().mean()", ""]))
    named = pin_code({"file": str(file), "function": "gap"})
    twice = {"own": {"gap": named, "again": {"choice": [named, {"file": "other.py", "function": "f"}]}}}
    assert custom_files({"distill": {"losses": twice}}) == [file, Path("other.py")]
    sent = replace(setup, allow_code=True, code=(str(file),))
    document, archives = encode_setup(sent)
    kept = {sha256: list(archive) for sha256, archive in archives.items()}
    file.unlink()
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "another machine"))
    part = CustomLoss.model_validate(named | {"weight": 1})
    with pytest.raises(UserError, match="no such file"):
        custom_loss_spec("gap", part, allow_code=True)
    decode_setup(document).unpack(kept.__getitem__)
    for spoilt in (None, "another loss"):
        if spoilt is not None:
            file.write_text(spoilt)
        assert custom_loss_spec("gap", part, allow_code=True).kind == "logit"
