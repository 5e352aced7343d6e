"""Published networks rebuilt with their published shapes, without weights: what the anchors of a profile measured.

Every function takes nothing and returns a module for ImageNet's 1000 classes; ``MODELS`` names them as the tables of
published latencies do, with the input shape that the latency was measured at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

Shape = tuple[int, int, int]


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    act: Callable[[], nn.Module] | None = nn.ReLU,
) -> nn.Sequential:
    """Convolution with same padding, batch normalisation and, where given, an activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


def head(features: int, classes: int = 1000) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes)]


class Residual(nn.Module):
    """``act(body(x) + shortcut(x))``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, act: bool = True) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()
        self.act = nn.ReLU() if act else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.act(self.body(x) + self.shortcut(x))
        return out


class Branches(nn.Module):
    """Every branch on the same input, concatenated over channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


def resnet(depths: Sequence[int], bottleneck: bool) -> nn.Module:
    """He et al. 2016; the stride of a bottleneck is on its 3x3 convolution."""
    layers: list[nn.Module] = [conv_bn(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        outputs = width * 4 if bottleneck else width
        for block in range(depth):
            stride = 2 if block == 0 and stage > 0 else 1
            if bottleneck:
                body = nn.Sequential(
                    conv_bn(inputs, width, 1), conv_bn(width, width, 3, stride), conv_bn(width, outputs, 1, act=None)
                )
            else:
                body = nn.Sequential(conv_bn(inputs, width, 3, stride), conv_bn(width, width, 3, act=None))
            same = stride == 1 and inputs == outputs
            layers.append(Residual(body, None if same else conv_bn(inputs, outputs, 1, stride, act=None)))
            inputs = outputs
    return nn.Sequential(*layers, *head(inputs))


def vgg(plan: str, norm: bool) -> nn.Module:
    """Simonyan & Zisserman 2015; a letter is a width, ``M`` a pooling."""
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
    """The two-tower original in one network (groups of 2), at 227 px, which ncnn's benchmark runs."""
    lrn = partial(nn.LocalResponseNorm, 5)
    return nn.Sequential(
        *(nn.Conv2d(3, 96, 11, 4), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), lrn(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()),
        *(nn.Linear(256 * 36, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)),
    )


def squeezenet(version: str) -> nn.Module:
    """Iandola et al. 2016."""

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
    return nn.Sequential(*layers, nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


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


class SqueezeExcite(nn.Module):
    """Hu et al. 2018: channels scaled by a two-layer network of their means."""

    def __init__(self, channels: int, hidden: int, act: Callable[[], nn.Module], gate: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, hidden, 1), act(), nn.Conv2d(hidden, channels, 1), gate()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x * self.gate(x)
        return out


def inverted(
    inputs: int,
    hidden: int,
    outputs: int,
    kernel: int,
    stride: int,
    act: Callable[[], nn.Module] = nn.ReLU6,
    excite: nn.Module | None = None,
) -> nn.Module:
    """Sandler et al. 2018: expand, filter by channel, project."""
    body = nn.Sequential(
        *([conv_bn(inputs, hidden, 1, act=act)] if hidden != inputs else []),
        conv_bn(hidden, hidden, kernel, stride, hidden, act),
        *([excite] if excite else []),
        conv_bn(hidden, outputs, 1, act=None),
    )
    return Residual(body, act=False) if stride == 1 and inputs == outputs else body


def mobilenet_v1() -> nn.Module:
    """Howard et al. 2017."""
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2)]
    inputs = 32
    for outputs, stride in [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2)]:
        layers += [conv_bn(inputs, inputs, 3, stride, inputs), conv_bn(inputs, outputs, 1)]
        inputs = outputs
    layers += [conv_bn(1024, 1024, 3, 1, 1024), conv_bn(1024, 1024, 1)]
    return nn.Sequential(*layers, *head(1024))


def inverted_net(
    stem: nn.Module, inputs: int, stages: Sequence[tuple[int, int, int, int, int]], last: int, act: type[nn.Module]
) -> nn.Module:
    """Stages of (expansion, width, depth, stride, kernel)."""
    layers = [stem]
    for expand, outputs, depth, stride, kernel in stages:
        for block in range(depth):
            layers.append(inverted(inputs, inputs * expand, outputs, kernel, stride if block == 0 else 1, act))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(inputs, last, 1, act=act), *head(last))


def mobilenet_v2() -> nn.Module:
    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 32, 3, 2, 3), (6, 64, 4, 2, 3), (6, 96, 3, 1, 3)]
    stages += [(6, 160, 3, 2, 3), (6, 320, 1, 1, 3)]
    return inverted_net(conv_bn(3, 32, 3, 2, act=nn.ReLU6), 32, stages, 1280, nn.ReLU6)


