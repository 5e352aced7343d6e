"""Workers are processes: they may be killed, they end with their driver, and Ctrl-C is the driver's to hear."""

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from worker_jobs import answer_of, labels_only

from automl_kd.execution import Failed, Stopped, Trained, WorkerPool

_DRIVER = """
import pickle, signal, sys
from pathlib import Path
from automl_kd.execution import WorkerPool

interrupted = []
signal.signal(signal.SIGINT, lambda number, frame: interrupted.append(number))
setup, job = pickle.loads(Path(sys.argv[1]).read_bytes())
with WorkerPool(1, setup, Path(sys.argv[1]).with_name("workers.log")) as pool:
    pool.submit("trial", job)
    print("begun", flush=True)
    answers = []
    while not answers:
        answers = pool.wait(120)
    print(type(answers[0][1]).__name__, len(interrupted), flush=True)
"""


@pytest.fixture
def own_pool(setup, module_cache, tmp_path):
    """A pool of one worker, and the worker's process."""
    before = psutil.Process().children()
    with WorkerPool(1, setup, tmp_path / "workers.log") as pool:
        (worker,) = set(psutil.Process().children()) - set(before)
        yield pool, worker


@pytest.fixture
def drive(setup, module_cache, tmp_path):
    """Start a driver of its own process group that has one job done; gives the driver and its worker."""
    begun = []

    def start(job):
        given = tmp_path / "given.pickle"
        given.write_bytes(pickle.dumps((setup, job)))
        driver = subprocess.Popen(
            [sys.executable, "-c", _DRIVER, str(given)], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        begun.append(driver)
        assert driver.stdout.readline() == "begun\n"
        (worker,) = psutil.Process(driver.pid).children()
        begun.append(worker)
        return driver, worker

    yield start
    for process in begun:
        if isinstance(process, subprocess.Popen) or process.is_running():
            process.kill()


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_a_killed_worker_fails_its_job_and_its_replacement_works(own_pool, job, endless):
    pool, worker = own_pool
    log = job.checkpoint.with_name("trial.log")
    pool.submit(1, replace(endless, log=log))
    assert wait_until(lambda: log.exists() and log.read_text())
    worker.kill()

    ((key, answer),) = pool.wait(60)
    assert (key, answer) == (1, Failed("worker process ended by signal 9", worker_died=True))
    assert pool.idle == 1
    assert [line.partition("Z ")[2] for line in log.read_text().splitlines()] == [
        "training begins, to epoch 50000 of 50000",
        "worker process ended by signal 9",
    ]
    assert isinstance(answer_of(pool, 2, replace(job, recipe=labels_only(), until=1)), Trained)


def test_what_a_worker_writes_is_in_the_log_of_its_own_job_also_as_it_crashes(own_pool, job, endless, tmp_path):
    pool, worker = own_pool
    first, second = (tmp_path / "logs" / name for name in ("first.log", "second.log"))
    first.parent.mkdir()
    first.write_text(50_000 * "an older line\n")
    assert isinstance(answer_of(pool, 1, replace(job, recipe=labels_only(), until=1, log=first)), Trained)
    pool.submit(2, replace(endless, checkpoint=tmp_path / "endless.pt", log=second))
    assert wait_until(lambda: second.exists() and second.read_text())
    worker.send_signal(signal.SIGABRT)
    ((_, answer),) = pool.wait(60)
    assert answer.worker_died
    crashed = second.read_text()
    assert "Fatal Python error: Aborted" in crashed
    assert crashed.splitlines()[-1].endswith("worker process ended by signal 6")
    calm = first.read_text()
    assert "epoch 1 reached" in calm.splitlines()[-1]
    assert "Aborted" not in calm
    assert len(calm) < 300_000, "a log keeps its last part"


def test_stopping_lets_a_running_job_keep_what_it_did(own_pool, endless):
    pool, worker = own_pool
    pool.submit(1, endless)
    assert pool.wait(5) == [], "it does not end by itself"
    assert pool.stop() == [(1, Stopped())]
    assert endless.checkpoint.exists()
    assert not worker.is_running()


def test_workers_end_when_their_driver_is_killed(drive, endless):
    driver, worker = drive(endless)
    driver.kill()
    assert wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_ctrl_c_in_the_process_group_leaves_workers_at_work_until_the_driver_says(drive, job):
    driver, worker = drive(job)
    assert wait_until(lambda: ignores(worker, signal.SIGINT)), "Python itself is up before it can decide"
    os.killpg(driver.pid, signal.SIGINT)
    assert driver.stdout.readline() == "Trained 1\n"


def ignores(process, number):
    """Whether a process ignores a signal, as the kernel sees it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    mask = int(re.search(r"^SigIgn:\s*([0-9a-f]+)$", status, re.MULTILINE)[1], 16)
    return bool(mask & 1 << number - 1)


def test_one_job_is_cancelled_while_another_runs_on_and_its_worker_stays(setup, module_cache, endless, job, tmp_path):
    before = set(psutil.Process().children())
    with WorkerPool(2, setup, tmp_path / "workers.log") as pool:
        workers = set(psutil.Process().children()) - before
        other = replace(endless, checkpoint=tmp_path / "other.pt")
        pool.submit("a", endless)
        pool.submit("b", other)
        pool.cancel("nobody's")
        assert pool.wait(5) == []
        pool.cancel("a")
        pool.cancel("a")
        assert pool.wait(60) == [("a", Stopped())]
        assert (pool.running, endless.checkpoint.exists()) == (["b"], True)
        short = replace(job, recipe=labels_only(), until=1, checkpoint=tmp_path / "short.pt")
        assert isinstance(answer_of(pool, "c", short), Trained), "a cancelled job is no lasting wish"
        assert set(psutil.Process().children()) - before == workers
