"""Workers on a Ray cluster of this machine: they may be killed, nodes may leave and join, and files travel."""

import os
import signal
import time
from dataclasses import replace

import pytest
import ray
from ray.cluster_utils import Cluster
from worker_jobs import labels_only

from automl_kd.core import UserError
from automl_kd.execution import Evaluated, EvaluateJob, Failed, Stopped, Trained
from automl_kd.execution.ray_executor import RayExecutor

_WORKER = {"CPU": 1, "seat": 1}


@pytest.fixture(scope="module")
def cluster(module_cache):
    """A head without room for workers, and a node with one seat."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    cluster.add_node(num_cpus=1, resources={"seat": 1})
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.fixture
def executor(cluster, setup):
    with RayExecutor(setup, address=cluster.address, resources=_WORKER) as executor:
        yield executor


def wait_until(executor, condition, seconds=150):
    """Let the executor see to its workers until something holds; gives the answers that came meanwhile."""
    answers, end = [], time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        answers += executor.wait(0.2)
    assert condition()
    return answers


def answer_of(executor, key, job):
    wait_until(executor, lambda: executor.idle)
    executor.submit(key, job)
    ((answered, answer),) = wait_until(executor, lambda: not executor.running, 120)
    assert answered == key
    return answer


def test_a_killed_worker_fails_its_job_its_replacement_goes_on_and_files_come_back(executor, job, endless, ray_workers):
    first = answer_of(executor, 1, replace(job, until=2))
    assert (first.epoch, job.checkpoint.exists(), job.weights.exists()) == (2, True, False)

    executor.submit(2, replace(endless, checkpoint=endless.checkpoint.with_name("endless.pt")))
    assert executor.wait(3) == [], "it does not end by itself"
    (worker,) = ray_workers()
    os.kill(worker.pid, signal.SIGKILL)
    ((key, answer),) = wait_until(executor, lambda: not executor.running)
    assert (key, answer.worker_died, answer.fatal) == (2, True, False)
    assert "\n" not in answer.reason

    last = answer_of(executor, 1, job)
    assert isinstance(last, Trained)
    assert last.epoch == 6
    assert isinstance(answer_of(executor, 3, EvaluateJob(job.recipe, job.weights)), Evaluated)


@pytest.mark.long
def test_the_executor_follows_the_cluster_and_outlives_a_node(executor, cluster, job, endless):
    wait_until(executor, lambda: executor.idle == 1)
    joined = cluster.add_node(num_cpus=1, resources={"seat": 1, "joined": 1})
    wait_until(executor, lambda: executor.idle == 2)
    assert executor.size == 2
    for key in (1, 2):
        executor.submit(key, replace(endless, checkpoint=endless.checkpoint.with_name(f"{key}.pt")))
    cluster.remove_node(joined, allow_graceful=False)

    ((lost, answer),) = wait_until(executor, lambda: len(executor.running) == 1)
    assert isinstance(answer, Failed)
    assert answer.worker_died
    assert executor.running == [3 - lost], "the other node's job is not disturbed"
    wait_until(executor, lambda: executor.size == 1)
    assert executor.abandon() == [3 - lost]
    assert isinstance(answer_of(executor, 3, replace(job, recipe=labels_only(), until=1)), Trained)


@pytest.mark.long
def test_stopping_reaches_a_running_job_whose_state_comes_back(cluster, setup, endless):
    with RayExecutor(setup, address=cluster.address, resources=_WORKER) as executor:
        wait_until(executor, lambda: executor.idle)
        executor.submit(1, endless)
        assert executor.wait(4) == []
        assert executor.stop() == [(1, Stopped())]
    assert endless.checkpoint.exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"address": "127.0.0.1:9"}, "no Ray cluster answers at 127.0.0.1:9"),
        ({"address": "somewhere"}, "write host:port"),
        ({"resources": {"CPU": 1, "seat": 7}}, "no node of the Ray cluster has what one trial takes: CPU=1, seat=7"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_told_in_one_line(cluster, setup, given, told):
    with pytest.raises(UserError, match=told):
        RayExecutor(setup, **{"address": cluster.address, **given})
    assert not ray.is_initialized()


@pytest.mark.long
def test_a_job_that_is_cancelled_comes_back_and_its_worker_takes_the_next(executor, endless, job, tmp_path):
    wait_until(executor, lambda: executor.idle)
    executor.submit(1, endless)
    assert executor.wait(3) == [], "it does not end by itself"
    executor.cancel(2)
    executor.cancel(1)
    assert wait_until(executor, lambda: not executor.running) == [(1, Stopped())]
    assert endless.checkpoint.exists()
    short = replace(job, recipe=labels_only(), until=1, checkpoint=tmp_path / "short.pt")
    assert isinstance(answer_of(executor, 2, short), Trained)
