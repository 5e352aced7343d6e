"""A network in evaluation without batch normalisation: folded into the layer before, or a scale and a shift."""

from __future__ import annotations

from typing import TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from automl_kd.students import LabelUnit

N = TypeVar("N", bound=nn.Module)
_TIMMS = "timm.layers.norm_act"
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class ScaleShift(nn.Module):
    """``scale * x + shift`` by channel, x (B, C, …): what a batch normalisation does in evaluation.

    Args:
        norm: The normalisation; its statistics are those of training.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        with torch.no_grad():
            spread = (norm.running_var + norm.eps).rsqrt()
            scale = spread if norm.weight is None else norm.weight * spread
            shift = -norm.running_mean * scale if norm.bias is None else norm.bias - norm.running_mean * scale
        self.register_buffer("scale", scale.detach().clone())
        self.register_buffer("shift", shift.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        shape = (-1, *(1,) * (x.dim() - 2))
        return x * self.scale.view(shape) + self.shift.view(shape)


def without_normalisation(network: N) -> N:
    """Replace, in place, every batch normalisation that has statistics.

    In an ``nn.Sequential`` it is folded into the convolution or linear layer right before it. Elsewhere it becomes a
    :class:`ScaleShift`: only a sequence says that nothing else reads what the layer before returns. What else the
    layer does stays behind it. The unit of labels is folded into nothing.

    Args:
        network: In evaluation mode; no batch normalisation itself.

    Returns:
        ``network``.
    """
    for parent in list(network.modules()):
        if isinstance(parent, nn.Sequential):
            _fold(parent)
        for name, child in list(parent.named_children()):
            if isinstance(child, LabelUnit):
                setattr(parent, name, child.apart())
            elif _fixed(child):
                setattr(parent, name, nn.Sequential(ScaleShift(child), *child.children()))
    return network


def _fold(sequence: nn.Sequential) -> None:
    for place in range(len(sequence) - 1):
        layer, norm = sequence[place], sequence[place + 1]
        if not _fixed(norm):
            continue
        if isinstance(layer, _CONVOLUTIONS):
            sequence[place] = fuse_conv_bn_eval(layer, norm)
        elif isinstance(layer, nn.Linear):
            sequence[place] = fuse_linear_bn_eval(layer, norm)
        else:
            continue
        sequence[place + 1] = nn.Sequential(*norm.children())


def _fixed(module: nn.Module) -> TypeGuard[_BatchNorm]:
    """Whether it is a batch normalisation that computes with the statistics of training, and nothing unknown."""
    if not isinstance(module, _BatchNorm) or module.running_mean is None or module.running_var is None:
        return False
    return type(module).forward is _BatchNorm.forward or _is_timms(module)


def _is_timms(norm: _BatchNorm) -> bool:
    """Whether it is timm's normalisation, whose children are the dropout and the activation behind it."""
    return type(norm).__module__ == _TIMMS and [name for name, _ in norm.named_children()] == ["drop", "act"]
