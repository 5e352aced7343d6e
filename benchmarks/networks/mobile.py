"""Networks for phones made by hand, or found by a search without compound scaling."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from networks.layers import Activation, Residual, conv_bn, head, multiple_of, shuffle
from torch import nn


def inverted(
    inputs: int,
    hidden: int,
    outputs: int,
    kernel: int,
    stride: int,
    act: Activation = nn.ReLU6,
    excite: nn.Module | None = None,
) -> nn.Module:
    """Sandler et al. 2018: expand, filter by channel, project."""
    body = nn.Sequential(
        *([conv_bn(inputs, hidden, 1, act=act)] if hidden != inputs else []),
        conv_bn(hidden, hidden, kernel, stride, hidden, act),
        *([excite] if excite else []),
        conv_bn(hidden, outputs, 1, act=None),
    )
    return Residual(body, act=None) if stride == 1 and inputs == outputs else body


def mobilenet_v1(width: float = 1.0, classes: int = 1001, act: Activation = nn.ReLU6) -> nn.Module:
    """Howard et al. 2017; TensorFlow-Slim clips activations at 6 and has 1001 classes, Caffe's model does neither."""
    inputs = int(32 * width)
    layers: list[nn.Module] = [conv_bn(3, inputs, 3, 2, act=act)]
    strides = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for full, stride in strides:
        outputs = int(full * width)
        layers += [conv_bn(inputs, inputs, 3, stride, inputs, act), conv_bn(inputs, outputs, 1, act=act)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(inputs, classes, 1), nn.Flatten())


def _inverted_net(
    stem: Sequence[nn.Module],
    inputs: int,
    stages: Sequence[tuple[int, int, int, int, int]],
    act: Activation,
    last: int = 1280,
) -> nn.Module:
    """Stages of (expansion, width, depth, stride, kernel), then ``last`` features."""
    layers = [*stem]
    for expand, outputs, depth, stride, kernel in stages:
        for block in range(depth):
            layers.append(inverted(inputs, inputs * expand, outputs, kernel, stride if block == 0 else 1, act))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(inputs, last, 1, act=act), *head(last))


_MOBILENET_V2 = [
    *((6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3)),
    *((6, 96, 3, 1, 3), (6, 160, 3, 2, 3), (6, 320, 1, 1, 3)),
]


def mobilenet_v2(width: float = 1.0) -> nn.Module:
    """Sandler et al. 2018; below full width the last features shrink too, as in MCUNet's models."""
    stem = multiple_of(32 * width)
    stages = [(e, multiple_of(full * width), d, s, k) for e, full, d, s, k in [(1, 16, 1, 1, 3), *_MOBILENET_V2]]
    last = multiple_of(1280 * width)
    return _inverted_net([conv_bn(3, stem, 3, 2, act=nn.ReLU6)], stem, stages, nn.ReLU6, last)


def caffe_mobilenet_v2() -> nn.Module:
    """The Caffe model: its first block has an expansion of 1 as a convolution, and activations are not clipped."""
    first = (conv_bn(32, 32, 1), conv_bn(32, 32, 3, 1, 32), conv_bn(32, 16, 1, act=None))
    return _inverted_net([conv_bn(3, 32, 3, 2), *first], 16, _MOBILENET_V2, nn.ReLU)


def mnasnet(width: float = 1.0) -> nn.Module:
    """MnasNet-B1 (Tan et al. 2019) as torchvision has it."""
    stem, first, *widths = (multiple_of(full * width) for full in (32, 16, 24, 40, 80, 96, 192, 320))
    shapes = [(3, 3, 2, 3), (3, 3, 2, 5), (6, 3, 2, 5), (6, 2, 1, 3), (6, 4, 2, 5), (6, 1, 1, 3)]
    stages = [(e, outputs, d, s, k) for outputs, (e, d, s, k) in zip(widths, shapes, strict=True)]
    layers = (conv_bn(3, stem, 3, 2), conv_bn(stem, stem, 3, 1, stem), conv_bn(stem, first, 1, act=None))
    return _inverted_net(layers, first, stages, nn.ReLU)


