import time
from dataclasses import replace

import pytest
from worker_jobs import labels_only, recipe

from automl_kd.execution import Setup, TrainJob, WorkerPool
from automl_kd.tasks import open_task


@pytest.fixture(scope="module")
def setup(digits_teacher):
    return Setup(
        task="digits",
        data=None,
        data_sha256=open_task("digits").sha256,
        teacher=None,
        teacher_sha256=digits_teacher,
        device="cpu",
    )


@pytest.fixture(scope="module")
def module_cache(cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOML_KD_CACHE", str(cache))
        yield cache


@pytest.fixture(scope="module")
def pool(setup, module_cache, tmp_path_factory):
    """One worker for all tests that leave it alive."""
    with WorkerPool(1, setup, tmp_path_factory.mktemp("pool") / "workers.log") as pool:
        yield pool


@pytest.fixture
def job(tmp_path):
    return TrainJob(
        recipe=recipe(),
        total_epochs=6,
        until=6,
        checkpoint=tmp_path / "checkpoints" / "trial.pt",
        weights=tmp_path / "students" / "trial.safetensors",
        deadline=time.monotonic() + 600.0,
    )


@pytest.fixture
def endless(job):
    """A job that no test waits for."""
    return replace(job, recipe=labels_only(epochs=50_000), total_epochs=50_000, until=50_000)