def mnasnet() -> nn.Module:
    """MnasNet-B1 (Tan et al. 2019)."""
    stem = nn.Sequential(conv_bn(3, 32, 3, 2), conv_bn(32, 32, 3, 1, 32), conv_bn(32, 16, 1, act=None))
    stages = [(3, 24, 3, 2, 3), (3, 40, 3, 2, 5), (6, 80, 3, 2, 5), (6, 96, 2, 1, 3), (6, 192, 4, 2, 5)]
    return inverted_net(stem, 16, [*stages, (6, 320, 1, 1, 3)], 1280, nn.ReLU)


def mobilenet_v3() -> nn.Module:
    """The large variant of Howard et al. 2019."""
    relu, swish = nn.ReLU, nn.Hardswish
    rows: list[tuple[int, int, int, int, bool, type[nn.Module]]] = [
        *((3, 16, 16, 1, False, relu), (3, 64, 24, 2, False, relu), (3, 72, 24, 1, False, relu)),
        *((5, 72, 40, 2, True, relu), (5, 120, 40, 1, True, relu), (5, 120, 40, 1, True, relu)),
        *((3, 240, 80, 2, False, swish), (3, 200, 80, 1, False, swish), (3, 184, 80, 1, False, swish)),
        *((3, 184, 80, 1, False, swish), (3, 480, 112, 1, True, swish), (3, 672, 112, 1, True, swish)),
        *((5, 672, 160, 2, True, swish), (5, 960, 160, 1, True, swish), (5, 960, 160, 1, True, swish)),
    ]
    layers: list[nn.Module] = [conv_bn(3, 16, 3, 2, act=swish)]
    inputs = 16
    for kernel, hidden, outputs, stride, gated, act in rows:
        excite = SqueezeExcite(hidden, (hidden // 4 + 7) // 8 * 8, nn.ReLU, nn.Hardsigmoid) if gated else None
        layers.append(inverted(inputs, hidden, outputs, kernel, stride, act, excite))
        inputs = outputs
    layers += [conv_bn(160, 960, 1, act=swish), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(960, 1280), swish(), nn.Linear(1280, 1000))


def efficientnet_b0() -> nn.Module:
    """Tan & Le 2019."""
    layers: list[nn.Module] = [conv_bn(3, 32, 3, 2, act=nn.SiLU)]
    inputs = 32
    stages = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5)]
    for expand, outputs, depth, stride, kernel in [*stages, (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]:
        for block in range(depth):
            hidden = inputs * expand
            excite = SqueezeExcite(hidden, inputs // 4, nn.SiLU, nn.Sigmoid)
            layers.append(inverted(inputs, hidden, outputs, kernel, stride if block == 0 else 1, nn.SiLU, excite))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(320, 1280, 1, act=nn.SiLU), *head(1280))


def googlenet() -> nn.Module:
    """Szegedy et al. 2015, without auxiliary heads and without normalisation."""

    def unit(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Module:
        return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.ReLU())

    def inception(inputs: int, a: int, b: tuple[int, int], c: tuple[int, int], d: int) -> nn.Module:
        return Branches(
            unit(inputs, a, 1),
            nn.Sequential(unit(inputs, b[0], 1), unit(b[0], b[1], 3)),
            nn.Sequential(unit(inputs, c[0], 1), unit(c[0], c[1], 5)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), unit(inputs, d, 1)),
        )

    pool = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
    return nn.Sequential(
        *(unit(3, 64, 7, 2), pool(), unit(64, 64, 1), unit(64, 192, 3), pool()),
        *(inception(192, 64, (96, 128), (16, 32), 32), inception(256, 128, (128, 192), (32, 96), 64), pool()),
        *(inception(480, 192, (96, 208), (16, 48), 64), inception(512, 160, (112, 224), (24, 64), 64)),
        *(inception(512, 128, (128, 256), (24, 64), 64), inception(512, 112, (144, 288), (32, 64), 64)),
        *(inception(528, 256, (160, 320), (32, 128), 128), pool()),
        *(inception(832, 256, (160, 320), (32, 128), 128), inception(832, 384, (192, 384), (48, 128), 128)),
        *head(1024),
    )


