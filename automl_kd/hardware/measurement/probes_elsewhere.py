"""Networks of sizes and kinds that students of images lack: detectors, sound, sequences, large tables of weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

Built = tuple[nn.Module, tuple[int, ...]]


class _Detector(nn.Module):
    """Two scales joined as in a feature pyramid, on maps that no cache next to a core holds."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = _swish(3, width, 2)
        self.down = _swish(width, 2 * width, 2)
        self.mixed = _swish(width, width)
        self.deeper = _swish(2 * width, 2 * width, 2)
        self.joined = _swish(4 * width, 2 * width, window=1)
        self.head = nn.Conv2d(2 * width, 24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fine = self.down(self.stem(x))
        left, right = fine.chunk(2, 1)
        fine = torch.cat([left, right + self.mixed(right)], 1)
        coarse = nn.functional.interpolate(self.deeper(fine), scale_factor=2.0)
        scores: torch.Tensor = self.head(self.joined(torch.cat([fine, coarse], 1)))
        return torch.softmax(scores.flatten(2).transpose(1, 2), -1)


def _swish(inputs: int, outputs: int, stride: int = 1, window: int = 3) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, window, stride, window // 2, bias=False), nn.BatchNorm2d(outputs), nn.SiLU()
    )


class _Mobile(nn.Module):
    """Depthwise convolutions on large maps, with activations written out as older exporters do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "wide": nn.Conv2d(width, 3 * width, 1),
                    "deep": nn.Conv2d(3 * width, 3 * width, window, stride, window // 2, groups=3 * width),
                    "narrow": nn.Conv2d(3 * width, width, 1),
                }
            )
            for window, stride in ((3, 2), (5, 1), (5, 2))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = _written_out(self.stem(x))
        for layer in self.layers:
            assert isinstance(layer, nn.ModuleDict)
            x = layer["narrow"](_written_out(layer["deep"](_written_out(layer["wide"](x)))))
        return x.mean((2, 3))


def _written_out(x: torch.Tensor) -> torch.Tensor:
    return x * torch.clamp(x + 3.0, 0.0, 6.0) / 6.0


def _backbone(width: int) -> nn.Module:
    """Wide convolutions on small maps, as in the later stages of a classifier."""
    return nn.Sequential(
        *(nn.Conv2d(3, width, 7, 4, 3), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2, 1), nn.ReLU()),
        *(
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1),
            nn.ReLU(),
        ),
        *(nn.Conv2d(4 * width, width, 1), nn.ReLU(), nn.Conv2d(width, 4 * width, 1), nn.AdaptiveAvgPool2d(1)),
        *(nn.Flatten(), nn.Linear(4 * width, 1000)),
    )


def _faces(width: int) -> nn.Module:
    """Unpadded convolutions with a slope for every channel."""
    return nn.Sequential(
        *(nn.Conv2d(3, width, 3), nn.PReLU(width), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(nn.Conv2d(width, 2 * width, 3), nn.PReLU(2 * width), nn.Conv2d(2 * width, 2 * width, 2), nn.PReLU(2 * width)),
    )


class _Sound(nn.Module):
    """A spectrogram by convolution, its logarithm, and convolutions along time."""

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.spectrum = nn.Conv1d(1, 2 * width, window, window // 2, bias=False)
        self.layers = nn.Sequential(
            *(nn.Conv1d(width, width, 3, padding=1), nn.ReLU(), nn.Conv1d(width, 2 * width, 3, 2, 1), nn.ReLU()),
            *(nn.Conv1d(2 * width, width, 1), nn.ReLU()),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        real, imaginary = self.spectrum(x.unsqueeze(1)).chunk(2, 1)
        power = torch.log(torch.clamp(torch.sqrt(real**2 + imaginary**2), min=1e-5))
        found: torch.Tensor = self.layers(power)
        return found.mean(-1)


class _Recurrent(nn.Module):
    """Steps one after another, and a classifier of the last."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], inputs: int, width: int, both: bool) -> None:
        super().__init__()
        self.layer = kind(inputs, width, batch_first=True, bidirectional=both)
        self.head = nn.Linear((1 + both) * width, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps, _ = self.layer(x)
        found: torch.Tensor = torch.sigmoid(self.head(steps))
        return found


class _Encoder(nn.Module):
    """A transformer's layer with several heads, on tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.mix(self.before(x)).chunk(3, -1)
        )
        weights = torch.softmax(query @ key.transpose(2, 3) / 8.0, -1)
        x = x + self.out((weights @ value).transpose(1, 2).flatten(2))
        found: torch.Tensor = x + self.feed(self.after(x))
        return found


class _Assorted(nn.Module):
    """One operator after another that maps elements or moves them; none of them fuses."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.rounds = rounds

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.rounds):
            x = torch.maximum(x, 0.1 * x) / (1.0 + x.abs())
            x = (x - x.mean(-1, keepdim=True)) * torch.tanh(x)
            first, second = x.chunk(2, 1)
            x = torch.cat([nn.functional.pad(second, (1, 0))[..., :-1], first.transpose(2, 3)], 1)
        return x


def _table(sizes: Sequence[int]) -> nn.Module:
    """Products whose weights come from memory."""
    return nn.Sequential(*(layer for pair in itertools.pairwise(sizes) for layer in (nn.Linear(*pair), nn.ReLU())))


FAMILIES: Mapping[str, Callable[[], Sequence[Built]]] = {
    "detector": lambda: [
        (_Detector(width), (3, size, size)) for width, size in ((8, 96), (16, 160), (24, 256), (40, 320))
    ],
    "mobile": lambda: [(_Mobile(width), (3, size, size)) for width, size in ((8, 64), (16, 128), (16, 256))],
    "backbone": lambda: [(_backbone(width), (3, size, size)) for width, size in ((64, 64), (48, 160))],
    "faces": lambda: [(_faces(width), (3, size, size)) for width, size in ((8, 24), (16, 48), (10, 128))],
    "sound": lambda: [
        (_Sound(width, window), (size,)) for width, window, size in ((32, 64, 2000), (128, 256, 1024), (64, 400, 16000))
    ],
    "recurrent": lambda: [
        (_Recurrent(nn.LSTM, 128, 128, both=False), (1, 128)),
        (_Recurrent(nn.GRU, 32, 64, both=True), (24, 32)),
        (_Recurrent(nn.LSTM, 64, 256, both=True), (16, 64)),
    ],
    "encoder": lambda: [
        (_Encoder(width, heads), (steps, width)) for width, heads, steps in ((64, 2, 24), (128, 4, 96), (256, 8, 48))
    ],
    "assorted": lambda: [(_Assorted(rounds), shape) for rounds, shape in ((4, (4, 6, 6)), (2, (16, 96, 96)))],
    "table": lambda: [(_table(sizes), (sizes[0],)) for sizes in ((1536, 96, 32), (1024, 1024, 8), (2048, 3072, 16))],
}
"""Networks by family, with the shape of one input without the batch."""
