"""Residual and dense networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from networks.layers import Residual, SqueezeExcite, conv_bn, head
from torch import nn


def resnet(depths: Sequence[int], bottleneck: bool) -> nn.Module:
    """He et al. 2016 as torchvision has it: the stride of a bottleneck is on its 3x3 convolution."""
    layers: list[nn.Module] = [conv_bn(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        outputs = width * 4 if bottleneck else width
        for block in range(depth):
            stride = 2 if block == 0 and stage > 0 else 1
            body = _bottleneck(inputs, width, stride) if bottleneck else _basic(inputs, width, stride)
            same = stride == 1 and inputs == outputs
            layers.append(Residual(body, None if same else conv_bn(inputs, outputs, 1, stride, act=None)))
            inputs = outputs
    return nn.Sequential(*layers, *head(inputs))


def fcn_resnet18() -> nn.Module:
    """The segmentation network of jetson-inference, as dusty-nv/pytorch-segmentation exports it.

    The strides of the classifier stay, and its map is not enlarged behind the last convolution. The number of classes
    is that of Pascal VOC; the published files have 21 or otherwise few.
    """
    stages = nn.Sequential(*list(resnet((2, 2, 2, 2), False).children())[:-3])
    return nn.Sequential(stages, conv_bn(512, 128, 3), nn.Conv2d(128, 21, 1))


def caffe_resnet(depths: Sequence[int], bottleneck: bool) -> nn.Module:
    """The original Caffe models: bottlenecks stride in their first convolution, and every stage has a projection."""
    layers: list[nn.Module] = [conv_bn(3, 64, 7, 2), nn.MaxPool2d(3, 2, ceil_mode=True)]
    inputs = 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        outputs = width * 4 if bottleneck else width
        for block in range(depth):
            stride = 2 if block == 0 and stage > 0 else 1
            if bottleneck:
                body = nn.Sequential(
                    conv_bn(inputs, width, 1, stride), conv_bn(width, width, 3), conv_bn(width, outputs, 1, act=None)
                )
            else:
                body = _basic(inputs, width, stride)
            layers.append(Residual(body, conv_bn(inputs, outputs, 1, stride, act=None) if block == 0 else None))
            inputs = outputs
    return nn.Sequential(*layers, *head(inputs))


def _basic(inputs: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(conv_bn(inputs, width, 3, stride), conv_bn(width, width, 3, act=None))


def _bottleneck(inputs: int, width: int, stride: int) -> nn.Module:
    return nn.Sequential(
        conv_bn(inputs, width, 1), conv_bn(width, width, 3, stride), conv_bn(width, 4 * width, 1, act=None)
    )


def slim_resnet_v1(depths: Sequence[int]) -> nn.Module:
    """TensorFlow-Slim's version: the stride is on the last block of a stage, which samples its shortcut."""
    layers: list[nn.Module] = [*_padded(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for width, stride in _slim_blocks(depths):
        body = nn.Sequential(
            conv_bn(inputs, width, 1), *_padded(width, width, 3, stride), conv_bn(width, 4 * width, 1, act=None)
        )
        shortcut = _sampled(stride) if inputs == 4 * width else conv_bn(inputs, 4 * width, 1, stride, act=None)
        layers.append(Residual(body, shortcut))
        inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, 1000, 1), nn.Flatten())


def slim_resnet_v2(depths: Sequence[int]) -> nn.Module:
    """He et al. 2016 (identity mappings) in TensorFlow-Slim: normalisation and activation come first; 1001 classes."""
    layers: list[nn.Module] = [nn.ZeroPad2d(3), nn.Conv2d(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for width, stride in _slim_blocks(depths):
        layers.append(_PreActivation(inputs, width, stride))
        inputs = 4 * width
    last = (nn.BatchNorm2d(inputs), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, 1001, 1), nn.Flatten())
    return nn.Sequential(*layers, *last)


class _PreActivation(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.body = nn.Sequential(
            conv_bn(inputs, width, 1), *_padded(width, width, 3, stride), nn.Conv2d(width, 4 * width, 1)
        )
        self.projects = inputs != 4 * width
        self.shortcut = nn.Conv2d(inputs, 4 * width, 1, stride) if self.projects else _sampled(stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        out: torch.Tensor = self.shortcut(y if self.projects else x) + self.body(y)
        return out


def _slim_blocks(depths: Sequence[int]) -> list[tuple[int, int]]:
    """(width, stride) of every block."""
    return [
        (64 << stage, 2 if block == depth - 1 and stage < len(depths) - 1 else 1)
        for stage, depth in enumerate(depths)
        for block in range(depth)
    ]


def _sampled(stride: int) -> nn.Module:
    return nn.MaxPool2d(1, stride) if stride > 1 else nn.Identity()


def _padded(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    """Slim pads both sides alike before a convolution with a stride."""
    if stride == 1:
        return [conv_bn(inputs, outputs, kernel)]
    return [nn.ZeroPad2d(kernel // 2), conv_bn(inputs, outputs, kernel, stride, valid=True)]


class DenseLayer(nn.Module):
    """``cat(x, body(x))``."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, 4 * growth, 1, bias=False)),
            *(nn.BatchNorm2d(4 * growth), nn.ReLU(), nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def densenet(depths: Sequence[int], growth: int = 32, stem: int = 64) -> nn.Module:
    """Huang et al. 2017."""
    layers: list[nn.Module] = [conv_bn(3, stem, 7, 2), nn.MaxPool2d(3, 2, 1)]
    width = stem
    for stage, depth in enumerate(depths):
        for _ in range(depth):
            layers.append(DenseLayer(width, growth))
            width += growth
        layers += [nn.BatchNorm2d(width), nn.ReLU()]
        if stage < len(depths) - 1:
            layers += [nn.Conv2d(width, width // 2, 1, bias=False), nn.AvgPool2d(2)]
            width //= 2
    return nn.Sequential(*layers, *head(width))


def regnet_y(depths: Sequence[int], widths: Sequence[int], group_width: int) -> nn.Module:
    """Radosavovic et al. 2020; the squeeze is a quarter of a block's input."""
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2)]
    inputs = 32
    for depth, width in zip(depths, widths, strict=True):
        for block in range(depth):
            stride = 2 if block == 0 else 1
            body = nn.Sequential(
                conv_bn(inputs, width, 1),
                conv_bn(width, width, 3, stride, width // group_width),
                SqueezeExcite(width, inputs // 4, nn.ReLU, nn.Sigmoid),
                conv_bn(width, width, 1, act=None),
            )
            layers.append(Residual(body, conv_bn(inputs, width, 1, stride, act=None) if block == 0 else None))
            inputs = width
    return nn.Sequential(*layers, *head(inputs))


def regnet_y_400mf() -> nn.Module:
    """RegNetY-400MF of Radosavovic et al. 2020."""
    return regnet_y((1, 3, 6, 6), (48, 104, 208, 440), 8)