def proxylessnas() -> nn.Module:
    """ProxylessNAS for phones (Cai et al. 2019) as ncnn's benchmark has it, with 32 channels after the first block."""
    rows: list[tuple[int, int, int, int]] = [  # kernel, hidden, width, stride
        *((5, 48, 32, 2), (3, 96, 32, 1)),
        *((7, 96, 40, 2), (3, 120, 40, 1), (5, 120, 40, 1), (5, 120, 40, 1)),
        *((7, 240, 80, 2), (5, 240, 80, 1), (5, 240, 80, 1), (5, 240, 80, 1)),
        *((5, 480, 96, 1), (5, 288, 96, 1), (5, 288, 96, 1), (5, 288, 96, 1)),
        *((7, 576, 192, 2), (7, 1152, 192, 1), (7, 576, 192, 1), (7, 576, 192, 1), (7, 1152, 320, 1)),
    ]
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2), conv_bn(32, 32, 3, 1, 32), conv_bn(32, 32, 1, act=None)]
    inputs = 32
    for kernel, hidden, outputs, stride in rows:
        layers.append(inverted(inputs, hidden, outputs, kernel, stride, nn.ReLU))
        inputs = outputs
    return nn.Sequential(*layers, conv_bn(320, 1280, 1), *head(1280))


class _DenseExcite(nn.Module):
    """Squeeze and excitation by matrix products, followed by the block's activation."""

    def __init__(self, channels: int, act: Activation) -> None:
        super().__init__()
        hidden = channels // 4
        self.gate = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU()),
            *(nn.Linear(hidden, channels), nn.Hardsigmoid()),
        )
        self.act = act()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.act(x * self.gate(x)[:, :, None, None])
        return out


def first_mobilenet_v3() -> nn.Module:
    """The large variant in the first version of Howard et al. 2019 (arXiv:1905.02244v1).

    Squeezes are a quarter of the hidden width and excite before the activation; a block of 160 channels comes before
    the last stride.
    """
    relu, swish = nn.ReLU, nn.Hardswish
    rows: list[tuple[int, int, int, int, bool, type[nn.Module]]] = [
        *((3, 16, 16, 1, False, relu), (3, 64, 24, 2, False, relu), (3, 72, 24, 1, False, relu)),
        *((5, 72, 40, 2, True, relu), (5, 120, 40, 1, True, relu), (5, 120, 40, 1, True, relu)),
        *((3, 240, 80, 2, False, swish), (3, 200, 80, 1, False, swish), (3, 184, 80, 1, False, swish)),
        *((3, 184, 80, 1, False, swish), (3, 480, 112, 1, True, swish), (3, 672, 112, 1, True, swish)),
        *((5, 672, 160, 1, True, swish), (5, 672, 160, 2, True, swish), (5, 960, 160, 1, True, swish)),
    ]
    layers: list[nn.Module] = [conv_bn(3, 16, 3, 2, act=swish)]
    inputs = 16
    for index, (kernel, hidden, outputs, stride, gated, act) in enumerate(rows):
        body = nn.Sequential(
            *([conv_bn(inputs, hidden, 1, act=act)] if index else []),
            conv_bn(hidden, hidden, kernel, stride, hidden, None if gated else act),
            *([_DenseExcite(hidden, act)] if gated else []),
            conv_bn(hidden, outputs, 1, act=None),
        )
        # The strided block of 160 channels has no shortcut, and neither has the one before it, which widens.
        layers.append(Residual(body, act=None) if stride == 1 and inputs == outputs else body)
        inputs = outputs
    layers += [conv_bn(160, 960, 1, act=swish), nn.AdaptiveAvgPool2d(1), swish(), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(960, 1280), swish(), nn.Linear(1280, 1000))


