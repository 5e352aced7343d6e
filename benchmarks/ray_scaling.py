"""Trials a second of 64 workers on Ray, where each trial sleeps: what is lost between trials.

    python -m benchmarks.ray_scaling

Each trial takes a job with a checkpoint of 1 MB and gives one back, as a training between two rungs does. The same
trials run through the search's own executor (one actor a worker), as Ray tasks, and under ``tune.Tuner``. Workers are
warm: each has done a trial before the clock starts; Tune, which starts its own, is timed from its first trial's start.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import ray
from ray import tune

from automl_kd.execution import Setup, Trained, TrainJob, ray_executor
from automl_kd.execution.file_bundles import AnswerBundle, JobBundle, SetupBundle
from automl_kd.recipes import Recipe
from automl_kd.teachers import OnnxTeacher

WORKERS = 64
SECONDS = 10.0
ROUNDS = 3
CHECKPOINT = bytes(1_000_000)
SEAT = {"CPU": 1.0}
RECIPE = Recipe.model_validate({"student": {"family": "resnet", "depth": 8}, "train": {"epochs": 9}})


class Sleeper:
    """Stands in for a worker: its trainings sleep."""

    def __init__(self, packed: SetupBundle, archives: object) -> None:
        pass

    def start(self) -> str:
        return ray.get_runtime_context().get_node_id()

    def do(self, bundle: JobBundle) -> AnswerBundle:
        time.sleep(SECONDS)
        return AnswerBundle(Trained(0.5, 0.1, {}, 1, SECONDS, 0.0), CHECKPOINT)


def job(folder: Path, number: int) -> TrainJob:
    checkpoint = folder / f"{number}.pt"
    if not checkpoint.exists():
        checkpoint.write_bytes(CHECKPOINT)
    return TrainJob(RECIPE, 9, 3, checkpoint, folder / f"{number}.safetensors", time.monotonic() + 600)


def by_executor(folder: Path) -> float:
    """Seconds from the first warm submission to the last answer."""
    vars(ray_executor)["_Actor"] = Sleeper
    (folder / "teacher.onnx").write_bytes(CHECKPOINT)
    setup = Setup("digits", None, "", OnnxTeacher(onnx=str(folder / "teacher.onnx")), "", "cpu")
    with ray_executor.RayExecutor[int](setup, most=WORKERS, resources=SEAT) as executor:
        while executor.idle < WORKERS:
            executor.wait(1.0)

        def run(trials: int) -> float:
            began, given, done = time.monotonic(), 0, 0
            while done < trials:
                while given < trials and executor.idle:
                    executor.submit(given, job(folder, given))
                    given += 1
                done += len(executor.wait(0.2))
            return time.monotonic() - began

        run(WORKERS)
        return run(WORKERS * ROUNDS)


def by_tasks(folder: Path) -> float:
    """The same as one Ray task a trial."""

    @ray.remote(num_cpus=SEAT["CPU"])
    def trial(bundle: JobBundle) -> AnswerBundle:
        time.sleep(SECONDS)
        return AnswerBundle(Trained(0.5, 0.1, {}, 1, SECONDS, 0.0), CHECKPOINT)

    def run(trials: int) -> float:
        began, given, running = time.monotonic(), 0, {}
        while given < trials or running:
            while given < trials and len(running) < WORKERS:
                running[trial.remote(JobBundle.pack(job(folder, given)))] = job(folder, given)
                given += 1
            ready, _ = ray.wait(list(running), timeout=0.2)
            for reference in ready:
                ray.get(reference).deliver(running.pop(reference))
        return time.monotonic() - began

    run(WORKERS)
    return run(WORKERS * ROUNDS)


def by_tune(folder: Path) -> float:
    """The same under Tune, actors reused; its trials report a metric and keep no checkpoint."""

    def trial(config: dict[str, float]) -> None:
        began = time.time()
        time.sleep(SECONDS)
        tune.report({"began": began, "ended": time.time()})

    tuner = tune.Tuner(
        tune.with_resources(trial, {"cpu": SEAT["CPU"]}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(num_samples=WORKERS * (ROUNDS + 1), reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    )
    metrics = [result.metrics for result in tuner.fit()]
    started = sorted(each["began"] for each in metrics)
    # From the first trial of the second round, as the others are timed once their workers are warm.
    return max(each["ended"] for each in metrics) - started[WORKERS]


def main() -> None:
    ideal = SECONDS * ROUNDS
    print(f"{WORKERS} workers, {WORKERS * ROUNDS} trials of {SECONDS:g} s each\n")
    print("| form | wall time | trials a second | × trial length / workers |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        ray.init(address="local", num_cpus=WORKERS, log_to_driver=False, logging_level="ERROR")
        for form, run in (("RayExecutor: actors", by_executor), ("tasks", by_tasks), ("ray.tune", by_tune)):
            seconds = run(Path(name))
            trials = WORKERS * ROUNDS / seconds
            print(f"| {form} | {seconds:.1f} s | {trials:.2f} | {ideal / seconds:.3f} |", flush=True)
        ray.shutdown()


if __name__ == "__main__":
    main()
