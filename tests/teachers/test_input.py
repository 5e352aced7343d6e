"""Teachers of other images than the task's."""

import pytest
import torch
from teacher_cases import CLASSES, small_task
from torch import nn
from torch.nn import functional

from automl_kd.core import Input, Signature, UserError
from automl_kd.onnxio import export
from automl_kd.students import ResNet, build
from automl_kd.tasks import TeacherInput
from automl_kd.teachers import CheckpointTeacher, OnnxTeacher, load_teacher, module_teacher

COLOUR = TeacherInput(size=(12, 16), channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
STUDENT = ResNet(family="resnet", depth=8, width=0.25)


def _colour_network():
    torch.manual_seed(0)
    return build(STUDENT, input_shape=(3, 12, 16), classes=CLASSES).eval()


def _by_hand(stored):
    """Stored grey images in [0, 1] as the network was trained on them."""
    resized = functional.interpolate(stored.repeat(1, 3, 1, 1), (12, 16), mode="bilinear", align_corners=False)
    mean, std = torch.tensor(COLOUR.mean).view(3, 1, 1), torch.tensor(COLOUR.std).view(3, 1, 1)
    return (resized - mean) / std


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("colour")
    torch.save(_colour_network().state_dict(), folder / "t.pt")
    export(_colour_network(), folder / "t.onnx", Input.of_images((3, 12, 16)))
    return folder


@pytest.fixture(params=["checkpoint", "onnx"])
def teacher(request, files):
    if request.param == "onnx":
        return load_teacher(OnnxTeacher(onnx=str(files / "t.onnx"), input=COLOUR), small_task())
    return load_teacher(CheckpointTeacher(checkpoint=str(files / "t.pt"), student=STUDENT, input=COLOUR), small_task())


def test_it_sees_what_it_was_trained_on(teacher):
    task = small_task()
    with torch.no_grad():
        expected = _colour_network()(_by_hand(task.train.inputs))
    assert teacher.signature == task.signature
    logits = teacher.outputs(task.modality.prepare(task.train.inputs)).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_its_maps_and_head_are_its_own(files):
    teacher = load_teacher(
        CheckpointTeacher(checkpoint=str(files / "t.pt"), student=STUDENT, input=COLOUR), small_task()
    )
    assert teacher.feature_shapes() == {"stage1": (4, 12, 16), "stage2": (8, 6, 8), "stage3": (16, 3, 4)}
    images = torch.randn(3, 1, 8, 8)
    outputs = teacher.outputs(images, ["stage3"])
    again = functional.linear(outputs.maps["stage3"].mean(dim=(2, 3)), *teacher.head())
    torch.testing.assert_close(again, outputs.logits, rtol=1e-4, atol=1e-5)


def test_input_gradients_are_those_of_the_task_s_images(files):
    teacher = load_teacher(
        CheckpointTeacher(checkpoint=str(files / "t.pt"), student=STUDENT, input=COLOUR), small_task()
    )
    images = torch.randn(3, 1, 8, 8, requires_grad=True)
    stored = images * torch.tensor(0.29) + torch.tensor(0.5)
    (expected,) = torch.autograd.grad(_colour_network()(_by_hand(stored)).max(dim=1).values.sum(), images)
    torch.testing.assert_close(teacher.input_gradients(images), expected, rtol=1e-4, atol=1e-6)


def test_what_it_sees_is_part_of_its_hash(files):
    path = str(files / "t.pt")
    task = small_task()
    hashes = {
        load_teacher(CheckpointTeacher(checkpoint=path, student=STUDENT, input=spec), task).sha256
        for spec in (
            COLOUR,
            COLOUR.model_copy(update={"size": 16}),
            COLOUR.model_copy(update={"mean": (0.4, 0.5, 0.5)}),
            COLOUR.model_copy(update={"mean": None, "std": None}),
        )
    }
    assert len(hashes | {module_teacher(_colour_network(), Signature.of_images((3, 12, 16), CLASSES)).sha256}) == 5


def test_without_statistics_the_task_s_normalisation_stays(tmp_path):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, CLASSES))
    export(network, tmp_path / "t.onnx", Input.of_images((3, 8, 8)))
    teacher = load_teacher(OnnxTeacher(onnx=str(tmp_path / "t.onnx"), input=TeacherInput(channels=3)), small_task())
    images = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        expected = network(images.repeat(1, 3, 1, 1))
    torch.testing.assert_close(teacher.outputs(images).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            TeacherInput(channels=3, mean=(0.5,), std=(0.2,)),
            "teacher.input.mean: has 1 values; 3 channels need one each",
        ),
        (TeacherInput(size=8, channels=2), "takes inputs of shape (3, 12, 16); the task needs (2, 8, 8)"),
    ],
)
def test_what_does_not_fit_is_one_line(files, spec, message):
    with pytest.raises(UserError) as caught:
        load_teacher(OnnxTeacher(onnx=str(files / "t.onnx"), input=spec), small_task())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
