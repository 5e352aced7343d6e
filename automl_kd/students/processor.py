"""A defect of a library that narrow students meet."""

from __future__ import annotations

import os

import torch


def avoid_wrong_gradients() -> None:
    """Keep oneDNN from a path that computes wrong gradients and writes past its memory.

    Where a processor has AVX2 and not AVX-512, the gradient of the weights of a 1x1 convolution with a stride and fewer
    than 8 input channels is wrong for images with channels last, and may end the process (oneDNN issue 6035, seen with
    torch 2.13.0 and oneDNN 3.12). The shortcuts of a narrow residual network are such convolutions. The path for AVX is
    sound; a step of a ResNet of depth 8 took it 2 to 6 % longer. Whoever has set ``ONEDNN_MAX_CPU_ISA`` decides alone.

    It has to be called before the first convolution of the process.
    """
    if torch.backends.cpu.get_cpu_capability() == "AVX2":
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX")
