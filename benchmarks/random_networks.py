"""Random networks of four families, for measuring how well this machine's latencies are predicted."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import nn

Shape = tuple[int, int, int]

FAMILIES = ("plain", "residual", "inverted", "dense")


def networks(count: int, seed: int) -> Iterator[tuple[str, nn.Module, Shape]]:
    """Family, module and input shape, family after family in turn."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    for index in range(count):
        family = FAMILIES[index % len(FAMILIES)]
        pixels = draw.choice((16, 24, 32, 48, 64, 96))
        width = draw.choice((8, 12, 16, 24, 32, 48))
        yield family, _BUILDERS[family](width, draw).eval(), (3, pixels, pixels)


def _unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _head(width: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 100)]


class _Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(x) + self.shortcut(x)
        return out


class _Gate(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        squeeze = max(4, width // 4)
        self.body = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, squeeze, 1), nn.ReLU(), nn.Conv2d(squeeze, width, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x * self.body(x)
        return out


class _Dense(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def _plain(width: int, draw: random.Random) -> nn.Module:
    layers: list[nn.Module] = [_unit(3, width)]
    for _ in range(draw.randint(1, 3)):
        layers += [_unit(width, width, draw.choice((3, 3, 5))) for _ in range(draw.randint(0, 2))]
        wider = int(width * draw.choice((1, 1.5, 2)))
        down = [_unit(width, wider, 3, 2)] if draw.random() < 0.5 else [_unit(width, wider, 3), nn.MaxPool2d(2)]
        layers += down
        width = wider
    return nn.Sequential(*layers, *_head(width))


def _residual(width: int, draw: random.Random) -> nn.Module:
    bottleneck = draw.random() < 0.4
    layers: list[nn.Module] = [_unit(3, width)]
    for stage in range(draw.randint(2, 3)):
        for block in range(draw.randint(1, 3)):
            stride = 2 if stage and not block else 1
            wider = width * stride
            inner = max(4, wider // 4)
            if bottleneck:
                body = nn.Sequential(
                    _unit(width, inner, 1), _unit(inner, inner, 3, stride), nn.Conv2d(inner, wider, 1, bias=False)
                )
            else:
                body = nn.Sequential(
                    _unit(width, wider, 3, stride), nn.Conv2d(wider, wider, 3, 1, 1, bias=False), nn.BatchNorm2d(wider)
                )
            same = stride == 1 and width == wider
            shortcut = nn.Identity() if same else nn.Conv2d(width, wider, 1, stride, bias=False)
            layers += [_Residual(body, shortcut), nn.ReLU()]
            width = wider
    return nn.Sequential(*layers, *_head(width))


def _inverted(width: int, draw: random.Random) -> nn.Module:
    layers: list[nn.Module] = [_unit(3, width, 3, 2)]
    gated = draw.random() < 0.4
    for stage in range(draw.randint(2, 3)):
        for block in range(draw.randint(1, 3)):
            stride = 2 if stage and not block else 1
            wider = int(width * 1.5) if stride == 2 else width
            hidden, kernel = width * draw.choice((2, 4, 6)), draw.choice((3, 5))
            parts: list[nn.Module] = [_unit(width, hidden, 1), _unit(hidden, hidden, kernel, stride, hidden)]
            parts += [_Gate(hidden)] if gated else []
            body = nn.Sequential(*parts, nn.Conv2d(hidden, wider, 1, bias=False), nn.BatchNorm2d(wider))
            layers.append(_Residual(body, nn.Identity()) if stride == 1 else body)
            width = wider
    return nn.Sequential(*layers, _unit(width, 4 * width, 1), *_head(4 * width))


def _dense(width: int, draw: random.Random) -> nn.Module:
    growth = draw.choice((8, 12, 16))
    layers: list[nn.Module] = [_unit(3, width)]
    for _ in range(draw.randint(2, 3)):
        for _ in range(draw.randint(2, 4)):
            inner = nn.Sequential(_unit(width, 2 * growth, 1), _unit(2 * growth, growth, 3))
            layers.append(_Dense(inner))
            width += growth
        layers += [_unit(width, width // 2, 1), nn.AvgPool2d(2)]
        width //= 2
    return nn.Sequential(*layers, *_head(width))


_BUILDERS = {"plain": _plain, "residual": _residual, "inverted": _inverted, "dense": _dense}
