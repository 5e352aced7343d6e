"""Small networks that between them contain every kind of kernel, for calibrating a machine."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import torch
from torch import nn

from automl_kd.hardware.measurement import probes_elsewhere

Probe = tuple[str, nn.Module, tuple[int, ...]]

_SIZES = ((8, 8), (48, 16), (16, 32), (96, 24), (24, 48))  # width, pixels


_FLOATS_ALONE = frozenset({"recurrent", "encoder", "assorted", "sound", "faces"})
"""Families of which no quantised file loads, or most of which computes with floats all the same."""


def probes(quantised: bool = False) -> list[Probe]:
    """Name, module and input shape of every probe, always the same.

    Most of them are students on 8 to 64 pixels; the others are of kinds and sizes that other people's files have.

    Args:
        quantised: Whether they are to be quantised, which leaves out those that then say little.
    """
    draw = random.Random(0)
    made: list[Probe] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for family, build in _FAMILIES.items():
            for width, pixels in _SIZES:
                module = build(width, draw)
                made.append((f"{family}-{width}-{pixels}", module, (3, pixels, pixels)))
        for family, several in probes_elsewhere.FAMILIES.items():
            made += [(f"{family}-{'-'.join(map(str, shape))}", module, shape) for module, shape in several()]
    return [probe for probe in made if not quantised or probe[0].partition("-")[0] not in _FLOATS_ALONE]


def _unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def _plain(width: int, draw: random.Random) -> nn.Module:
    layers: list[nn.Module] = [_unit(3, width), *(_unit(width, width) for _ in range(draw.randint(0, 2)))]
    layers += [_unit(width, 2 * width, draw.choice((3, 5)), 2), *(_unit(2 * width, 2 * width) for _ in range(2))]
    return nn.Sequential(*layers, _head(2 * width))


class _Sum(nn.Module):
    """``act(body(x) + x)``."""

    def __init__(self, body: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.body, self.act = body, act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.act(self.body(x) + x)
        return out


class _Gate(nn.Module):
    """``x * body(x)``."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x * self.body(x)
        return out


class _Join(nn.Module):
    """``cat(x, body(x))``."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], 1)


def _residual(width: int, draw: random.Random) -> nn.Module:
    blocks = [
        _Sum(nn.Sequential(_unit(2 * width, width, 1), _unit(width, width), nn.Conv2d(width, 2 * width, 1)), nn.ReLU())
        for _ in range(draw.randint(1, 4))
    ]
    return nn.Sequential(_unit(3, 2 * width, 3, 2), nn.MaxPool2d(2), *blocks, _head(2 * width))


def _inverted(width: int, draw: random.Random) -> nn.Module:
    hidden, blocks = width * draw.choice((2, 4)), []
    for index in range(draw.randint(2, 4)):
        kernel = draw.choice((3, 5))
        gate = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Conv2d(hidden, hidden // 4, 1), nn.ReLU()),
            *(nn.Conv2d(hidden // 4, hidden, 1), nn.Hardsigmoid()),
        )
        inner = nn.Sequential(
            *(nn.Conv2d(width, hidden, 1), nn.Hardswish() if index % 2 else nn.ReLU6()),
            *(nn.Conv2d(hidden, hidden, kernel, padding=kernel // 2, groups=hidden), nn.ReLU6()),
            *([_Gate(gate)] if index % 2 else []),
            nn.Conv2d(hidden, width, 1),
        )
        blocks.append(_Sum(inner, nn.Identity()))
    return nn.Sequential(_unit(3, width), *blocks, _unit(width, 4 * width, 1), _head(4 * width))


def _grouped(width: int, draw: random.Random) -> nn.Module:
    groups = draw.choice((2, 4))
    units = [_unit(width, width, 3, 1, groups) for _ in range(draw.randint(1, 3))]
    return nn.Sequential(_unit(3, width), *units, nn.MaxPool2d(2), _head(width))


def _preactivated(width: int, draw: random.Random) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    depth = draw.randint(2, 3)
    for index in range(depth):
        inputs, kernel = width * (index + 1), draw.choice((1, 3))
        body = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, width, kernel, padding=kernel // 2))
        layers.append(_Join(body))
    return nn.Sequential(*layers, nn.AvgPool2d(2), _head((depth + 1) * width))


def _dense(width: int, draw: random.Random) -> nn.Module:
    hidden = 8 * width
    middle = [layer for _ in range(draw.randint(1, 3)) for layer in (nn.Linear(hidden, hidden), nn.GELU())]
    return nn.Sequential(
        *(nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(192, hidden), nn.ReLU()),
        *middle,
        *(nn.Linear(hidden, 10), nn.Softmax(-1)),
    )


def _upsampling(width: int, draw: random.Random) -> nn.Module:
    size = draw.choice((2, 4))
    return nn.Sequential(
        *(_unit(3, width, 3, 2), _unit(width, 2 * width, 3, 2)),
        *(nn.ConvTranspose2d(2 * width, width, size, 2, size // 2 - 1), nn.ReLU()),
        *(nn.Upsample(scale_factor=2.0), _head(width)),
    )


class _Attention(nn.Module):
    """One transformer layer over patches of 2x2 pixels."""

    def __init__(self, width: int, draw: random.Random) -> None:
        super().__init__()
        wide = width * draw.choice((2, 4))
        self.embed = nn.Conv2d(3, width, 2, 2)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.feed = nn.Sequential(nn.Linear(width, wide), nn.GELU(), nn.Linear(wide, width))
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        query, key, value = self.mix(self.before(tokens)).chunk(3, -1)
        weights = torch.softmax(query @ key.transpose(1, 2), -1)
        tokens = tokens + weights @ value
        tokens = tokens + self.feed(self.after(tokens))
        out: torch.Tensor = self.head(tokens.mean(1))
        return out


_FAMILIES: Mapping[str, Callable[[int, random.Random], nn.Module]] = {
    "plain": _plain,
    "residual": _residual,
    "inverted": _inverted,
    "grouped": _grouped,
    "preactivated": _preactivated,
    "dense": _dense,
    "upsampling": _upsampling,
    "attention": _Attention,
}
