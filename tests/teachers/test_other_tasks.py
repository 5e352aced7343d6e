"""Teachers of tasks that are not images with one label each: multilabel, regression, texts as ids."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx_cases import node, write
from teacher_cases import SHAPE, STUDENT, small_task
from torch import nn

from automl_kd.core import UserError
from automl_kd.recipes import TaskReference
from automl_kd.students import build
from automl_kd.tasks import Images, Multiclass, Multilabel, Regression, Split, Task, Texts, parse_teacher
from automl_kd.teachers import (
    CheckpointTeacher,
    OnnxTeacher,
    ProgramTeacher,
    TargetCache,
    TeacherStore,
    TimmTeacher,
    load_teacher,
    module_teacher,
    read_teacher,
)

LABELS = ("a", "b", "c")
VOCABULARY = tuple("abcdefgh")
LENGTH = 6


def _task(modality, problem, inputs, labels):
    split = Split(inputs, labels)
    return Task(
        name="other",
        modality=modality,
        problem=problem,
        train=split,
        validation=split,
        test=split,
        metrics=problem.metrics(),
        sha256="b" * 64,
        teacher=None,
        reference=TaskReference(name="other"),
    )


def _images(pixels):
    """Grey images whose first pixels are given, (N, K)."""
    images = torch.full((len(pixels), *SHAPE), 0.1)
    images[:, 0, 0, : pixels.shape[1]] = pixels
    return images


def multilabel_task(names=LABELS):
    """Any of three pixels is bright."""
    there = torch.rand(240, 3, generator=torch.Generator().manual_seed(0)) < 0.3
    return _task(Images(SHAPE, (0.1,), (0.2,)), Multilabel(names), _images(0.1 + 0.8 * there.float()), there.float())


def regression_task():
    """The label is a hundred times the brightness of the first pixel."""
    bright = torch.rand(240, 1, generator=torch.Generator().manual_seed(0))
    problem = Regression(("brightness",), (50.0,), (29.0,))
    return _task(Images(SHAPE, (0.1,), (0.2,)), problem, _images(bright), 100 * bright)


def text_task():
    """The class is the letter, a or b, that is there more often."""
    ids = torch.randint(2, 10, (240, LENGTH), generator=torch.Generator().manual_seed(0))
    labels = ((ids == 2).sum(1) < (ids == 3).sum(1)).long()
    return _task(Texts(LENGTH, "characters", VOCABULARY), Multiclass(("a", "b")), ids, labels)


def weights(order=(0, 1, 2)):
    """(3, 64): reads whether each pixel is bright, in the order given; beside a bias of -2 for each."""
    weight = np.zeros((3, 64), np.float32)
    weight[range(3), list(order)] = 1.0
    return weight


def _biased(name="z", biased="y"):
    return node("Add", name, "bias", biased)


def _multilabel_onnx(path, *end, out="y", order=(0, 1, 2), **told):
    return write(
        path,
        weight=weights(order),
        end=(_biased(), *end),
        outputs={out: ["N", 3]},
        constants={"bias": np.float32([-2]), "one": np.float32([1])},
        **told,
    )


class Letters(nn.Module):
    """Counts two letters: ids (N, length) to logits (N, 2)."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 2)
        with torch.no_grad():
            self.embedding.weight.zero_()
            self.embedding.weight[2, 0] = self.embedding.weight[3, 1] = 6.0

    def forward(self, ids):
        return self.embedding(ids).mean(dim=1) + torch.tensor([0.5, 0.0])


