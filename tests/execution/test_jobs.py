"""What a worker answers: trainings that go on bit for bit, limits in time, and failures with their reason."""

import time
from dataclasses import replace

import numpy as np
import pytest
from worker_jobs import answer_of, labels_only, recipe

from automl_kd.compression import write
from automl_kd.distillation import material_of
from automl_kd.execution import Evaluated, EvaluateJob, Failed, Stopped, Trained, WorkerPool
from automl_kd.execution.job_runner import JobRunner
from automl_kd.onnxio import Session
from automl_kd.students import build, load_weights, save_weights
from automl_kd.tasks import open_task


@pytest.fixture
def straight(job, tmp_path):
    """The same training without a break."""
    return replace(job, checkpoint=tmp_path / "straight.pt", weights=tmp_path / "straight.safetensors")


def test_a_training_that_pauses_at_a_rung_ends_with_the_weights_of_one_that_did_not(pool, job, straight):
    first = answer_of(pool, 1, replace(job, until=2))
    assert (first.epoch, job.checkpoint.exists(), job.weights.exists()) == (2, True, False)
    resumed = answer_of(pool, 1, job)
    whole = answer_of(pool, 2, straight)

    assert isinstance(resumed, Trained)
    assert (resumed.epoch, resumed.score, resumed.values) == (6, whole.score, whole.values)
    assert job.weights.read_bytes() == straight.weights.read_bytes()
    again = answer_of(pool, 1, job)
    assert (again.epoch, again.score) == (6, whole.score), "an answer lost on its way costs an evaluation"
    assert again.seconds == resumed.seconds


def test_a_training_stops_at_its_own_time_limit_and_goes_on_later_as_if_it_had_not(pool, job, straight):
    answers = [answer_of(pool, 1, replace(job, deadline=time.monotonic()))]
    while isinstance(answers[-1], Stopped):
        deadline = job.deadline if len(answers) > 3 else time.monotonic() + 0.05
        answers.append(answer_of(pool, 1, replace(job, deadline=deadline)))
    whole = answer_of(pool, 2, straight)

    assert isinstance(answers[0], Stopped)
    assert answers[-1].score == whole.score
    assert job.weights.read_bytes() == straight.weights.read_bytes()


def test_a_training_that_diverges_fails_with_its_reason_and_the_worker_works_on(pool, job):
    wild = labels_only(optimizer={"name": "sgd", "lr": 1e6, "weight_decay": 1e3})
    answer = answer_of(pool, 1, replace(job, recipe=wild))
    assert isinstance(answer, Failed)
    assert "non-finite" in answer.reason
    assert not answer.fatal
    assert not answer.worker_died
    assert isinstance(answer_of(pool, 2, replace(job, recipe=labels_only(), until=1)), Trained)


def test_a_recipe_that_does_not_fit_its_student_is_a_failure_in_one_line_and_the_worker_works_on(pool, job):
    elsewhere = job.recipe.with_(distill={"losses": {"attention_transfer": {"weight": 1.0, "at": ["stage9"]}}})
    answer = answer_of(pool, 1, replace(job, recipe=elsewhere))
    assert isinstance(answer, Failed)
    assert "the student has no stage" in answer.reason
    assert "\n" not in answer.reason
    assert isinstance(answer_of(pool, 2, replace(job, recipe=labels_only(), until=1)), Trained)


def test_the_test_split_is_read_with_a_trained_student_and_with_the_teacher(pool, job):
    trained = answer_of(pool, 1, job)
    student = answer_of(pool, 2, EvaluateJob(job.recipe, job.weights))
    teacher = answer_of(pool, 3, EvaluateJob(None, None))

    assert isinstance(student, Evaluated)
    for read in (student, teacher):
        assert read.statistics.shape == (len(open_task("digits").test), 1)
        assert read.values["accuracy"] == pytest.approx(read.statistics.mean())
    assert abs(student.values["accuracy"] - trained.score) < 0.15, "about as good as on search-validation"
    assert teacher.values["accuracy"] > 0.95


