"""ONNX files as other tools write them: what they say of themselves is used, and what is made of them is said."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx_cases import BATCHES, node, write
from teacher_cases import CLASSES, reader, telling_task

from automl_kd.core import UserError, sha256_of
from automl_kd.tasks import TeacherInput, parse_teacher
from automl_kd.teachers import OnnxTeacher, load_teacher, read_teacher

TASK = telling_task()
IMAGES = TASK.modality.prepare(TASK.validation.inputs)
LOGITS = reader()(IMAGES).detach()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "t.onnx"


def _load(file, **said):
    return load_teacher(OnnxTeacher(onnx=str(file), **said), TASK)


def _refused(file, **said):
    with pytest.raises(UserError) as caught:
        _load(file, **said)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def _agrees(teacher, rtol=1e-4, atol=1e-4):
    logits = teacher.outputs(IMAGES).logits
    torch.testing.assert_close(logits.log_softmax(1), LOGITS.log_softmax(1), rtol=rtol, atol=atol)
    return True


class TestOutputs:
    def test_logits_are_the_file_and_nothing_is_odd(self, file):
        teacher = _load(write(file))
        assert _agrees(teacher)
        assert teacher.sha256 == sha256_of(file)
        assert teacher.understood.outputs == "logits"
        assert teacher.understood.warnings == ()

    @pytest.mark.parametrize(
        "end",
        [
            [node("Softmax", "z", "y")],
            [node("Softmax", "z", "p"), node("Identity", "p", "y")],
            [node("Softmax", "z", "p"), node("Unsqueeze", "p", "axes", "u"), node("Squeeze", "u", "axes", "y")],
            [node("Sigmoid", "z", "y")],
            [node("Softmax", "z", "p"), node("Cast", "p", "h", to=TensorProto.FLOAT16), node("Cast", "h", "y", to=1)],
        ],
        ids=["softmax", "identity", "squeeze", "sigmoid", "half"],
    )
    def test_probabilities_are_undone_and_said(self, file, end):
        teacher = _load(write(file, end=end, outputs={"y": BATCHES}, constants={"axes": np.array([2])}))
        assert _agrees(teacher)
        assert "the logits before the S" in teacher.understood.outputs
        (warning,) = teacher.understood.warnings
        assert "outputs: logits" in warning
        assert teacher.sha256 != sha256_of(file)

    def test_the_user_has_the_last_word(self, file):
        write(file, end=[node("Softmax", "z", "y")], outputs={"y": BATCHES})
        raw = _load(file, outputs="logits")
        torch.testing.assert_close(raw.outputs(IMAGES).logits, LOGITS.softmax(1))
        assert raw.sha256 == sha256_of(file)
        assert raw.understood.warnings == ()
        assert len({raw.sha256, _load(file).sha256}) == 2

    @pytest.mark.parametrize("total", [1, 100])
    def test_a_softmax_of_single_steps_is_seen_in_its_values(self, file, total):
        end = [
            node("Exp", "z", "e"), node("ReduceSum", "e", "axes", "s"), node("Div", "e", "s", "p"),
            node("Mul", "p", "total", "y"),
        ]  # fmt: skip
        constants = {"axes": np.array([1]), "total": np.float32(total)}
        teacher = _load(write(file, end=end, outputs={"y": BATCHES}, constants=constants))
        likely = LOGITS.softmax(1) > 1e-6
        found = teacher.outputs(IMAGES).logits.log_softmax(1)
        torch.testing.assert_close(found[likely], LOGITS.log_softmax(1)[likely], rtol=1e-3, atol=1e-3)
        assert teacher.understood.outputs == "probabilities, whose logarithms are taken"
        assert f"sum to {total}" in teacher.understood.warnings[0]

    def test_zero_has_a_logarithm(self, file):
        end = [node("ArgMax", "z", "i", axis=1, keepdims=0), node("OneHot", "i", "depth", "values", "y")]
        constants = {"depth": np.array(CLASSES), "values": np.array([0, 1], np.float32)}
        teacher = _load(write(file, end=end, outputs={"y": BATCHES}, constants=constants))
        assert teacher.outputs(IMAGES).logits.isfinite().all()

    def test_a_softmax_of_groups_is_not_undone(self, file):
        weight = np.eye(4, 64, dtype=np.float32)
        end = [node("Reshape", "z", "in", "g"), node("Softmax", "g", "p", axis=2), node("Reshape", "p", "out", "y")]
        constants = {"in": np.array([-1, 2, 2]), "out": np.array([-1, 4])}
        write(file, end=end, outputs={"y": ["N", 4]}, weight=weight, constants=constants)
        task = telling_task(names=("a", "b", "c", "d"))
        teacher = load_teacher(OnnxTeacher(onnx=str(file)), task)
        torch.testing.assert_close(teacher.outputs(IMAGES).logits.sum(1), torch.full((len(IMAGES),), 2.0))

    def test_logits_beside_their_probabilities_are_taken_whichever_is_first(self, file):
        for outputs in ({"p": BATCHES, "z": BATCHES}, {"z": BATCHES, "p": BATCHES}):
            teacher = _load(write(file, end=[node("Softmax", "z", "p")], outputs=outputs))
            assert _agrees(teacher)
            assert teacher.understood.form == f"ONNX file {file}, output z"
            assert teacher.understood.warnings == ()

    def test_the_only_one_that_fits_is_taken(self, file):
        end = [node("ArgMax", "z", "label", axis=1, keepdims=0), node("Relu", "f", "features")]
        outputs = {"label": ["N"], "features": ["N", 64], "z": BATCHES}
        teacher = _load(write(file, end=end, outputs=outputs, types={"label": TensorProto.INT64}))
        assert _agrees(teacher)
        assert teacher.understood.form.endswith("output z")

    def test_several_that_fit_are_refused_and_one_can_be_named(self, file):
        end = [node("Gemm", "f", "w2", "aux", transB=1)]
        constants = {"w2": np.eye(CLASSES, 64, k=1, dtype=np.float32)}
        write(file, end=end, outputs={"aux": BATCHES, "z": BATCHES}, constants=constants)
        message = _refused(file)
        assert "2 outputs that could be the 3 numbers of the task (aux, z)" in message
        spec = parse_teacher(message.partition("as in ")[2])  # what it proposes is what one writes
        assert _agrees(load_teacher(spec, TASK))
        assert len({_load(file, output=name).sha256 for name in ("aux", "z")}) == 2
        assert "did you mean aux" in _refused(file, output="auxx")

    def test_a_file_that_takes_several_inputs_is_refused_by_their_names(self, file):
        inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1, 8, 8]) for name in ("x", "mask")]
        write(file, begin=[node("Mul", "x", "mask", "x0")], inputs=inputs)
        assert "2 inputs (x, mask)" in _refused(file)


class TestInputs:
    @pytest.mark.parametrize("batch", [1, 7])
    def test_a_fixed_batch_is_filled_and_cut(self, file, batch):
        assert _agrees(_load(write(file, images=(batch, 1, 8, 8), outputs={"z": [batch, CLASSES]})))

    def test_one_image_at_a_time_where_the_graph_holds_one(self, file):
        begin = [node("Reshape", "x", "one", "x0")]
        assert _agrees(_load(write(file, begin=begin, constants={"one": np.array([1, 1, 8, 8])})))

    def test_channels_last(self, file):
        begin = [node("Transpose", "x", "x0", perm=[0, 3, 1, 2])]
        teacher = _load(write(file, begin=begin, images=("N", 8, 8, 1)))
        assert _agrees(teacher)
        assert "channels last" in teacher.understood.input

    def test_whole_numbers_are_rounded_pixels(self, file):
        begin = [
            node("Cast", "x", "c", to=TensorProto.FLOAT), node("Sub", "c", "mean", "d"), node("Div", "d", "std", "x0")
        ]  # fmt: skip
        constants = {"mean": np.float32(255 * TASK.modality.mean[0]), "std": np.float32(255 * TASK.modality.std[0])}
        teacher = _load(write(file, begin=begin, kind=TensorProto.UINT8, constants=constants))
        assert _agrees(
            teacher, atol=4 * 0.5 / 255 / TASK.modality.std[0] * 2
        )  # half a step of each pixel, times the weight
        assert "whole numbers from 0 to 255" in teacher.understood.input

    def test_a_fixed_size_is_the_teacher_s_size(self, file):
        begin = [node("AveragePool", "x", "x0", kernel_shape=[2, 2], strides=[2, 2])]
        teacher = _load(write(file, begin=begin, images=("N", 1, 16, 16)))
        assert read_teacher(teacher, TASK)[0].correct > 0.9
        assert "images (1, 16, 16) (stated by its ONNX file)" in teacher.understood.input
        assert "resized from 8 x 8" in teacher.understood.input
        assert "takes inputs of shape (1, 16, 16); the task needs (1, 8, 8)" in _refused(
            file, input=TeacherInput(size=8)
        )

    @pytest.mark.parametrize(
        ("metadata", "mean", "std"),
        [
            ({"author": "Ultralytics", "imgsz": "[8, 8]"}, 0.0, 1.0),
            ({"Image.NominalPixelRange": "Normalized_1_1"}, 0.5, 0.5),
            ({"Image.NominalPixelRange": "NominalRange_0_255"}, 0.0, 1 / 255),
        ],
        ids=["ultralytics", "-1 to 1", "0 to 255"],
    )
    def test_metadata_of_the_range_is_used(self, file, metadata, mean, std):
        begin = [node("Mul", "x", "b", "m"), node("Add", "m", "a", "x0")]  # from its range to the task's
        scale = std / TASK.modality.std[0]
        constants = {"b": np.float32(scale), "a": np.float32((mean - TASK.modality.mean[0]) / TASK.modality.std[0])}
        teacher = _load(write(file, begin=begin, constants=constants, metadata=metadata))
        assert _agrees(teacher, atol=1e-3)
        assert "(stated by its ONNX file)" in teacher.understood.input

    def test_an_input_that_is_no_image_is_refused(self, file):
        write(file, images=("N", 64))
        assert "takes inputs of shape (64); the task has inputs of shape (1, 8, 8)" in _refused(file)


class TestClasses:
    @given(st.permutations(range(CLASSES)), st.sampled_from(["dict", "json", "comma", "lines"]))
    @settings(max_examples=12, deadline=None)
    def test_names_in_the_file_decide_the_order(self, tmp_path_factory, order, style):
        names = ["abc"[label] for label in order]
        text = {
            "dict": str(dict(enumerate(names))), "json": str(names).replace("'", '"'),
            "comma": ",".join(names), "lines": "\n".join(names),
        }[style]  # fmt: skip
        file = tmp_path_factory.mktemp("names") / "t.onnx"
        weight = np.eye(CLASSES, 64, dtype=np.float32)[list(order)] * 4
        teacher = _load(write(file, weight=weight, metadata={"names": text}))
        assert _agrees(teacher)
        moved = list(order) != sorted(order)
        assert teacher.understood.classes.startswith("matched by name" + ", in another order" * moved)
        assert (teacher.sha256 == sha256_of(file)) is not moved

    def test_a_file_that_knows_more_classes(self, file):
        weight = np.zeros((5, 64), np.float32)
        weight[[4, 1, 0], [0, 1, 2]] = 4
        write(file, weight=weight)
        assert "returns logits of shape (5); the task needs (3)" in _refused(file)
        teacher = _load(file, classes=("c", "b", "dog", "cat", "a"))
        assert teacher.signature == TASK.signature
        assert _agrees(teacher)
        assert teacher.understood.classes == "3 of its 5 matched by name (stated by classes)"
        write(file, weight=weight, metadata={"names": "c,b,dog,cat,A; first"})
        assert "a of the 3 names of task small" in _refused(file)

    def test_names_that_only_count_are_none(self, file):
        teacher = _load(write(file, metadata={"names": "LABEL_0,LABEL_1,LABEL_2"}))
        assert teacher.understood.classes == "by order (no names known)"
        assert teacher.understood.warnings == ()

    def test_other_names_are_matched_by_order_and_said(self, file):
        teacher = _load(write(file, metadata={"names": "cat,dog,cow"}))
        assert _agrees(teacher)
        (warning,) = teacher.understood.warnings
        assert "cat, dog, cow" in warning
        assert "a, b, c" in warning
        assert "classes: [" in warning

    def test_names_that_contradict_the_order_are_refused(self, file):
        write(file, metadata={"names": "b,a,cow"})
        message = _refused(file)
        assert "a has another place in task small" in message
        assert "c cannot be found" in message
        assert _agrees(_load(file, classes=("a", "b", "c")))

    def test_the_user_s_names_have_the_last_word(self, file):
        write(file, metadata={"names": "c,b,a"})
        teacher = _load(file, classes=("a", "b", "c"))
        assert _agrees(teacher)
        assert "classes: [a, b, c] is used; its ONNX file states [c, b, a]" in teacher.understood.warnings[0]
        assert "holds no 'c' but 'cc'" in _refused(file, classes=("a", "b", "cc"))

    def test_spelling_and_synonyms_do_not_matter(self, file):
        task = telling_task(names=("great_white_shark", "Tench", "goldfish"))
        write(
            file,
            weight=np.eye(CLASSES, 64, dtype=np.float32)[[1, 2, 0]] * 4,
            metadata={"names": '["tench, Tinca tinca", "goldfish, Carassius auratus", "Great White shark, man-eater"]'},
        )
        teacher = load_teacher(OnnxTeacher(onnx=str(file)), task)
        torch.testing.assert_close(teacher.outputs(IMAGES).logits, LOGITS)

    def test_numbers_on_the_command_line_are_names(self, file):
        task = telling_task(names=("0", "1", "2"))
        write(file, weight=np.eye(CLASSES, 64, dtype=np.float32)[[2, 0, 1]] * 4)
        teacher = load_teacher(parse_teacher(f"{{onnx: {file}, classes: [2, 0, 1]}}"), task)
        torch.testing.assert_close(teacher.outputs(IMAGES).logits, LOGITS)
        with pytest.raises(UserError, match="named more than once"):
            parse_teacher(f"{{onnx: {file}, classes: [2, 0, 0]}}")
