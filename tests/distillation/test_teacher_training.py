"""Teachers of a task: several, and those that learn from a teacher themselves."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from automl_kd.core import Input, Interrupted, UserError
from automl_kd.distillation import evaluate_teacher, expect_teacher, find_teacher
from automl_kd.execution import EvaluateJob, Setup
from automl_kd.execution.job_runner import JobRunner
from automl_kd.onnxio import export
from automl_kd.students import build
from automl_kd.tasks import Split, open_task
from automl_kd.teachers import TeacherStore

SMALL = "student: {family: resnet, depth: 8, width: 0.25, stem: {stride: 2}}"
WIDER = "student: {family: resnet, depth: 8, width: 0.375, stem: {stride: 2}}"
TRAIN = "train: {epochs: 1, batch_size: 250}"
KD = "distill: {losses: {kd: {weight: 0.9}}}"
FIRST = f"{{train: {{{WIDER}, {TRAIN}}}}}"
ASSISTANT = f"{{train: {{{SMALL}, {TRAIN}, {KD}, teacher: {FIRST}}}}}"


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def task(tmp_path):
    """A task of digits with the teacher that a test gives it."""

    def task(teacher, metric=None):
        file = tmp_path / "task.yaml"
        file.write_text(
            f"name: mine\ndata: {{kind: digits}}\nsplits: {{train: 500, validation: 300}}\nteacher: {teacher}\n"
        )
        return open_task(str(file), metric=metric)

    return task


def _find(task):
    """The teacher, and what was told while it was trained."""
    told = []
    resolved = find_teacher(task, None, watch=lambda lesson: bool(told.append(lesson)), device="cpu")
    return resolved, told


def _facts(tmp_path):
    return [
        json.loads(file.read_text())["record"]["facts"] for file in (tmp_path / "cache" / "teachers").glob("*.json")
    ]


class TestChain:
    def test_an_assistant_is_distilled_from_its_own_teacher_and_both_are_kept(self, task, tmp_path):
        assert expect_teacher(task(ASSISTANT), None).status == "to be trained"
        resolved, told = _find(task(ASSISTANT))
        assert [lesson.doing for lesson in told[:1] + told[-1:]] == [
            "training teacher 1 of 2, epoch 1 of 1",
            "training teacher 2 of 2, epoch 1 of 1",
        ]
        assert expect_teacher(task(ASSISTANT), None).status == "kept from before"
        assert expect_teacher(task(FIRST), None).status == "kept from before"
        first, nothing = _find(task(FIRST))
        assert nothing == []
        assert sorted(facts.get("teacher", "") for facts in _facts(tmp_path)) == ["", first.teacher.sha256]
        assert resolved.spec is None
        assert TeacherStore().by_hash(resolved.teacher.sha256) is not None

    def test_a_teacher_serves_searches_by_any_metric_and_its_file_says_by_which_it_was_judged(self, task, tmp_path):
        trained, told = _find(task(FIRST, metric="log_loss"))
        again, nothing = _find(task(FIRST))
        assert told != []
        assert nothing == []
        assert again.teacher.sha256 == trained.teacher.sha256
        (facts,) = _facts(tmp_path)
        values = evaluate_teacher(trained.teacher, task(FIRST), task(FIRST).validation).values
        assert (facts["metric"], facts["validation_score"]) == ("log_loss", pytest.approx(values["log_loss"]))
        assert facts["validation_metrics"] == pytest.approx(dict(values))

    def test_what_its_teacher_says_decides_what_an_assistant_learns(self, task):
        resolved, _ = _find(task(ASSISTANT))
        alone, _ = _find(task(f"{{train: {{{SMALL}, {TRAIN}}}}}"))
        other, told = _find(task(ASSISTANT.replace("width: 0.375", "width: 0.5")))
        assert len({resolved.teacher.sha256, alone.teacher.sha256, other.teacher.sha256}) == 3
        assert {lesson.number for lesson in told} == {1, 2}

    def test_a_born_again_network_has_its_teacher_s_architecture_and_other_weights(self, task):
        born_again = f"{{train: {{{SMALL}, {TRAIN}, seed: 1, {KD}, teacher: {{train: {{{SMALL}, {TRAIN}}}}}}}}}"
        resolved, _ = _find(task(born_again))
        first, _ = _find(task(f"{{train: {{{SMALL}, {TRAIN}}}}}"))
        assert resolved.teacher.feature_shapes() == first.teacher.feature_shapes()
        assert resolved.teacher.sha256 != first.teacher.sha256

    def test_stopped_within_the_assistant_it_goes_on_there_and_ends_the_same(self, task):
        def stop(lesson):
            return lesson.number == 2 and lesson.done > 0

        with pytest.raises(Interrupted):
            find_teacher(task(ASSISTANT), None, watch=stop, device="cpu")
        resolved, told = _find(task(ASSISTANT))
        assert {lesson.number for lesson in told} == {2}
        assert told[0].count == 2
        (TeacherStore()._folder / "keys").rename(TeacherStore()._folder / "forgotten")
        again, _ = _find(task(ASSISTANT))
        assert again.teacher.sha256 == resolved.teacher.sha256

    def test_an_assistant_may_learn_from_a_file(self, task, tmp_path):
        export(_network(0), tmp_path / "t.onnx", Input.of_images((1, 8, 8)))
        resolved, told = _find(task(f"{{train: {{{SMALL}, {TRAIN}, {KD}, teacher: {{onnx: t.onnx}}}}}}"))
        assert told[0].doing == "training the teacher, epoch 1 of 1"
        assert resolved.teacher.stage_names() == ("stage1", "stage2", "stage3")

    @pytest.mark.parametrize(
        ("teacher", "message"),
        [
            (f"{{train: {{{SMALL}, {TRAIN}, {KD}}}}}", "teacher.train: distill needs a teacher and none is named"),
            (
                f"{{train: {{{SMALL}, {TRAIN}, {KD}, teacher: {{train: {{{SMALL}, {TRAIN}, {KD}}}}}}}}}",
                "teacher.train.teacher.train: distill needs a teacher and none is named",
            ),
            (f"{{train: {{{SMALL}, {TRAIN}, teacher: {FIRST}}}}}", "a teacher is named and no loss needs it"),
            (f"{{train: {{{SMALL}, train: {{epochs: 1, freeze: 1}}}}}}", "train.freeze is 1, which never trains"),
        ],
    )
    def test_a_chain_with_a_link_missing_is_refused(self, task, teacher, message):
        with pytest.raises(UserError) as caught:
            task(teacher)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def _network(seed):
    torch.manual_seed(seed)
    return build({"family": "resnet", "depth": 8, "width": 0.25}, input_shape=(1, 8, 8), classes=10).eval()


class TestSeveral:
    def test_trained_ones_and_files_speak_together(self, task, tmp_path):
        export(_network(0), tmp_path / "t.onnx", Input.of_images((1, 8, 8)))
        opened = task(f"[{FIRST}, {{onnx: t.onnx}}]")
        assert expect_teacher(opened, None).status == "to be trained"
        resolved, told = _find(opened)
        assert (resolved.teacher.members, told[0].count) == (2, 1)
        assert expect_teacher(opened, None).status == "kept from before"

        setup = Setup(str(tmp_path / "task.yaml"), None, opened.sha256, resolved.spec, resolved.teacher.sha256, "cpu")
        answer = JobRunner(setup, lambda: False).do(EvaluateJob(None, None))
        logits = resolved.teacher.outputs(opened.modality.prepare(opened.test.inputs)).logits.double()
        expected = logits.softmax(dim=2).mean(dim=1).argmax(dim=1) == opened.test.labels
        assert (
            np.mean(answer.statistics[:, 0] == expected.numpy()) > 0.99
        )  # onnxruntime's last digits depend on the batch

    def test_on_the_command_line_they_are_joined(self, task, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for seed in (0, 1):
            export(_network(seed), tmp_path / f"{seed}.onnx", Input.of_images((1, 8, 8)))
        opened = task(FIRST)
        assert expect_teacher(opened, "0.onnx + 1.onnx").status == "brought by the user"
        resolved = find_teacher(opened, "0.onnx + {onnx: 1.onnx}")
        assert resolved.teacher.outputs(torch.zeros(3, 1, 8, 8)).logits.shape == (3, 2, 10)
        monkeypatch.chdir("/")
        assert find_teacher(opened, resolved.reference.file).teacher.sha256 == resolved.teacher.sha256
        assert [each.onnx for each in resolved.spec] == ["0.onnx", "1.onnx"]


def test_a_training_that_diverges_is_a_mistake_in_one_line_and_leaves_no_state(task, tmp_path):
    train = "train: {epochs: 2, batch_size: 100, optimizer: {name: sgd, lr: 1.0e+6}, warmup: 0}"
    mine = task(f"{{train: {{{SMALL}, {train}}}}}")
    with pytest.raises(UserError) as caught:
        find_teacher(mine, None, device="cpu")
    message = str(caught.value)
    assert message.startswith("task mine: training the teacher (resnet, 2 epochs) failed: ")
    assert "train.optimizer.lr" in message
    assert not list((tmp_path / "cache" / "teachers").rglob("*.pt"))


def test_black_images_teach_nobody(task):
    mine = task(f"{{train: {{{SMALL}, train: {{epochs: 4, batch_size: 100}}}}}}")
    nothing = Split(torch.zeros_like(mine.train.inputs), mine.train.labels)
    black = replace(mine, train=nothing, modality=replace(mine.modality, mean=(0.0,)))
    with pytest.raises(UserError, match="look at the data with automl-kd task check"):
        find_teacher(black, None, device="cpu")


def test_a_teacher_that_version_0_1_kept_is_found():
    task = open_task("digits")
    student = task.teacher.train.student
    key = "ace073b318a7e44e670422928724feb4209e6bf06aea92aa88eccbad416ee8c2"  # as version 0.1 named it
    TeacherStore().keep(key, student, task.signature, build(student, task.signature), {})
    assert expect_teacher(task, None).status == "kept from before"