class ShuffleUnit(nn.Module):
    """Ma et al. 2018: half the channels pass, half are filtered, then both are interleaved."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        source = inputs if stride == 2 else half
        self.down = stride == 2
        self.side = nn.Sequential(conv_bn(inputs, inputs, 3, 2, inputs, None), conv_bn(inputs, half, 1))
        if not self.down:
            self.side = nn.Sequential()
        self.body = nn.Sequential(
            conv_bn(source, half, 1), conv_bn(half, half, 3, stride, half, None), conv_bn(half, half, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.down:
            out = torch.cat([self.side(x), self.body(x)], 1)
        else:
            kept, filtered = x.chunk(2, 1)
            out = torch.cat([kept, self.body(filtered)], 1)
        n, c, h, w = out.shape
        return out.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def shufflenet_v2() -> nn.Module:
    layers: list[nn.Module] = [conv_bn(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    inputs = 24
    for outputs, depth in [(116, 4), (232, 8), (464, 4)]:
        for block in range(depth):
            layers.append(ShuffleUnit(inputs, outputs, 2 if block == 0 else 1))
            inputs = outputs
    return nn.Sequential(*layers, conv_bn(464, 1024, 1), *head(1024))


MODELS: dict[str, tuple[Callable[[], nn.Module], Shape]] = {
    "alexnet": (alexnet, (3, 224, 224)),
    "caffe_alexnet": (caffe_alexnet, (3, 227, 227)),
    "squeezenet1_0": (partial(squeezenet, "1.0"), (3, 224, 224)),
    "squeezenet1_1": (partial(squeezenet, "1.1"), (3, 224, 224)),
    "resnet18": (partial(resnet, (2, 2, 2, 2), False), (3, 224, 224)),
    "resnet34": (partial(resnet, (3, 4, 6, 3), False), (3, 224, 224)),
    "resnet50": (partial(resnet, (3, 4, 6, 3), True), (3, 224, 224)),
    "resnet101": (partial(resnet, (3, 4, 23, 3), True), (3, 224, 224)),
    "resnet152": (partial(resnet, (3, 8, 36, 3), True), (3, 224, 224)),
    "densenet121": (partial(densenet, (6, 12, 24, 16)), (3, 224, 224)),
    "densenet161": (partial(densenet, (6, 12, 36, 24), 48, 96), (3, 224, 224)),
    "densenet169": (partial(densenet, (6, 12, 32, 32)), (3, 224, 224)),
    "densenet201": (partial(densenet, (6, 12, 48, 32)), (3, 224, 224)),
    "vgg11": (partial(vgg, "aMbMccMddMddM", False), (3, 224, 224)),
    "vgg13": (partial(vgg, "aaMbbMccMddMddM", False), (3, 224, 224)),
    "vgg16": (partial(vgg, "aaMbbMcccMdddMdddM", False), (3, 224, 224)),
    "vgg11_bn": (partial(vgg, "aMbMccMddMddM", True), (3, 224, 224)),
    "vgg13_bn": (partial(vgg, "aaMbbMccMddMddM", True), (3, 224, 224)),
    "vgg16_bn": (partial(vgg, "aaMbbMcccMdddMdddM", True), (3, 224, 224)),
    "mobilenet_v1": (mobilenet_v1, (3, 224, 224)),
    "mobilenet_v2": (mobilenet_v2, (3, 224, 224)),
    "mobilenet_v3_large": (mobilenet_v3, (3, 224, 224)),
    "mnasnet1_0": (mnasnet, (3, 224, 224)),
    "shufflenet_v2": (shufflenet_v2, (3, 224, 224)),
    "efficientnet_b0": (efficientnet_b0, (3, 224, 224)),
    "googlenet": (googlenet, (3, 224, 224)),
}


class Cell(nn.Module):
    """A NAS-Bench-201 cell (Dong & Yang 2020): node j sums its edges from every earlier node."""

    EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

    def __init__(self, operators: Sequence[str], width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            OrderedDict(
                (f"{source}{target}", _edge(operator, width))
                for (source, target), operator in zip(self.EDGES, operators, strict=True)
                if operator != "none"
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes: list[torch.Tensor | None] = [x, None, None, None]
        for target in (1, 2, 3):
            for source in range(target):
                origin = nodes[source]
                if f"{source}{target}" in self.edges and origin is not None:
                    part = self.edges[f"{source}{target}"](origin)
                    total = nodes[target]
                    nodes[target] = part if total is None else total + part
        last = nodes[3]
        if last is None:
            raise ValueError("the cell's output is disconnected")
        return last


def _edge(operator: str, width: int) -> nn.Module:
    if operator == "skip_connect":
        return nn.Identity()
    if operator == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    kernel = 3 if operator == "nor_conv_3x3" else 1
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(width)
    )


def nas_bench_201(operators: Sequence[str]) -> nn.Module:
    """The network around a cell: three stages of five cells at 16, 32 and 64 channels, input (3, 32, 32)."""
    layers: list[nn.Module] = [conv_bn(3, 16, 3, act=None)]
    for stage, width in enumerate((16, 32, 64)):
        if stage:
            body = nn.Sequential(
                *(nn.ReLU(), nn.Conv2d(width // 2, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)),
                *(nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)),
            )
            shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(width // 2, width, 1, bias=False))
            layers.append(Residual(body, shortcut, act=False))
        layers += [Cell(operators, width) for _ in range(5)]
    return nn.Sequential(*layers, nn.BatchNorm2d(64), nn.ReLU(), *head(64, 10))
