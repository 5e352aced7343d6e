"""Small networks of the families that matter, and a plan of blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional


def unit(inputs, outputs, kernel=3, stride=1, groups=1, act=nn.ReLU):
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([act()] if act else []))


def head(width):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


class Residual(nn.Module):
    def __init__(self, body, shortcut=None, act=True):
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or nn.Identity(), act

    def forward(self, x):
        out = self.body(x) + self.shortcut(x)
        return functional.relu(out) if self.act else out


class Excite(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width // 4, width, 1)

    def forward(self, x):
        return x * functional.hardsigmoid(self.b(functional.relu(self.a(x.mean((2, 3), keepdim=True)))))


class Shuffle(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = unit(width // 2, width // 2, groups=width // 2)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        x = torch.cat([a, self.body(b)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def basic():
    down = unit(16, 32, 1, 2, act=None)
    return nn.Sequential(
        unit(3, 16),
        Residual(nn.Sequential(unit(16, 16), unit(16, 16, act=None))),
        Residual(nn.Sequential(unit(16, 32, stride=2), unit(32, 32, act=None)), down),
        head(32),
    )


def bottleneck():
    body = nn.Sequential(unit(64, 16, 1), unit(16, 16, groups=4), unit(16, 64, 1, act=None))
    return nn.Sequential(unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), Residual(body), head(64))


def inverted(act=nn.Hardswish):
    body = nn.Sequential(
        unit(8, 32, 1, act=act), unit(32, 32, 5, groups=32, act=act), Excite(32), unit(32, 8, 1, act=None)
    )
    return nn.Sequential(unit(3, 8, stride=2, act=act), Residual(body, act=False), unit(8, 24, 1, act=act), head(24))


def shuffle():
    return nn.Sequential(unit(3, 16, stride=2), Shuffle(16), nn.BatchNorm2d(16), nn.ReLU(), head(16))


def upsampling():
    layers = (unit(3, 8, stride=2), nn.ConvTranspose2d(8, 4, 2, 2), nn.ReLU(), nn.Upsample(scale_factor=2.0))
    return nn.Sequential(*layers, nn.AvgPool2d(2), head(4))


FAMILIES = {
    "basic": basic,
    "bottleneck": bottleneck,
    "inverted-hardswish": inverted,
    "inverted-silu": lambda: inverted(nn.SiLU),
    "inverted-gelu": lambda: inverted(nn.GELU),
    "shuffle": shuffle,
    "upsampling": upsampling,
}


def resnet(depths, bottlenecks):
    """He et al. 2016, for 224 px."""
    layers, inputs = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)], 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        outputs = 4 * width if bottlenecks else width
        for block in range(depth):
            stride = 2 if stage and not block else 1
            if bottlenecks:
                parts = unit(inputs, width, 1), unit(width, width, 3, stride), unit(width, outputs, 1, act=None)
            else:
                parts = unit(inputs, width, 3, stride), unit(width, width, act=None)
            same = stride == 1 and inputs == outputs
            layers.append(Residual(nn.Sequential(*parts), None if same else unit(inputs, outputs, 1, stride, act=None)))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000))


class Cell(nn.Module):
    """A cell of 0 to 6 convolutions in NAS-Bench-201's wiring, all edges 3x3."""

    def __init__(self, width):
        super().__init__()
        self.edges = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
            for _ in range(6)
        )

    def forward(self, x):
        e = self.edges
        a = e[0](x)
        b = e[1](x) + e[2](a)
        return e[3](x) + e[4](a) + e[5](b)


def all_convolutions_cells():
    """NAS-Bench-201 with ``nor_conv_3x3`` on every edge: 220.1 MFLOPs in the benchmark's count of multiply-adds."""
    layers = [unit(3, 16, act=None)]
    for stage, width in enumerate((16, 32, 64)):
        if stage:
            half = width // 2
            body = nn.Sequential(nn.ReLU(), unit(half, width, stride=2), unit(width, width, act=None))
            short = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(half, width, 1, bias=False))
            layers.append(Residual(body, short, act=False))
        layers += [Cell(width) for _ in range(5)]
    return nn.Sequential(*layers, nn.BatchNorm2d(64), nn.ReLU(), head(64))


@dataclass(frozen=True)
class UnitBlock:
    input_shape: tuple[int, int, int]
    width: int
    stride: int = 1

    def build(self):
        return unit(self.input_shape[0], self.width, stride=self.stride)


@dataclass(frozen=True)
class HeadBlock:
    input_shape: tuple[int, int, int]

    def build(self):
        return head(self.input_shape[0])


@dataclass(frozen=True)
class ChainPlan:
    blocks: tuple[UnitBlock | HeadBlock, ...]

    def build(self):
        return nn.Sequential(*(block.build() for block in self.blocks))


def plan(*widths, pixels=16):
    shapes = [(inputs, pixels, pixels) for inputs in (3, *widths)]
    blocks = [UnitBlock(shape, width) for shape, width in zip(shapes, widths, strict=False)]
    return ChainPlan((*blocks, HeadBlock(shapes[-1])))
