"""Jobs, answers and setups that cross to a machine with other files: here a process' own cache and folders."""

import hashlib
import io
import pickle
import shutil
import tarfile
import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from worker_jobs import answer_of, labels_only, recipe

from automl_kd.core import UserError
from automl_kd.execution import Evaluated, EvaluateJob, Failed, Setup, Stopped, Trained, TrainJob
from automl_kd.execution.archive import Archive, unpack_archive
from automl_kd.execution.file_bundles import AnswerBundle, JobBundle, SetupBundle
from automl_kd.execution.job_runner import JobRunner
from automl_kd.students import build, pinned, save_weights
from automl_kd.tasks import open_task
from automl_kd.teachers import CheckpointTeacher, KeptTeacher, OnnxTeacher, TeacherStore


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Become a machine whose cache is empty."""

    def move():
        monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "elsewhere"))
        return tmp_path / "elsewhere"

    return move


def across(value):
    """A value after its way through bytes."""
    return pickle.loads(pickle.dumps(value))


def done_elsewhere(runner, job, folder):
    """Have a job done with files of another folder; what comes back is put where the job says."""
    folder.mkdir()
    local = across(JobBundle.pack(job)).unpack(folder)
    return across(AnswerBundle.pack(runner.do(local), local)).deliver(job)


def test_a_training_goes_on_from_machine_to_machine_with_the_weights_of_one_that_stayed(
    pool, setup, job, module_cache, elsewhere, tmp_path
):
    own = tmp_path / "own.safetensors"
    task = open_task("digits")
    save_weights(build(job.recipe.student, task.signature), own)
    student = type(job.recipe.student).model_validate(
        {**job.recipe.student.model_dump(), "start": {"weights": str(own)}}
    )
    job = replace(job, recipe=job.recipe.model_copy(update={"student": pinned(student, task.signature)}))
    packed, archives = SetupBundle.pack(replace(setup, weights=(str(own),)))
    straight = replace(job, checkpoint=tmp_path / "straight.pt", weights=tmp_path / "straight.safetensors")
    assert isinstance(answer_of(pool, 1, straight), Trained)
    elsewhere()
    here, there = (JobRunner(across(packed).unpack(archives.__getitem__), lambda: False) for _ in range(2))
    own.unlink()

    first = done_elsewhere(here, replace(job, until=2), tmp_path / "here")
    assert (first.epoch, job.checkpoint.exists(), job.weights.exists()) == (2, True, False)
    late = done_elsewhere(there, replace(job, deadline=time.monotonic()), tmp_path / "late")
    assert isinstance(late, Stopped)
    last = done_elsewhere(there, job, tmp_path / "there")
    assert isinstance(last, Trained)
    assert job.weights.read_bytes() == straight.weights.read_bytes()

    student = done_elsewhere(here, EvaluateJob(job.recipe, job.weights), tmp_path / "student")
    teacher = done_elsewhere(here, EvaluateJob(None, None), tmp_path / "teacher")
    assert isinstance(student, Evaluated)
    assert teacher.values["accuracy"] > 0.95, "the teacher travelled"


def test_a_setup_is_unpacked_once_a_machine_and_a_damaged_archive_never(setup, module_cache, elsewhere):
    packed, archives = SetupBundle.pack(setup)
    elsewhere()
    for spoil in (lambda parts: parts[:-1], lambda parts: parts[:1], lambda parts: [*parts, b"more"]):
        with pytest.raises(UserError, match="damaged on its way"):
            packed.unpack(lambda sha256, spoil=spoil: spoil(list(archives[sha256])))
    fetched = []

    def fetch(sha256):
        fetched.append(sha256)
        return archives[sha256]

    assert packed.unpack(fetch) == packed.unpack(fetch)
    assert fetched == list(packed.hashes)


def test_an_archive_is_a_tar_file_that_depends_on_names_and_contents_alone(tmp_path):
    for name in ("one", "two"):
        folder = tmp_path / name / "photos"
        (folder / "cats" / "none").mkdir(parents=True)
        (folder / ("long" * 40)).write_bytes(b"x")
        (folder / "cats" / "a.png").write_bytes(bytes(range(256)) * 10_000)  # of more than one part
        (folder / "empty").touch()
    first, second = (Archive(tmp_path / name / "photos") for name in ("one", "two"))
    assert first.sha256 == second.sha256 == hashlib.sha256(b"".join(first)).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(b"".join(first))) as tar:
        assert len(tar.getnames()) == 6
    unpack_archive(tmp_path / "there", first.sha256, first)
    found = {str(path.relative_to(tmp_path / "there")): path for path in (tmp_path / "there").rglob("*")}
    assert found["photos/cats/a.png"].read_bytes() == bytes(range(256)) * 10_000
    assert (found["photos/empty"].read_bytes(), found["photos/cats/none"].is_dir()) == (b"", True)
    assert found["photos/" + "long" * 40].read_bytes() == b"x"
    (tmp_path / "two" / "photos" / "empty").write_text("no more")
    assert Archive(tmp_path / "two" / "photos").sha256 != first.sha256
    with pytest.raises(UserError, match="cannot be read to be sent to other machines"):
        list(Archive(tmp_path / "absent"))


def test_what_lies_behind_links_travels_but_not_the_folders_around(tmp_path):
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "a.png").write_bytes(b"a")
    photos = tmp_path / "photos"
    (photos / "cats").mkdir(parents=True)
    for link, target in {"more": tmp_path / "away", "up": "..", "far": "/", "gone": "nowhere"}.items():
        (photos / "cats" / link).symlink_to(target)
    archive = Archive(photos)
    unpack_archive(tmp_path / "there", archive.sha256, archive)
    found = {path.relative_to(tmp_path / "there") for path in (tmp_path / "there").rglob("*") if path.is_file()}
    assert {str(path) for path in found} == {"photos/cats/more/a.png"}


def test_data_and_several_teachers_given_by_path_travel(setup, module_cache, elsewhere, tmp_path, digits_teacher):
    source = tmp_path / "source"
    source.mkdir()
    np.savez(source / "data.npz", x=np.arange(120 * 64, dtype=np.uint8).reshape(120, 8, 8), y=np.arange(120) % 3)
    (source / "mine.yaml").write_text("name: mine\ndata: {kind: npz, path: data.npz}\n")
    task = open_task(str(source / "mine.yaml"))
    kept = TeacherStore().place(digits_teacher)
    teachers = (KeptTeacher(digits_teacher), kept, OnnxTeacher(onnx=str(source / "data.npz")))
    mine = replace(setup, task=str(source / "mine.yaml"), data_sha256=task.sha256, teacher=teachers)
    packed, archives = SetupBundle.pack(mine)
    archives = {sha256: list(archive) for sha256, archive in archives.items()}
    shutil.rmtree(source)

    cache = elsewhere()
    there = packed.unpack(archives.__getitem__)

    assert open_task(there.task, there.data).sha256 == task.sha256
    assert [type(each) for each in there.teacher] == [CheckpointTeacher, CheckpointTeacher, OnnxTeacher]
    assert all(str(cache) in text for text in (there.data, there.task, there.teacher[0].checkpoint))
    assert there.teacher[0].checkpoint.endswith(".safetensors"), "an ending says how a file is read"


def test_a_worker_with_other_data_than_the_study_s_refuses(setup, job, module_cache, elsewhere, tmp_path):
    packed, archives = SetupBundle.pack(replace(setup, data_sha256="0" * 64))
    elsewhere()
    runner = JobRunner(packed.unpack(archives.__getitem__), lambda: False)
    answer = done_elsewhere(runner, replace(job, recipe=labels_only()), tmp_path / "folder")
    assert answer == Failed("task digits: the data changed while the study ran", fatal=True)


def test_a_folder_that_cannot_be_written_is_an_answer(tmp_path):
    (tmp_path / "file").write_text("")
    job = TrainJob(recipe(), 6, 6, tmp_path / "file" / "c.pt", tmp_path / "w", time.monotonic())
    answer = AnswerBundle(Stopped(), b"state").deliver(job)
    assert isinstance(answer, Failed)


@pytest.mark.parametrize("listed", [False, True])
def test_pictures_without_labels_and_the_size_of_the_teacher_go_along(tmp_path, elsewhere, listed):
    source = np.random.RandomState(0)
    for index in range(30):
        folder = tmp_path / ("photos/ant", "photos/bee", "more/deep")[index % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(source.randint(0, 255, (40, 40, 3), dtype=np.uint8)).save(folder / f"{index}.png")
    (tmp_path / "more" / "list.csv").write_text("path\ndeep/2.png\ndeep/5.png\n")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text('{"architecture": "resnet18", "input_size": [3, 16, 16]}')
    task_file = tmp_path / "task.yaml"
    unlabelled = "more/list.csv" if listed else "more"
    task_file.write_text(
        f"name: t\ndata: {{kind: image-folder, path: photos, unlabelled: {unlabelled}}}\nteacher: {{timm: net}}\n"
    )
    task = open_task(str(task_file))
    assert task.signature.input.shape == (3, 16, 16)
    packed, archives = SetupBundle.pack(Setup(str(task_file), None, task.sha256, task.teacher, "t", "cpu"))
    content = {sha256: b"".join(archive) for sha256, archive in archives.items()}
    for place in ("photos", "more", "net"):
        (tmp_path / place).rename(tmp_path / f"{place} of the driver")
    elsewhere()
    there = across(packed).unpack(lambda sha256: [content[sha256]])
    assert open_task(there.task, there.data).sha256 == task.sha256
    own = across(packed).with_own(str(tmp_path / "photos of the driver"), None)
    assert len(own.hashes) == len(packed.hashes) - 1
    assert open_task(there.task, own.setup.data).sha256 == task.sha256
