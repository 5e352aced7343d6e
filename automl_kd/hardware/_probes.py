"""Small networks that between them contain every kind of kernel, for calibrating a machine."""

from __future__ import annotations

import torch
from torch import nn

Probe = tuple[str, nn.Module, tuple[int, int, int]]


def probes() -> list[Probe]:
    """Name, module and input shape of every probe; sizes are those of students on 8 to 64 pixels."""
    made: list[Probe] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for width, depth, pixels in ((8, 2, 8), (16, 4, 16), (32, 4, 32), (64, 6, 16), (128, 4, 8), (24, 3, 64)):
            made.append((f"plain-{width}-{depth}-{pixels}", _plain(width, depth), (3, pixels, pixels)))
        for width, depth, pixels in ((16, 2, 16), (32, 3, 32), (96, 4, 8)):
            made.append((f"residual-{width}-{depth}-{pixels}", _residual(width, depth), (3, pixels, pixels)))
        for width, expand, kernel, depth, pixels in ((8, 3, 3, 2, 8), (16, 4, 5, 3, 32), (32, 6, 3, 4, 16)):
            name = f"inverted-{width}-{expand}-{kernel}-{depth}-{pixels}"
            made.append((name, _inverted(width, expand, kernel, depth), (3, pixels, pixels)))
        for width, groups, pixels in ((32, 4, 32), (64, 8, 16)):
            made.append((f"grouped-{width}-{groups}-{pixels}", _grouped(width, groups), (3, pixels, pixels)))
        for width, pixels in ((16, 64), (48, 16)):
            made.append((f"preactivated-{width}-{pixels}", _preactivated(width), (3, pixels, pixels)))
        for hidden, pixels in ((128, 8), (512, 16)):
            made.append((f"dense-{hidden}-{pixels}", _dense(hidden, pixels), (3, pixels, pixels)))
        for width, pixels in ((16, 16), (32, 24)):
            made.append((f"upsampling-{width}-{pixels}", _upsampling(width), (3, pixels, pixels)))
        made.append(("attention-64-8", _Attention(64), (3, 8, 8)))
        made.append(("attention-32-16", _Attention(32), (3, 16, 16)))
    return made


def _unit(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def _plain(width: int, depth: int) -> nn.Module:
    layers: list[nn.Module] = [_unit(3, width), *(_unit(width, width) for _ in range(depth // 2))]
    layers += [_unit(width, 2 * width, stride=2), *(_unit(2 * width, 2 * width) for _ in range(depth - depth // 2))]
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


def _residual(width: int, depth: int) -> nn.Module:
    blocks = [
        _Sum(
            nn.Sequential(_unit(4 * width, width, 1), _unit(width, width), nn.Conv2d(width, 4 * width, 1)),
            nn.ReLU(),
        )
        for _ in range(depth)
    ]
    return nn.Sequential(_unit(3, 4 * width, 3, 2), nn.MaxPool2d(2), *blocks, _head(4 * width))


def _inverted(width: int, expand: int, kernel: int, depth: int) -> nn.Module:
    hidden = width * expand
    blocks = []
    for index in range(depth):
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


def _grouped(width: int, groups: int) -> nn.Module:
    units = [_unit(width, width, 3, 1, groups) for _ in range(3)]
    return nn.Sequential(_unit(3, width), *units, nn.MaxPool2d(2), _head(width))


def _preactivated(width: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1)]
    for index in range(3):
        inputs = width * (index + 1)
        layers.append(_Join(nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, width, 3, padding=1))))
    return nn.Sequential(*layers, nn.AvgPool2d(2), _head(4 * width))


def _dense(hidden: int, pixels: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(3 * pixels * pixels, hidden), nn.ReLU()),
        *(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 10), nn.Softmax(-1)),
    )


def _upsampling(width: int) -> nn.Module:
    return nn.Sequential(
        *(_unit(3, width, 3, 2), _unit(width, 2 * width, 3, 2)),
        *(nn.ConvTranspose2d(2 * width, width, 2, 2), nn.ReLU(), nn.Upsample(scale_factor=2.0), _head(width)),
    )


class _Attention(nn.Module):
    """One transformer layer over patches of 2x2 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, 2, 2)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        query, key, value = self.mix(self.before(tokens)).chunk(3, -1)
        weights = torch.softmax(query @ key.transpose(1, 2), -1)
        tokens = tokens + weights @ value
        tokens = tokens + self.feed(self.after(tokens))
        out: torch.Tensor = self.head(tokens.mean(1))
        return out
