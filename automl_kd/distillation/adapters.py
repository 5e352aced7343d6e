"""Adapters: modules that make features of student and teacher comparable. They are trained, and never delivered."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Projection(nn.Conv2d):
    """1x1 convolution: maps (B, C, H, W) to (B, C', H, W)."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(student_channels, teacher_channels, 1)


class Connector(nn.Sequential):
    """1x1 convolution and batch normalisation: maps (B, C, H, W) to (B, C', H, W) of either sign."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(
            nn.Conv2d(student_channels, teacher_channels, 1, bias=False),
            nn.BatchNorm2d(teacher_channels),
        )


class Regressor(nn.Sequential):
    """1x1 convolution, batch normalisation and ReLU: maps (B, C, H, W) to (B, C', H, W).

    The regressor of FitNets (Romero et al. 2015, arXiv:1412.6550) in the form of RepDistiller's ``ConvReg``, except
    that sizes are brought together by pooling the larger map, in the loss.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(*Connector(student_channels, teacher_channels), nn.ReLU(inplace=True))


class Several(nn.ModuleList):
    """One module for each of several maps: a tuple of (B, C, H, W) to a tuple of (B, C', H, W)."""

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Each map through its own module."""
        return tuple(module(each) for module, each in zip(self, maps, strict=True))


class VariationalRegressor(nn.Module):
    """Mean and scale of the teacher's map given the student's (Ahn et al. 2019, arXiv:1904.05835).

    The mean comes from three 1x1 convolutions with ReLU between, without bias or normalisation, as in RepDistiller's
    ``VIDLoss``. The scale is one number for each channel.

    Attributes:
        log_scale: rho (C',), of which the variance is softplus(rho) + 1e-5; 5 at first.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.mean = nn.Sequential(
            nn.Conv2d(student_channels, teacher_channels, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(teacher_channels, teacher_channels, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(teacher_channels, teacher_channels, 1, bias=False),
        )
        self.log_scale = nn.Parameter(torch.full((teacher_channels,), math.log(math.expm1(5.0 - 1e-5))))

    def forward(self, student: Tensor) -> Tensor:
        """The mean (B, C', H, W) of the teacher's map, given the student's (B, C, H, W)."""
        mean: Tensor = self.mean(student)
        return mean


class Paraphraser(nn.Module):
    """Auto-encoder of the teacher's map (Kim et al. 2018, arXiv:1802.04977), as RepDistiller's ``Paraphraser``.

    It has no batch normalisation, so that nothing in it changes once its weights are no longer trained.
    """

    def __init__(self, channels: int, factors: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)),
            *(nn.Conv2d(channels, factors, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)),
            *(nn.Conv2d(factors, factors, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)),
        )
        self.decoder = nn.Sequential(
            *(nn.ConvTranspose2d(factors, factors, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)),
            *(nn.ConvTranspose2d(factors, channels, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)),
            *(nn.ConvTranspose2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)),
        )

    def forward(self, teacher: Tensor) -> Tensor:
        """The map (B, C, H, W) as it is rebuilt from its factors."""
        rebuilt: Tensor = self.decoder(self.encoder(teacher))
        return rebuilt


class Translator(nn.Sequential):
    """The student's map (B, C, H, W) to factors (B, K, H, W) like a paraphraser's, as RepDistiller's ``Translator``."""

    def __init__(self, channels: int, factors: int) -> None:
        super().__init__(
            *(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.LeakyReLU(0.1, inplace=True)),
            *(nn.Conv2d(channels, factors, 3, padding=1), nn.BatchNorm2d(factors), nn.LeakyReLU(0.1, inplace=True)),
            *(nn.Conv2d(factors, factors, 3, padding=1), nn.BatchNorm2d(factors), nn.LeakyReLU(0.1, inplace=True)),
        )


class FactorTranslator(nn.Module):
    """The two sides of factor transfer, with ``rate`` times as many factors as the teacher has channels.

    Attributes:
        paraphraser: Of the teacher's map.
        translator: Of the student's.
    """

    def __init__(self, student_channels: int, teacher_channels: int, rate: float) -> None:
        super().__init__()
        factors = max(1, int(rate * teacher_channels))
        self.paraphraser = Paraphraser(teacher_channels, factors)
        self.translator = Translator(student_channels, factors)


class ReviewFusion(nn.Module):
    """The student's maps, fused from the last to the first, at the teacher's channels (Chen et al. 2021).

    The attention-based fusion (ABF) of arXiv:2104.09044: every map is brought to ``mid`` channels by a 1x1 convolution;
    the fused map of the stage after it is enlarged to its size (nearest neighbour); two attention maps, made from both,
    say how much of each is kept; and a 3x3 convolution brings the sum to the teacher's channels. The last map, with
    which the review begins, is not fused. ``mid`` is the student's last width and 512 at most, as in mdistiller's
    ``ReviewKD``. Where the sizes of student and teacher differ, that reference resizes the fused map; here it keeps the
    student's size, and the loss pools the larger of the two.
    """

    def __init__(self, student_channels: tuple[int, ...], teacher_channels: tuple[int, ...]) -> None:
        super().__init__()
        mid = min(512, student_channels[-1])
        self.narrow = nn.ModuleList(Connector(channels, mid) for channels in student_channels)
        self.attend = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * mid, 2, 1), nn.Sigmoid()) for _ in range(len(student_channels) - 1)
        )
        self.widen = nn.ModuleList(
            nn.Sequential(nn.Conv2d(mid, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
            for channels in teacher_channels
        )
        for block in (*self.narrow, *self.widen):
            assert isinstance(block, nn.Sequential)
            convolution = block[0]
            assert isinstance(convolution, nn.Conv2d)
            nn.init.kaiming_uniform_(convolution.weight, a=1)

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Maps (B, C, H, W) from input to output, to fused maps (B, C', H, W) in the same order."""
        last = len(maps) - 1
        fused = self.narrow[last](maps[last])
        found = [self.widen[last](fused)]
        for i in reversed(range(last)):
            narrowed = self.narrow[i](maps[i])
            above = functional.interpolate(fused, size=narrowed.shape[2:], mode="nearest")
            attention = self.attend[i](torch.cat((narrowed, above), dim=1))
            fused = narrowed * attention[:, :1] + above * attention[:, 1:]
            found.append(self.widen[i](fused))
        return tuple(reversed(found))


class TeacherHead(nn.Module):
    """The teacher's last layer, behind a regressor of the student's map where channels differ.

    Attributes:
        connector: Brings the map to the teacher's channels; ends in a ReLU, which that layer was trained after.
        weight: Of the last layer, (width, D); never trained.
        bias: (width,); never trained.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, student_channels: int, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        width = weight.shape[1]
        self.connector = Regressor(student_channels, width) if student_channels != width else nn.Identity()
        # Copied into tensors of the current device, which may be the meta device.
        self.register_buffer("weight", torch.empty(weight.shape).copy_(weight.detach()), persistent=False)
        self.register_buffer("bias", torch.empty(bias.shape).copy_(bias.detach()), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Outputs (B, width) of a map (B, D, H, W) at the teacher's channels."""
        return functional.linear(features.mean(dim=(2, 3)), self.weight, self.bias)
