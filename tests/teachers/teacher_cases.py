"""A task of 60 small images and networks to teach it."""

import torch

from automl_kd.recipes import ResNet, TaskReference
from automl_kd.students import build
from automl_kd.tasks import Split, Task

SHAPE = (1, 8, 8)
CLASSES = 3
STUDENT = ResNet(family="resnet", depth=8, width=0.25)


def small_task(sha256="a" * 64):
    source = torch.Generator().manual_seed(0)
    images = torch.rand(60, *SHAPE, generator=source)
    split = Split(images, torch.arange(60) % CLASSES)
    return Task(
        name="small",
        input_shape=SHAPE,
        class_names=("a", "b", "c"),
        train=split,
        validation=split,
        test=split,
        mean=(0.5,),
        std=(0.29,),
        metric="accuracy",
        sha256=sha256,
        teacher=None,
        reference=TaskReference(name="small"),
    )


def trained_module(seed=0):
    """A network whose batch-norm statistics are not those of its initialisation."""
    torch.manual_seed(seed)
    module = build(STUDENT, input_shape=SHAPE, classes=CLASSES)
    for _ in range(3):
        module(torch.randn(16, *SHAPE))
    return module.eval()