def test_what_is_compressed_is_read_as_its_file_answers_and_beside_it_in_float32(setup, job, tmp_path, module_cache):
    runner, task = JobRunner(setup, lambda: False), open_task("digits")
    assert isinstance(runner.do(replace(job, total_epochs=2, until=2)), Trained)
    plain = runner.do(EvaluateJob(job.recipe, job.weights))
    small = job.recipe.with_(compress=[{"stage": "quantise", "examples": 64}])
    read = runner.do(EvaluateJob(small, job.weights))

    student = load_weights(build(small.student, task.signature), job.weights)
    write(small.compress, student, material_of(task, small.seed), tmp_path / "student.onnx", None)
    outputs = Session(tmp_path / "student.onnx").run(task.modality.prepare(task.test.inputs).numpy())
    right = outputs.argmax(axis=1) == task.test.labels.numpy()

    assert plain.uncompressed is None
    np.testing.assert_array_equal(read.statistics[:, 0], right)
    np.testing.assert_array_equal(read.uncompressed.statistics, plain.statistics)
    assert read.uncompressed.values == plain.values
    assert read.values["log_loss"] != plain.values["log_loss"]


@pytest.fixture
def arrays(tmp_path):
    """A task whose data are a file: a bright stripe tells the class."""
    labels = np.arange(120) % 3
    images = np.zeros((120, 8, 8), np.uint8)
    images[np.arange(120), labels * 2] = 200
    np.savez(tmp_path / "data.npz", x=images, y=labels)
    (tmp_path / "stripes.yaml").write_text("name: stripes\ndata: {kind: npz, path: data.npz}\n")
    return tmp_path


def test_an_evaluation_asks_before_every_batch_whether_to_stop(setup, job, module_cache):
    asked = []
    patient, stopped = JobRunner(setup, lambda: bool(asked.append(1))), JobRunner(setup, lambda: True)
    for evaluation in (EvaluateJob(None, None), EvaluateJob(job.recipe, job.weights)):
        if evaluation.weights is not None:
            assert isinstance(patient.do(job), Trained)
        asked.clear()
        assert isinstance(patient.do(evaluation), Evaluated)
        assert len(asked) == (1 if evaluation.weights else 2)  # 497 images, 1024 or 256 at a time
        assert isinstance(stopped.do(evaluation), Stopped)


def test_a_student_whose_outputs_are_no_numbers_has_no_score_and_fails(setup, job, tmp_path, module_cache):
    task = open_task("digits")
    student = build(job.recipe.student, task.signature)
    for parameter in student.parameters():
        parameter.data.fill_(float("nan"))
    save_weights(student, tmp_path / "broken.safetensors")
    runner = JobRunner(replace(setup, metric="log_loss"), lambda: False)
    answer = runner.do(EvaluateJob(job.recipe, tmp_path / "broken.safetensors"))
    assert answer == Failed("its log loss is not a number, because its outputs are not")


def test_a_worker_refuses_data_that_changed_since_the_study_began(arrays, setup, job, module_cache):
    name = str(arrays / "stripes.yaml")
    changed = replace(setup, task=name, data_sha256=open_task(name).sha256)
    np.savez(arrays / "data.npz", x=np.random.RandomState(0).randint(0, 255, (120, 8, 8)), y=np.arange(120) % 3)

    with WorkerPool(1, changed, arrays / "workers.log") as pool:
        answer = answer_of(pool, 1, replace(job, recipe=labels_only().with_(task=name)))

    assert answer == Failed(f"task {name}: the data changed while the study ran", fatal=True)
    assert not job.checkpoint.exists()


def test_a_worker_refuses_a_teacher_that_is_gone_and_names_it(setup, job, tmp_path, module_cache):
    with WorkerPool(1, replace(setup, teacher_sha256="0" * 64), tmp_path / "workers.log") as pool:
        answer = answer_of(pool, 1, replace(job, recipe=recipe()))
    assert answer.fatal
    assert answer.reason.startswith("teacher 000000000000 is gone from the cache")
