"""The Inception family."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from networks.layers import Branches, Kernel, Residual, conv_bn
from torch import nn

_CHANNELS = (
    *((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64), None),
    *((192, (96, 208), (16, 48), 64), (160, (112, 224), (24, 64), 64), (128, (128, 256), (24, 64), 64)),
    *((112, (144, 288), (32, 64), 64), (256, (160, 320), (32, 128), 128), None),
    *((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)
"""Szegedy et al. 2015, table 1; ``None`` is a pooling."""


def googlenet() -> nn.Module:
    """Szegedy et al. 2015 as published for Caffe: local response normalisation, no auxiliary heads."""

    def unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU())

    pool = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
    lrn = partial(nn.LocalResponseNorm, 5)
    layers: list[nn.Module] = [unit(3, 64, 7, 2), pool(), lrn(), unit(64, 64, 1), unit(64, 192, 3), lrn(), pool()]
    return nn.Sequential(*layers, *_modules(unit, 5, pool(), pool()), *_logits(1024, 1000))


def inception_v1() -> nn.Module:
    """The same in TensorFlow-Slim: batch normalisation, 3x3 in place of 5x5, 1001 classes."""
    pool = nn.MaxPool2d(3, 2, ceil_mode=True)
    layers = [conv_bn(3, 64, 7, 2), pool, conv_bn(64, 64, 1), conv_bn(64, 192, 3), pool]
    return nn.Sequential(*layers, *_modules(conv_bn, 3, pool, nn.MaxPool2d(2)), *_logits(1024, 1001))


def _modules(unit: Any, third: int, first_pool: nn.Module, second_pool: nn.Module) -> list[nn.Module]:
    layers: list[nn.Module] = []
    pools, inputs = iter((first_pool, second_pool)), 192
    for row in _CHANNELS:
        if row is None:
            layers.append(next(pools))
            continue
        a, b, c, d = row
        layers.append(
            Branches(
                unit(inputs, a, 1),
                nn.Sequential(unit(inputs, b[0], 1), unit(b[0], b[1], 3)),
                nn.Sequential(unit(inputs, c[0], 1), unit(c[0], c[1], third)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(inputs, d, 1)),
            )
        )
        inputs = a + b[1] + c[1] + d
    return layers


def _logits(features: int, classes: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Conv2d(features, classes, 1), nn.Flatten()]


def inception_v2() -> nn.Module:
    """Ioffe and Szegedy 2015 in TensorFlow-Slim, whose first convolution is separable; 1001 classes."""
    separable = (nn.Conv2d(3, 24, 7, 2, 3, groups=3, bias=False), conv_bn(24, 64, 1))
    layers: list[nn.Module] = [*separable, nn.MaxPool2d(3, 2, 1), conv_bn(64, 64, 1), conv_bn(64, 192, 3)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    rows: list[tuple[int, tuple[int, int], tuple[int, int], int]] = [
        *((64, (64, 64), (64, 96), 32), (64, (64, 96), (64, 96), 64), (0, (128, 160), (64, 96), 0)),
        *((224, (64, 96), (96, 128), 128), (192, (96, 128), (96, 128), 128), (160, (128, 160), (128, 160), 96)),
        *((96, (128, 192), (160, 192), 96), (0, (128, 192), (192, 256), 0)),
        *((352, (192, 320), (160, 224), 128), (352, (192, 320), (192, 224), 128)),
    ]
    inputs = 192
    for index, (a, b, c, d) in enumerate(rows):
        stride = 1 if a else 2
        branches = [nn.Sequential(conv_bn(inputs, b[0], 1), conv_bn(b[0], b[1], 3, stride))]
        branches.append(nn.Sequential(*_chain(inputs, (c[0], 1), (c[1], 3)), conv_bn(c[1], c[1], 3, stride)))
        if a:
            pool = nn.MaxPool2d(3, 1, 1) if index == len(rows) - 1 else nn.AvgPool2d(3, 1, 1, count_include_pad=False)
            branches = [conv_bn(inputs, a, 1), *branches, nn.Sequential(pool, conv_bn(inputs, d, 1))]
        else:
            branches.append(nn.Sequential(nn.MaxPool2d(3, 2, 1)))
        layers.append(Branches(*branches))
        inputs = a + b[1] + c[1] + (d or inputs)
    return nn.Sequential(*layers, *_logits(inputs, 1001))


def inception_v4() -> nn.Module:
    """Szegedy et al. 2017, figures 3 to 9; 1001 classes as in TensorFlow-Slim."""
    stem = [
        *(_valid(3, 32, 3, 2), _valid(32, 32, 3), conv_bn(32, 64, 3)),
        Branches(nn.MaxPool2d(3, 2), _valid(64, 96, 3, 2)),
        Branches(
            nn.Sequential(conv_bn(160, 64, 1), _valid(64, 96, 3)),
            nn.Sequential(*_chain(160, (64, 1), (64, (1, 7)), (64, (7, 1))), _valid(64, 96, 3)),
        ),
        Branches(_valid(192, 192, 3, 2), nn.MaxPool2d(3, 2)),
    ]
    a = [_with_average(384, 96, ((96, 1),), ((64, 1), (96, 3)), ((64, 1), (96, 3), (96, 3))) for _ in range(4)]
    reduction_a = _reduction(384, ((384, 3),), ((192, 1), (224, 3), (256, 3)))
    long: tuple[tuple[int, Kernel], ...] = ((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7)))
    b = [_with_average(1024, 128, ((384, 1),), ((192, 1), (224, (1, 7)), (256, (7, 1))), long) for _ in range(7)]
    reduction_b = _reduction(1024, ((192, 1), (192, 3)), ((256, 1), (256, (1, 7)), (320, (7, 1)), (320, 3)))

    def split(inputs: int) -> nn.Module:
        return Branches(conv_bn(inputs, 256, (1, 3)), conv_bn(inputs, 256, (3, 1)))

    c = [
        Branches(
            conv_bn(1536, 256, 1),
            nn.Sequential(conv_bn(1536, 384, 1), split(384)),
            nn.Sequential(*_chain(1536, (384, 1), (448, (3, 1)), (512, (1, 3))), split(512)),
            nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv_bn(1536, 256, 1)),
        )
        for _ in range(3)
    ]
    last = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1536, 1001))
    return nn.Sequential(*stem, *a, reduction_a, *b, reduction_b, *c, *last)


def inception_resnet_v2() -> nn.Module:
    """Szegedy et al. 2017 as in TensorFlow-Slim (its first block is Inception-v3's); 1001 classes."""
    stem = [
        *(_valid(3, 32, 3, 2), _valid(32, 32, 3), conv_bn(32, 64, 3), nn.MaxPool2d(3, 2)),
        *(_valid(64, 80, 1), _valid(80, 192, 3), nn.MaxPool2d(3, 2)),
        _with_average(192, 64, ((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3))),
    ]

    def blocks(count: int, width: int, *chains: Sequence[tuple[int, Kernel]]) -> list[nn.Module]:
        def body() -> nn.Module:
            branches = Branches(*(nn.Sequential(*_chain(width, *chain)) for chain in chains))
            joined = sum(chain[-1][0] for chain in chains)
            return nn.Sequential(branches, nn.Conv2d(joined, width, 1), _Scale())

        return [Residual(body()) for _ in range(count)]

    last = blocks(10, 2080, ((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))
    last[-1].act = nn.Identity()  # type: ignore[assignment]
    return nn.Sequential(
        *stem,
        *blocks(10, 320, ((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))),
        _reduction(320, ((384, 3),), ((256, 1), (256, 3), (384, 3))),
        *blocks(20, 1088, ((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))),
        _reduction(1088, ((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3))),
        *last,
        *(conv_bn(2080, 1536, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1536, 1001)),
    )


class _Scale(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.17


def _valid(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
    return conv_bn(inputs, outputs, kernel, stride, valid=True)


def _chain(inputs: int, *steps: tuple[int, Kernel]) -> list[nn.Module]:
    """Convolutions of (width, kernel) after one another."""
    layers: list[nn.Module] = []
    for outputs, kernel in steps:
        layers.append(conv_bn(inputs, outputs, kernel))
        inputs = outputs
    return layers


def _with_average(inputs: int, pooled: int, *chains: Sequence[tuple[int, Kernel]]) -> nn.Module:
    average = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), conv_bn(inputs, pooled, 1))
    return Branches(*(nn.Sequential(*_chain(inputs, *chain)) for chain in chains), average)


def _reduction(inputs: int, *chains: Sequence[tuple[int, Kernel]]) -> nn.Module:
    """Every chain ends in a 3x3 convolution with stride 2, and a pooling stands beside them."""
    branches: list[nn.Module] = []
    for chain in chains:
        before = chain[-2][0] if len(chain) > 1 else inputs
        branches.append(nn.Sequential(*_chain(inputs, *chain[:-1]), _valid(before, chain[-1][0], 3, 2)))
    return Branches(*branches, nn.MaxPool2d(3, 2))
