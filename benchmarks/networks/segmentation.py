"""Networks that give every pixel a class."""

from __future__ import annotations

import torch
from networks.layers import conv_bn
from torch import nn
from torch.nn import functional


class _Inverted(nn.Module):
    """Sandler et al. 2018 with the window's padding in front of the expansion."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self.padding = [dilation] * 4
        self.shortcut = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *([conv_bn(inputs, hidden, 1, act=nn.ReLU6)] if expand > 1 else []),
            nn.Conv2d(hidden, hidden, 3, stride, 0, dilation, hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            conv_bn(hidden, outputs, 1, act=None),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(functional.pad(x, self.padding))
        return x + out if self.shortcut else out


def _dilated(inputs: int, outputs: int, dilation: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


class DeepLabV3PlusMobileNet(nn.Module):
    """Chen et al. 2018 on MobileNetV2 at an output stride of 16, as jfzhang95/pytorch-deeplab-xception has it."""

    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        blocks: list[nn.Module] = [conv_bn(3, 32, 3, 2, act=nn.ReLU6)]
        inputs = 32
        # Expansion, width, depth, stride; at a sixteenth of the size strides turn into dilations.
        for expand, width, depth, stride, dilation in (
            *((1, 16, 1, 1, 1), (6, 24, 2, 2, 1), (6, 32, 3, 2, 1), (6, 64, 4, 2, 1)),
            *((6, 96, 3, 1, 1), (6, 160, 3, 1, 1), (6, 320, 1, 1, 2)),
        ):
            for block in range(depth):
                blocks.append(_Inverted(inputs, width, stride if block == 0 else 1, dilation, expand))
                inputs = width
        self.low, self.high = nn.Sequential(*blocks[:4]), nn.Sequential(*blocks[4:])
        self.pyramid = nn.ModuleList([conv_bn(320, 256, 1), *(_dilated(320, 256, rate) for rate in (6, 12, 18))])
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_bn(320, 256, 1))
        self.project = conv_bn(1280, 256, 1)
        self.narrow = conv_bn(24, 48, 1)
        self.decode = nn.Sequential(conv_bn(304, 256, 3), conv_bn(256, 256, 3), nn.Conv2d(256, classes, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        low = self.low(x)
        high = self.high(low)
        context = _resized(self.whole(high), high)
        high = self.project(torch.cat([*(branch(high) for branch in self.pyramid), context], 1))
        low = self.narrow(low)
        return _resized(self.decode(torch.cat([_resized(high, low), low], 1)), x)


def _resized(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, like.shape[2:], mode="bilinear", align_corners=True)
