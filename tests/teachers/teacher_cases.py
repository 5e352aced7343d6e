"""A task of 60 small images and networks to teach it."""

from dataclasses import replace

import torch
from torch import nn

from automl_kd.core import Signature
from automl_kd.recipes import TaskReference
from automl_kd.students import ResNet, build
from automl_kd.tasks import Images, Multiclass, Split, Task, metrics_of

SHAPE = (1, 8, 8)
CLASSES = 3
SIGNATURE = Signature.of_images(SHAPE, CLASSES)
STUDENT = ResNet(family="resnet", depth=8, width=0.25)


def small_task(sha256="a" * 64, *, shape=SHAPE, names=("a", "b", "c")):
    source = torch.Generator().manual_seed(0)
    images = torch.rand(60, *shape, generator=source)
    split = Split(images, torch.arange(60) % CLASSES)
    return Task(
        name="small",
        modality=Images(shape, (0.5,), (0.29,)),
        problem=Multiclass(names),
        train=split,
        validation=split,
        test=split,
        metrics=metrics_of("multiclass", CLASSES),
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


class _Block(nn.Module):
    """A transformer block as most libraries write it; like theirs it returns a tuple."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens):
        normed = self.norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        return tokens + self.mlp(tokens), None


class TinyViT(nn.Module):
    """Three blocks on a grid of 4x4 patches behind a class token."""

    def __init__(self, width=8):
        super().__init__()
        self.patches = nn.Conv2d(1, width, 2, 2)
        self.prefix = nn.Parameter(torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(_Block(width) for _ in range(3))
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.prefix.expand(len(images), -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens, _ = block(tokens)
        return self.classifier(tokens[:, 0])


def tiny_vit():
    torch.manual_seed(0)
    return TinyViT().eval()


def telling_task(validation=300, names=("a", "b", "c"), counts=None):
    """Grey images of noise in which the pixel of an image's class, in the first row, is bright."""
    source = torch.Generator().manual_seed(0)

    def split(images):
        labels = torch.arange(images) % len(names)
        if counts is not None:
            labels = torch.repeat_interleave(torch.arange(len(names)), torch.tensor(counts))
        values = 0.2 * torch.rand(len(labels), *SHAPE, generator=source)
        values[torch.arange(len(labels)), 0, 0, labels] = 0.9
        return Split(values, labels)

    return replace(
        small_task(names=names),
        modality=Images(SHAPE, (0.1,), (0.2,)),
        train=split(60),
        validation=split(validation),
    )


def reader(classes=CLASSES, order=None, scale=4.0):
    """A network that reads such images rightly: its outputs are the first pixels, in the order given."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    with torch.no_grad():
        module[1].weight.zero_()
        module[1].bias.zero_()
        for output, label in enumerate(order or range(classes)):
            module[1].weight[output, label] = scale
    return module.eval()
