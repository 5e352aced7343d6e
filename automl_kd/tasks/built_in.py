"""Tasks that are known by name: task files that need no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from automl_kd.recipes import AdamW, Train
from automl_kd.students import ResNet, ResNetStem
from automl_kd.tasks.data.digit_value import DigitValue
from automl_kd.tasks.data.digits import Digits
from automl_kd.tasks.data.fashion_mnist import FashionMnist
from automl_kd.tasks.data.image_folder import ImageFolder
from automl_kd.tasks.data.npz import Npz
from automl_kd.tasks.data.tiled_digits import TiledDigits
from automl_kd.tasks.document import TaskDocument
from automl_kd.tasks.splits import Splits
from automl_kd.tasks.teacher import TeacherTraining, TrainedTeacher

_RESNET_8 = TrainedTeacher(
    train=TeacherTraining(student=ResNet(family="resnet", depth=8), train=Train(epochs=15)),
)
_RESNET_20 = TrainedTeacher(
    train=TeacherTraining(
        # Stride 2 in the stem: a quarter of the work at 28x28.
        student=ResNet(family="resnet", depth=20, stem=ResNetStem(stride=2)),
        train=Train(epochs=6, warmup=0.1),
    )
)


def _small_batches(epochs: int) -> TrainedTeacher:
    """A teacher where labels are no classes: AdamW with small batches gets furthest in a minute."""
    adamw = AdamW(name="adamw", lr=0.01)
    training = Train(epochs=epochs, batch_size=32, optimizer=adamw, warmup=0.1)
    return TrainedTeacher(train=TeacherTraining(student=ResNet(family="resnet", depth=8), train=training))


def _cluttered_digits() -> TaskDocument:
    teacher = {
        # Made by benchmarks/demo_teacher.py: a good teacher, trained once on forty times the images of a student.
        "checkpoint": str(Path(__file__).with_name("cluttered_digits_teacher.safetensors")),
        "student": ResNet(family="resnet", depth=8),
    }
    data = {"kind": "cluttered-digits"}
    return TaskDocument.model_validate({"name": "cluttered-digits", "data": data, "teacher": teacher})


# A teacher of a registered form is read when its task is opened: the forms belong to a room above this one.
BUILT_IN: Mapping[str, tuple[str, TaskDocument | Callable[[], TaskDocument]]] = MappingProxyType(
    {
        "cluttered-digits": (
            "500 images of 16x16 pixels, a handwritten digit among pieces of others; the teacher has seen 20,000",
            _cluttered_digits,
        ),
        "digit-value": (
            "2,500 images of 8x16 pixels, two handwritten digits each, and the number from 0 to 99 that they make",
            TaskDocument(name="digit-value", data=DigitValue(kind="digit-value"), teacher=_small_batches(20)),
        ),
        "digits": (
            "1,797 handwritten digits of 8x8 pixels, from scikit-learn",
            TaskDocument(
                name="digits",
                data=Digits(kind="digits"),
                splits=Splits(train=1000, validation=300),
                teacher=_RESNET_8,
            ),
        ),
        "fashion-mnist": (
            "Fashion-MNIST, 28x28 pixels: 10,000 images to train on, 2,000 to search by, the official 10,000 to test",
            TaskDocument(
                name="fashion-mnist",
                data=FashionMnist(kind="fashion-mnist"),
                splits=Splits(train=10_000, validation=2_000),
                teacher=_RESNET_20,
            ),
        ),
        "image-folder": (
            "your own images, one sub-folder a class, or train, val and test of such, at 224x224 or what they have (a"
            " task file sets the size); --data FOLDER",
            TaskDocument(name="image-folder", data=ImageFolder(kind="image-folder"), teacher=_RESNET_8),
        ),
        "npz": (
            "your own arrays, x and y in a .npz file; --data FILE",
            TaskDocument(name="npz", data=Npz(kind="npz"), teacher=_RESNET_8),
        ),
        "tiled-digits": (
            "2,500 images of 16x16 pixels, up to four handwritten digits each; a label for every digit that is there",
            TaskDocument(name="tiled-digits", data=TiledDigits(kind="tiled-digits"), teacher=_small_batches(12)),
        ),
    }
)
