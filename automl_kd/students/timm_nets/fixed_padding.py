"""Convolutions whose padding hangs on the size of their input, with the padding that a known size asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_kd.core import import_extra

Padding = tuple[int, int, int, int]
"""Pixels at the left, right, top and bottom."""

Paddings = tuple[tuple[str, Padding], ...]
"""By the path of the convolution."""


@contextmanager
def recorded_paddings(module: nn.Module, found: dict[str, Padding]) -> Iterator[None]:
    """While it is open, write down what the SAME-padded convolutions of timm add to the maps that they take.

    Args:
        module: What is run meanwhile.
        found: Is filled, by the path of the convolution.
    """
    same: type[nn.Conv2d] = import_extra("timm.layers", "timm", "student.family: timm").Conv2dSame

    def recorder(path: str) -> Any:
        def record(conv: nn.Conv2d, inputs: tuple[Tensor]) -> None:
            found[path] = _same(conv, inputs[0].shape[2:])

        return record

    convs = [(path, part) for path, part in module.named_modules() if isinstance(part, same)]
    handles = [conv.register_forward_pre_hook(recorder(path)) for path, conv in convs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def fix_paddings(module: nn.Module, paddings: Paddings) -> None:
    """Replace the convolutions at these paths by ones of fixed padding, which keep the weights.

    As published the padding is computed in every run, which exports as a dozen operators and costs as many kernels.
    """
    for path, padding in paddings:
        parent, _, name = path.rpartition(".")
        conv = module.get_submodule(path)
        assert isinstance(conv, nn.Conv2d)
        setattr(module.get_submodule(parent), name, FixedPadding(conv, padding))


class FixedPadding(nn.Conv2d):
    """A convolution behind a padding that may differ from side to side: (B, C, H, W) to (B, C', H', W').

    Args:
        conv: Whose weights it takes over.
        padding: Of its input.
    """

    def __init__(self, conv: nn.Conv2d, padding: Padding) -> None:
        left, right, top, bottom = padding
        even = left == right and top == bottom
        super().__init__(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,  # type: ignore[arg-type]
            conv.stride,  # type: ignore[arg-type]
            (top, left) if even else 0,
            conv.dilation,  # type: ignore[arg-type]
            conv.groups,
            bias=False,
            device="meta",  # the weights are those of the other
        )
        self.weight, self.bias = conv.weight, conv.bias
        self.before: Padding | None = None if even else padding

    def forward(self, input: Tensor) -> Tensor:
        if self.before is None:
            return super().forward(input)
        if torch.onnx.is_in_onnx_export():
            exported: Tensor = _AsOneNode.apply(input, self.weight, self.bias, self)  # type: ignore[no-untyped-call]
            return exported
        return super().forward(functional.pad(input, self.before))


class _AsOneNode(torch.autograd.Function):
    """How the convolution is exported: ONNX has uneven padding in its convolution, and PyTorch has not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, conv: FixedPadding) -> Tensor:
        assert conv.before is not None
        padded = functional.pad(x, conv.before)
        return functional.conv2d(padded, weight, bias, conv.stride, 0, conv.dilation, conv.groups)

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, bias: Any, conv: FixedPadding) -> Any:
        assert conv.before is not None
        left, right, top, bottom = conv.before
        return g.op(
            "Conv",
            *(x, weight) if conv.bias is None else (x, weight, bias),
            dilations_i=conv.dilation,
            group_i=conv.groups,
            kernel_shape_i=conv.kernel_size,
            pads_i=(top, left, bottom, right),
            strides_i=conv.stride,
        )


def _same(conv: nn.Conv2d, sizes: Sequence[int]) -> Padding:
    """What makes a map of ``ceil(size / stride)`` pixels; the odd pixel stands at the end, as in TensorFlow."""
    sides: list[int] = []
    for axis in (1, 0):
        stride, reach = conv.stride[axis], conv.dilation[axis] * (conv.kernel_size[axis] - 1)
        missing = max(0, (-(-sizes[axis] // stride) - 1) * stride + reach + 1 - sizes[axis])
        sides += [missing // 2, missing - missing // 2]
    left, right, top, bottom = sides
    return left, right, top, bottom
