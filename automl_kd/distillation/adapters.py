"""Modules that bring the student's features to the teacher's channels; trained beside the student, never part of it."""

from __future__ import annotations

from torch import nn


class Regressor(nn.Sequential):
    """1x1 convolution, batch normalisation and ReLU: maps (B, C, H, W) to (B, C', H, W).

    The regressor of FitNets (Romero et al. 2015, arXiv:1412.6550) in the form of RepDistiller's ``ConvReg``, except
    that sizes are brought together by pooling the larger map, in the loss.
    """

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(
            nn.Conv2d(student_channels, teacher_channels, 1, bias=False),
            nn.BatchNorm2d(teacher_channels),
            nn.ReLU(inplace=True),
        )
