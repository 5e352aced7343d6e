"""EfficientNets."""

from __future__ import annotations

import math

import torch
from networks.layers import Residual, SqueezeExcite, conv_bn, head, multiple_of
from networks.mobile import inverted
from torch import nn

_STAGES = [  # expansion, width, depth, stride, kernel
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
]


def efficientnet_b0() -> nn.Module:
    """Tan and Le 2019."""
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2, act=nn.SiLU)]
    inputs = 32
    for expand, outputs, depth, stride, kernel in _STAGES:
        for block in range(depth):
            hidden = inputs * expand
            excite = SqueezeExcite(hidden, inputs // 4, nn.SiLU, nn.Sigmoid)
            layers.append(inverted(inputs, hidden, outputs, kernel, 1 if block else stride, nn.SiLU, excite))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(320, 1280, 1, act=nn.SiLU), *head(1280))


def efficientnet_lite(width: float, depth: float) -> nn.Module:
    """EfficientNet-Lite (Liu 2020): no squeezes, clipped activations; stem, head and outer depths are not scaled."""
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2, act=nn.ReLU6)]
    inputs = 32
    for index, (expand, full, repeats, stride, kernel) in enumerate(_STAGES):
        outputs = multiple_of(full * width)
        outer = index in (0, len(_STAGES) - 1)
        for block in range(repeats if outer else math.ceil(repeats * depth)):
            layers.append(inverted(inputs, inputs * expand, outputs, kernel, 1 if block else stride))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(inputs, 1280, 1, act=nn.ReLU6), *head(1280))


def efficientnet_edgetpu(width: float, depth: float) -> nn.Module:
    """EfficientNet-EdgeTPU (Gupta and Tan 2019): its early stages are full convolutions."""
    stem, first = multiple_of(32 * width), multiple_of(24 * width)
    layers: list[nn.Module] = [conv_bn(3, stem, 3, 2)]
    inputs = stem
    stages = [  # fused, expansion, width, depth, stride, kernel
        *((True, 4, 24, 1, 1, 3), (True, 8, 32, 2, 2, 3), (True, 8, 48, 4, 2, 3)),
        *((False, 8, 96, 5, 2, 5), (False, 8, 144, 4, 1, 5), (False, 8, 192, 2, 2, 5)),
    ]
    for index, (fused, expand, full, repeats, stride, kernel) in enumerate(stages):
        outputs = multiple_of(full * width)
        for block in range(math.ceil(repeats * depth)):
            hidden = (first if index == block == 0 else inputs) * expand
            step = 1 if block else stride
            if fused:
                body = nn.Sequential(conv_bn(inputs, hidden, 3, step), conv_bn(hidden, outputs, 1, act=None))
                # The first stage has no shortcuts, however often it repeats.
                layers.append(Residual(body, act=None) if index and step == 1 else body)
            else:
                layers.append(inverted(inputs, hidden, outputs, kernel, step, nn.ReLU))
            inputs = outputs
    last = multiple_of(1280 * width)
    return nn.Sequential(*layers, conv_bn(inputs, last, 1), *head(last))


class _ShiftedSum(nn.Module):
    """``x + body(x) + shift``: a normalisation whose shift was not folded into the convolution."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body = body
        self.shift = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x + self.body(x) + self.shift
        return out


def efficientnet_v2_b0() -> nn.Module:
    """Tan and Le 2021 as ncnn's benchmark has it: residual sums are followed by the shift of their normalisation."""
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2, act=nn.SiLU), conv_bn(32, 16, 3, act=nn.SiLU)]
    inputs = 16
    rows = [  # fused, expansion, width, depth, stride
        *((True, 4, 32, 2, 2), (True, 4, 48, 2, 2), (False, 4, 96, 3, 2), (False, 6, 112, 5, 1), (False, 6, 192, 8, 2)),
    ]
    for fused, expand, outputs, depth, first_stride in rows:
        for block in range(depth):
            hidden, stride = inputs * expand, 1 if block else first_stride
            project = nn.Conv2d(hidden, outputs, 1, bias=False) if block else conv_bn(hidden, outputs, 1, act=None)
            if fused:
                parts: list[nn.Module] = [conv_bn(inputs, hidden, 3, stride, act=nn.SiLU)]
            else:
                parts = [
                    conv_bn(inputs, hidden, 1, act=nn.SiLU),
                    conv_bn(hidden, hidden, 3, stride, hidden, nn.SiLU),
                    SqueezeExcite(hidden, inputs // 4, nn.SiLU, nn.Sigmoid),
                ]
            body = nn.Sequential(*parts, project)
            layers.append(_ShiftedSum(body, outputs) if block else body)
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(192, 1280, 1, act=nn.SiLU), *head(1280))
