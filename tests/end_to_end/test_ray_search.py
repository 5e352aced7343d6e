"""A search on a Ray cluster from start to end, though a worker, the driver and a node die on the way."""

import json
import signal
import sqlite3
import time
from collections import Counter

import pytest
from outside import until
from ray.cluster_utils import Cluster

from automl_kd.core import UserError
from automl_kd.studies.request import SearchRequest


@pytest.fixture(scope="module")
def cluster(cache):
    """A head without room for trials, and two nodes with room for one each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_KD_CACHE", str(cache))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        cluster.extra = [cluster.add_node(num_cpus=1) for _ in range(2)]
        cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()


@pytest.mark.long
def test_a_search_on_ray_survives_worker_driver_and_node(command, few, digits_teacher, cluster, ray_workers, tmp_path):
    arguments = ("search", *few, "--study", "cam", "--executor", "ray", "--address")
    arguments += (cluster.address, "--json")
    driver = command.start(*arguments, cwd=tmp_path)
    until(ray_workers)[0].send_signal(signal.SIGKILL)
    time.sleep(8)
    assert driver.poll() is None, driver.stderr.read()
    driver.kill()
    driver.communicate()
    until(lambda: not ray_workers())

    driver = command.start(*arguments, cwd=tmp_path)
    until(ray_workers)
    cluster.remove_node(cluster.extra.pop(), allow_graceful=False)
    out, err = driver.communicate(timeout=120)

    assert driver.returncode == 0, err
    document = json.loads(out)
    assert document["picks"]
    assert document["trials"]["complete"] > 0
    with sqlite3.connect(tmp_path / "automl-kd.db") as database:
        states = Counter(state for (state,) in database.execute("select state from trials"))
        told = database.execute("select count(*) from trial_values group by trial_id").fetchall()
    assert "RUNNING" not in states
    assert set(told) == {(2,)}, "no trial is told twice"
    assert not list((tmp_path / "automl-kd-files" / "cam" / "checkpoints").glob("*.pt"))


def test_an_unreachable_cluster_is_told_in_one_line(command, cheap, digits_teacher, tmp_path):
    ray = ("--executor", "ray", "--address", "127.0.0.1:9")
    ended = command("search", *cheap, "--budget", "60s", *ray, cwd=tmp_path)
    assert ended.code == 2
    assert "no Ray cluster answers at 127.0.0.1:9" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"address": "127.0.0.1:9"}, "only for executor ray"),
        ({"executor": "cluster"}, "unknown executor 'cluster'"),
        ({"executor": "ray", "per_trial": "gpu"}, "write resources such as cpu=1,gpu=0.25"),
        ({"executor": "ray", "per_trial": "cpu=0"}, "must ask for something"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(given, told):
    with pytest.raises(UserError, match=told):
        SearchRequest(hw="jetson-nano", budget="60s", **given)