class _ShuffleUnit(nn.Module):
    """Zhang et al. 2018: grouped 1x1 convolutions with a shuffle between them; with a stride, the input is joined."""

    def __init__(self, inputs: int, outputs: int, stride: int, groups: int, first_groups: int) -> None:
        super().__init__()
        hidden = outputs // 4 if stride == 1 else (outputs - inputs) // 4
        self.groups = first_groups
        self.expand = conv_bn(inputs, hidden, 1, 1, first_groups)
        self.filter = conv_bn(hidden, hidden, 3, stride, hidden, None)
        self.project = conv_bn(hidden, 4 * hidden, 1, 1, groups, None)
        self.pool = nn.AvgPool2d(3, 2, ceil_mode=True) if stride == 2 else None
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.expand(x)
        y = self.project(self.filter(shuffle(y, self.groups) if self.groups > 1 else y))
        out: torch.Tensor = self.act(x + y if self.pool is None else torch.cat([self.pool(x), y], 1))
        return out


def shufflenet_v1() -> nn.Module:
    """Zhang et al. 2018 with 3 groups, at full width, as published for Caffe."""
    layers: list[nn.Module] = [conv_bn(3, 24, 3, 2), nn.MaxPool2d(3, 2, ceil_mode=True)]
    inputs = 24
    for stage, (outputs, depth) in enumerate([(240, 4), (480, 8), (960, 4)]):
        for block in range(depth):
            first_groups = 1 if stage == block == 0 else 3
            layers.append(_ShuffleUnit(inputs, outputs, 1 if block else 2, 3, first_groups))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Conv2d(960, 1000, 1), nn.Flatten())


class _SplitUnit(nn.Module):
    """Ma et al. 2018: half the channels pass, half are filtered, then both are interleaved."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        source = inputs if stride == 2 else half
        self.side = nn.Sequential(conv_bn(inputs, inputs, 3, 2, inputs, None), conv_bn(inputs, half, 1))
        self.down = stride == 2
        if not self.down:
            self.side = nn.Sequential()
        self.body = nn.Sequential(
            conv_bn(source, half, 1), conv_bn(half, half, 3, stride, half, None), conv_bn(half, half, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.down:
            return shuffle(torch.cat([self.side(x), self.body(x)], 1), 2)
        kept, filtered = x.chunk(2, 1)
        return shuffle(torch.cat([kept, self.body(filtered)], 1), 2)


def shufflenet_v2(widths: Sequence[int], last: int = 1024) -> nn.Module:
    """Ma et al. 2018."""
    layers: list[nn.Module] = [conv_bn(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    inputs = 24
    for outputs, depth in zip(widths, (4, 8, 4), strict=True):
        for block in range(depth):
            layers.append(_SplitUnit(inputs, outputs, 1 if block else 2))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(inputs, last, 1), *head(last))


class _BlazeShortcut(nn.Module):
    """The input, halved where the block has a stride and widened by zeros."""

    def __init__(self, more: int, stride: int) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2) if stride == 2 else nn.Identity()
        self.more = more

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(x)
        return nn.functional.pad(x, (0, 0, 0, 0, 0, self.more)) if self.more else x


def blazeface() -> nn.Module:
    """The backbone of Bazarevsky et al. 2019 at 128 px, with single blocks only, as ncnn's benchmark has it."""

    def block(inputs: int, outputs: int, stride: int) -> nn.Module:
        pad = [nn.ZeroPad2d((0, 2, 0, 2))] if stride == 2 else []
        depthwise = nn.Conv2d(inputs, inputs, 3, stride, 0 if pad else 1, groups=inputs)
        body = nn.Sequential(*pad, depthwise, nn.Conv2d(inputs, outputs, 1))
        return Residual(body, _BlazeShortcut(outputs - inputs, stride))

    rows = [(24, 1), (28, 1), (32, 2), (36, 1), (42, 1), (48, 2), *((w, 1) for w in (56, 64, 72, 80, 88)), (96, 2)]
    layers: list[nn.Module] = [nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(3, 24, 5, 2), nn.ReLU()]
    inputs = 24
    for outputs, stride in [*rows, *[(96, 1)] * 4]:
        layers.append(block(inputs, outputs, stride))
        inputs = outputs
    return nn.Sequential(*layers)