def _letters_onnx(path, kind=TensorProto.INT64):
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"]),
            helper.make_node("ReduceMean", ["rows"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("Add", ["mean", "bias"], ["logits"]),
        ],
        "g",
        [helper.make_tensor_value_info("ids", kind, ["N", LENGTH])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2])],
        [
            onnx.numpy_helper.from_array(Letters().embedding.weight.detach().numpy(), "table"),
            onnx.numpy_helper.from_array(np.float32([0.5, 0.0]), "bias"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return str(path)


def _message(spec, task):
    with pytest.raises(UserError) as caught:
        load_teacher(spec, task)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _logits(teacher, task):
    return teacher.outputs(task.modality.prepare(task.validation.inputs)).logits


@pytest.mark.parametrize("make_task", [multilabel_task, regression_task])
def test_a_checkpoint_gives_what_its_network_gives(tmp_path, make_task):
    task = make_task()
    torch.manual_seed(0)
    module = build(STUDENT, task.signature).eval()
    torch.save(module.state_dict(), tmp_path / "t.pt")
    teacher = load_teacher(CheckpointTeacher(checkpoint=str(tmp_path / "t.pt"), student=STUDENT), task)
    inputs = task.modality.prepare(task.train.inputs[:5])
    with torch.no_grad():
        torch.testing.assert_close(teacher.outputs(inputs).logits, module(inputs))


class TestMultilabel:
    def test_logits_before_a_sigmoid_are_taken_however_it_is_written(self, tmp_path):
        task = multilabel_task()
        plain = load_teacher(OnnxTeacher(onnx=str(_multilabel_onnx(tmp_path / "z.onnx"))), task)
        assert (plain.understood.outputs, plain.understood.warnings) == ("logits", ())
        expected = _logits(plain, task)
        assert torch.equal(expected > 0, task.validation.labels > 0)

        ends = _multilabel_onnx(tmp_path / "s.onnx", node("Sigmoid", "y", "p"), out="p")
        sigmoid = load_teacher(OnnxTeacher(onnx=str(ends)), task)
        assert "the logits before the Sigmoid" in sigmoid.understood.outputs
        assert torch.equal(_logits(sigmoid, task), expected)

        exponential = (node("Neg", "y", "n"), node("Exp", "n", "e"))
        steps = (*exponential, node("Add", "e", "one", "g"), node("Div", "one", "g", "p"))
        seen = load_teacher(OnnxTeacher(onnx=str(_multilabel_onnx(tmp_path / "e.onnx", *steps, out="p"))), task)
        assert seen.understood.outputs == "probabilities, whose log-odds are taken"
        assert "if they are logits, say outputs: logits" in seen.understood.warnings[0]
        torch.testing.assert_close(_logits(seen, task), expected, rtol=1e-3, atol=1e-3)

        said = OnnxTeacher(onnx=str(tmp_path / "e.onnx"), outputs="logits")
        assert float(_logits(load_teacher(said, task), task).min()) > 0

    def test_a_softmax_is_none_of_a_yes_or_no_each(self, tmp_path):
        ends = _multilabel_onnx(tmp_path / "s.onnx", node("Softmax", "y", "p", axis=1), out="p")
        teacher = load_teacher(OnnxTeacher(onnx=str(ends)), multilabel_task())
        assert teacher.understood.outputs == "probabilities, whose log-odds are taken"

    def test_a_program_that_ends_in_a_sigmoid(self, tmp_path):
        torch.manual_seed(0)
        linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        program = torch.export.export(nn.Sequential(linear, nn.Sigmoid()).eval(), (torch.randn(4, *SHAPE),))
        torch.export.save(program, tmp_path / "t.pt2")
        task = multilabel_task()
        teacher = load_teacher(ProgramTeacher(program=str(tmp_path / "t.pt2")), task)
        inputs = task.modality.prepare(task.train.inputs[:9])
        with torch.no_grad():
            torch.testing.assert_close(teacher.outputs(inputs).logits, linear(inputs), rtol=1e-3, atol=1e-4)

    def test_labels_are_matched_by_name(self, tmp_path):
        path = _multilabel_onnx(tmp_path / "o.onnx", order=(2, 0, 1), metadata={"names": '["c", "a", "b"]'})
        teacher = load_teacher(OnnxTeacher(onnx=str(path)), multilabel_task())
        assert teacher.understood.classes == "matched by name, in another order (its ONNX file)"
        assert teacher.signature == multilabel_task().signature
        (reading,) = read_teacher(teacher, multilabel_task())
        assert (reading.score, reading.warnings) == (1.0, ())

    def test_what_is_read_of_it_stands_beside_the_best_constant_answer(self, tmp_path):
        task = multilabel_task()
        teacher = load_teacher(OnnxTeacher(onnx=str(_multilabel_onnx(tmp_path / "z.onnx"))), task)
        (reading,) = read_teacher(teacher, task)
        assert (reading.metric, reading.score, reading.examples, reading.warnings) == ("micro_f1", 1.0, 240, ())
        assert 0.3 < reading.constant < 0.6
        document = json.loads(json.dumps(reading.document()))
        assert document["rows"][-1].startswith("micro F1 100.0 % on 240 images of search-validation; always the best")

    def test_one_answer_to_all_is_a_warning(self, tmp_path):
        task = multilabel_task()
        constant = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        with torch.no_grad():
            constant[1].weight.zero_()
            constant[1].bias.copy_(task.problem.constant_answer(task.validation.labels))
        (reading,) = read_teacher(module_teacher(constant, task.signature), task)
        assert reading.score == reading.constant
        assert "where one answer to all has" in reading.warnings[0]
        assert "say what it was trained on with input" in reading.warnings[0]

    def test_another_range_is_tried_and_the_option_is_told(self):
        task = multilabel_task()

        class Unit(nn.Module):
            """Knows values in [0, 1]: bright beyond one half, and at most 1."""

            def forward(self, x):
                first = x.flatten(1)[:, :3]
                return torch.where(first > 1, torch.tensor(-3.0), 20 * (first - 0.5))

        (line,) = read_teacher(module_teacher(Unit(), task.signature), task)[0].warnings
        assert "100.0 % on 240 of them shown otherwise: say so with input: {mean: [0], std: [1]}" in line


class TestRegression:
    def test_values_are_taken_as_they_are(self, tmp_path):
        task = regression_task()
        # From the prepared pixel back to the label: 100 * (0.2 x + 0.1).
        weight = np.zeros((1, 64), np.float32)
        weight[0, 0] = 20.0
        path = write(
            tmp_path / "v.onnx",
            weight=weight,
            end=(_biased(),),
            outputs={"y": ["N", 1]},
            constants={"bias": np.float32([10])},
        )
        teacher = load_teacher(OnnxTeacher(onnx=str(path)), task)
        assert teacher.understood.outputs == "values"
        torch.testing.assert_close(_logits(teacher, task), task.validation.labels, rtol=1e-4, atol=1e-3)
        (reading,) = read_teacher(teacher, task)
        assert (reading.metric, reading.warnings) == ("rmse", ())
        assert reading.score < 0.01
        assert reading.constant == pytest.approx(float(task.validation.labels.std(correction=0)), rel=1e-4)

    def test_a_sigmoid_at_its_end_is_part_of_the_values(self, tmp_path):
        weight = np.zeros((1, 64), np.float32)
        weight[0, 0] = 1.0
        path = write(tmp_path / "s.onnx", weight=weight, end=(node("Sigmoid", "z", "p"),), outputs={"p": ["N", 1]})
        task = regression_task()
        teacher = load_teacher(OnnxTeacher(onnx=str(path)), task)
        expected = task.modality.prepare(task.validation.inputs)[:, 0, 0, :1].sigmoid()
        torch.testing.assert_close(_logits(teacher, task), expected)
        (line,) = read_teacher(teacher, task)[0].warnings
        assert line.startswith("teacher: its RMSE is ")

    def test_what_is_not_said_of_values_is_refused(self, tmp_path):
        weight = np.ones((1, 64), np.float32)
        path = str(write(tmp_path / "v.onnx", weight=weight))
        task = regression_task()
        assert (
            _message(OnnxTeacher(onnx=path, outputs="probabilities"), task)
            == "teacher.outputs: those of a regression task are no probabilities; say values, or leave it out"
        )
        assert "go by order; leave it out" in _message(OnnxTeacher(onnx=path, classes=("a", "b")), task)
        two = str(write(tmp_path / "two.onnx", weight=np.ones((2, 64), np.float32)))
        assert _message(OnnxTeacher(onnx=two), task) == f"{two} returns values of shape (2); the task needs (1)"
        assert "are no values; say logits or probabilities" in _message(
            OnnxTeacher(onnx=path, outputs="values"), multilabel_task()
        )

    @pytest.mark.parametrize("task", [regression_task(), multilabel_task()], ids=["regression", "multilabel"])
    def test_one_that_is_trained_here_is_kept_with_its_signature(self, tmp_path, task):
        torch.manual_seed(0)
        module = build(STUDENT, task.signature).eval()
        kept = TeacherStore(tmp_path).keep("k" * 64, STUDENT, task.signature, module, {})
        found = TeacherStore(tmp_path).find("k" * 64)
        assert found.signature == kept.signature == task.signature
        inputs = task.modality.prepare(task.train.inputs[:5])
        assert torch.equal(found.outputs(inputs).logits, kept.outputs(inputs).logits)
        (reading,) = read_teacher(found, task)
        assert reading.rows[0].startswith("trained here: resnet")
        assert reading.rows[0].endswith("; the task's images as the task normalises them")

    def test_values_are_kept_whole(self, tmp_path):
        names = tuple(f"v{n}" for n in range(20))
        wide = replace(regression_task(), problem=Regression(names, (0.0,) * 20, (1.0,) * 20))
        torch.manual_seed(0)
        teacher = module_teacher(nn.Sequential(nn.Flatten(), nn.Linear(64, 20)), wide.signature)
        views = wide.modality.views(len(wide.train), (), 0)
        cache = TargetCache(teacher, wide, views, (0,), (), "cache-top16", tmp_path)
        index = torch.arange(7)
        live = teacher.outputs(wide.modality.prepare(wide.train.inputs[index])).logits
        torch.testing.assert_close(cache.rows(index, 0).logits, live, rtol=1e-3, atol=1e-4)


class TestTexts:
    def test_ids_go_into_modules_files_and_programs(self, tmp_path):
        task = text_task()
        module = module_teacher(Letters(), task.signature)
        expected = _logits(module, task)
        assert torch.equal(expected.argmax(1), task.validation.labels)
        for kind in (TensorProto.INT64, TensorProto.INT32):
            file = load_teacher(OnnxTeacher(onnx=_letters_onnx(tmp_path / "t.onnx", kind)), task)
            torch.testing.assert_close(_logits(file, task), expected)
        torch.export.save(torch.export.export(Letters(), (task.train.inputs[:4],)), tmp_path / "t.pt2")
        program = load_teacher(ProgramTeacher(program=str(tmp_path / "t.pt2")), task)
        torch.testing.assert_close(_logits(program, task), expected)

    def test_what_is_read_of_it(self, tmp_path):
        task = text_task()
        (reading,) = read_teacher(load_teacher(OnnxTeacher(onnx=_letters_onnx(tmp_path / "t.onnx")), task), task)
        assert (reading.correct, reading.images, reading.warnings) == (1.0, 240, ())
        assert reading.rows[-1].startswith("right on 100.0 % of 240 texts of search-validation; always")

    def test_its_outputs_are_kept_and_have_no_gradient(self, tmp_path):
        task = text_task()
        teacher = load_teacher(OnnxTeacher(onnx=_letters_onnx(tmp_path / "t.onnx")), task)
        cache = TargetCache(teacher, task, task.modality.views(240, (), 0), (0,), (), "cache-fp32", tmp_path / "kept")
        assert torch.equal(cache.rows(torch.arange(240), 0).logits, _logits(teacher, task))
        with pytest.raises(UserError, match="this teacher takes ids: a loss on input gradients needs inputs of values"):
            module_teacher(Letters(), task.signature).input_gradients(task.train.inputs[:2])

    def test_what_is_for_images_is_refused_in_one_line(self, tmp_path):
        task = text_task()
        path = _letters_onnx(tmp_path / "t.onnx")
        assert _message(parse_teacher(f"{{onnx: {path}, input: {{size: 8}}}}"), task) == (
            "teacher.input: text takes no input: {…}; leave it out"
        )
        assert _message(TimmTeacher(timm="folder"), task) == (
            "teacher {timm: folder}: takes inputs of channel x height x width, and task other has texts of position"
        )
        assert "takes inputs of shape (1, 8, 8); the task has inputs of shape (6,)" in _message(
            OnnxTeacher(onnx=str(write(tmp_path / "i.onnx"))), task
        )


def test_a_teacher_that_version_0_1_kept_is_found_and_kept_the_same_today(tmp_path):
    torch.manual_seed(0)
    task = small_task()
    module = build(STUDENT, task.signature).eval()
    kept = TeacherStore(tmp_path).keep("k" * 64, STUDENT, task.signature, module, {"test_accuracy": 0.9, "by": None})
    description = tmp_path / f"{kept.sha256}.json"
    record = json.loads(description.read_text())["record"]
    assert list(record) == ["sha256", "student", "input_shape", "classes", "facts"]
    assert (record["input_shape"], record["classes"]) == ([1, 8, 8], 3)
    assert record["facts"] == {"test_accuracy": 0.9, "by": None}
    assert TeacherStore(tmp_path).find("k" * 64).signature == task.signature
