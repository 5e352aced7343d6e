"""The window of an ONNX convolution or pooling, from its attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automl_kd.hardware.kernels.graph import Shape, Window


def window_of(attributes: Mapping[str, Any], taps: Sequence[int], pixels: Shape, results: Shape) -> Window:
    """How the operator slides: ``auto_pad`` as the padding that it comes to, attributes left out as their defaults.

    Args:
        attributes: Of the node.
        taps: Elements of the window by axis.
        pixels: The input's sizes along these axes.
        results: The output's.
    """
    window = Window.of(taps, attributes.get("strides", (1,)), attributes.get("dilations", (1,)))
    mode = attributes.get("auto_pad", b"NOTSET")
    if mode in (b"SAME_UPPER", b"SAME_LOWER"):
        # An odd element of padding lies behind the input, or in front of it.
        before: Sequence[int] = [(total + (mode == b"SAME_LOWER")) // 2 for total in _missing(window, pixels, results)]
    else:
        pads = attributes.get("pads", (0,)) if mode == b"NOTSET" else (0,)
        before = pads[: len(taps)]
    return Window.of(taps, window.stride, window.dilation, before)


def _missing(window: Window, pixels: Shape, results: Shape) -> Iterator[int]:
    """Elements that the windows of all outputs reach beyond the input, by axis."""
    for axis, (size, count) in enumerate(zip(pixels, results, strict=True)):
        reach = (count - 1) * window.stride[axis] + (window.taps[axis] - 1) * window.dilation[axis] + 1
        yield max(0, reach - size)
