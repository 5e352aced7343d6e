"""Networks that are chains, or nearly."""

from __future__ import annotations

from functools import partial

from networks.layers import Branches
from torch import nn


def vgg(plan: str, norm: bool = False) -> nn.Module:
    """Simonyan and Zisserman 2015; a letter is a width, ``M`` a pooling."""
    widths = {"a": 64, "b": 128, "c": 256, "d": 512}
    layers: list[nn.Module] = []
    inputs = 3
    for letter in plan:
        if letter == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(inputs, widths[letter], 3, padding=1))
        layers += [nn.BatchNorm2d(widths[letter])] if norm else []
        layers.append(nn.ReLU())
        inputs = widths[letter]
    dense = [nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers, nn.Flatten(), *dense)


def alexnet() -> nn.Module:
    """The one-tower variant of Krizhevsky 2014, as torchvision has it."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )


def caffe_alexnet() -> nn.Module:
    """The two-tower original in one network, with groups of 2, at 227 px."""
    lrn = partial(nn.LocalResponseNorm, 5)
    return nn.Sequential(
        *(nn.Conv2d(3, 96, 11, 4), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )


def squeezenet(version: str, last_padding: int = 0) -> nn.Module:
    """Iandola et al. 2016; Caffe's model of version 1.1 pads its last 1x1 convolution by 1."""

    def fire(inputs: int, squeeze: int, expand: int) -> nn.Module:
        wide = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU())
        narrow = nn.Sequential(nn.Conv2d(squeeze, expand, 1), nn.ReLU())
        return nn.Sequential(nn.Conv2d(inputs, squeeze, 1), nn.ReLU(), Branches(narrow, wide))

    pool = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
    fires = [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)]
    first, pools = (nn.Conv2d(3, 96, 7, 2), {2, 6}) if version == "1.0" else (nn.Conv2d(3, 64, 3, 2), {1, 3})
    inputs = first.out_channels
    layers: list[nn.Module] = [first, nn.ReLU(), pool()]
    for index, (squeeze, expand) in enumerate(fires):
        layers.append(fire(inputs, squeeze, expand))
        layers += [pool()] if index in pools else []
        inputs = 2 * expand
    last = nn.Conv2d(512, 1000, 1, padding=last_padding)
    return nn.Sequential(*layers, last, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
