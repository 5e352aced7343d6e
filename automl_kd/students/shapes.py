"""Networks run for the shapes of their maps alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_SHAPE_KEPT = frozenset(
    {
        *(functional.batch_norm, functional.hardtanh, functional.relu6, functional.hardswish, functional.hardsigmoid),
        *(functional.relu, functional.silu, functional.gelu, functional.dropout, torch.relu, torch.relu_),
        *(torch.sigmoid, torch.Tensor.sigmoid),
    }
)


class OnlyShapes(TorchFunctionMode):
    """While it is active, operators that keep the shape of a meta tensor return an empty one.

    PyTorch computes these shapes through decompositions in Python, which takes most of the time of such a run.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _SHAPE_KEPT and args and args[0].is_meta:
            return torch.empty_like(args[0])
        return func(*args, **(kwargs or {}))
