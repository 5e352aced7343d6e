"""Fake quantisation: values rounded as integers of a file would hold them, with gradients to learn through."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_LARGEST = 127
"""Of a symmetric integer of 8 bits: -128 has no counterpart and is not used."""


class _Rounded(torch.autograd.Function):
    """``scale * clamp(round(x / scale), low, high)``, which keeps two tensors and takes few passes over them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
        rounded = (x / scale).clamp_(low, high).round_().mul_(scale)
        ctx.save_for_backward(x, rounded, scale)
        ctx.low, ctx.high = low, high
        return rounded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, rounded, scale = ctx.saved_tensors
        step = scale.item()
        passed = torch.ops.aten.hardtanh_backward(gradient, x, ctx.low * step, ctx.high * step)
        # The sum over what is cut off is that of few numbers, of which none is near any that it is taken from.
        by_step = _inner(gradient, rounded - x) + _inner(gradient - passed, x)
        return passed, by_step / scale, None, None


def _inner(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.reshape(-1), b.reshape(-1))


class _Replaced(torch.autograd.Function):
    """A tensor with other values, through which the gradient passes as it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def rounded(x: Tensor, scale: Tensor, low: int, high: int) -> Tensor:
    """``scale * clamp(round(x / scale), low, high)`` with the gradients of LSQ (Esser et al. 2020, arXiv:1902.08153).

    The gradient by x passes where x lies inside the range and is 0 outside; that by the scale is
    ``round(x / scale) - x / scale`` inside, ``low`` or ``high`` outside.

    Args:
        x: Any shape.
        scale: Of one step, a positive scalar.
        low: Smallest integer, less the zero point.
        high: Largest, likewise.
    """
    return _Rounded.apply(x, scale, low, high)  # type: ignore[no-any-return,no-untyped-call]


def symmetric(weight: Tensor, axis: int | None) -> tuple[Tensor, Tensor]:
    """A weight in steps of its largest magnitude / 127, and these steps; the gradient passes, for nothing is cut off.

    Args:
        weight: Any shape.
        axis: The axis whose every place has a step of its own; None for one step.
    """
    with torch.no_grad():
        magnitude = weight.abs()
        others = [place for place in range(weight.dim()) if place != axis]
        largest = magnitude.amax() if axis is None else magnitude.amax(others, keepdim=True)
        # In float64, as onnxruntime has it: the steps of the file are these to the last bit.
        step = _or_one((largest.double() / _LARGEST).to(weight.dtype))
        values = (weight / step).round_().mul_(step)
    return _replaced(weight, values), step.flatten()


def in_steps(bias: Tensor, inputs: Tensor, weights: Tensor) -> Tensor:
    """A bias in steps of the sums that it is added to, those of inputs times those of weights; the gradient passes.

    Args:
        bias: (C,).
        inputs: The step of the inputs, a scalar.
        weights: Of the weights, (C,) or (1,).
    """
    with torch.no_grad():
        step = inputs * weights
        values = (bias.double() / step).round_().to(bias.dtype).mul_(step)
    return _replaced(bias, values)


def asymmetric(values: Tensor, low: int, high: int) -> Tensor:
    """Constants in steps of their range / 255, with a zero point; the gradient passes.

    Args:
        values: Any shape.
        low: Smallest integer.
        high: Largest.
    """
    with torch.no_grad():
        smallest, largest = values.amin().clamp(max=0), values.amax().clamp(min=0)
        scale = _or_one((largest - smallest) / (high - low))
        zero = (low - smallest / scale).round()
        found = ((values / scale).round_().add_(zero).clamp_(low, high) - zero) * scale
    return _replaced(values, found)


def _replaced(x: Tensor, values: Tensor) -> Tensor:
    return _Replaced.apply(x, values)  # type: ignore[no-any-return,no-untyped-call]


def _or_one(scale: Tensor) -> Tensor:
    """A step; 1 where there is nothing but zeros."""
    return torch.where(scale < torch.finfo(scale.dtype).tiny, torch.ones_like(scale), scale)
