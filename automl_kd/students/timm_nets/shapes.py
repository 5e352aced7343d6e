"""Networks made and run for the shapes of their maps alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional, init
from torch.overrides import TorchFunctionMode

_SHAPE_KEPT = frozenset(
    {
        *(functional.batch_norm, functional.hardtanh, functional.relu6, functional.hardswish, functional.hardsigmoid),
        *(functional.relu, functional.silu, functional.gelu, functional.dropout, torch.relu, torch.relu_),
        *(torch.sigmoid, torch.Tensor.sigmoid),
    }
)
_INITIALISERS = frozenset(
    {
        *(init.kaiming_uniform_, init.kaiming_normal_, init.uniform_, init.normal_, init.constant_, init.trunc_normal_),
        *(init.zeros_, init.ones_, torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_),
    }
)


class OnlyShapes(TorchFunctionMode):
    """While it is active, initialisers of meta tensors do nothing; operators that keep their shape return empty ones.

    PyTorch computes both through decompositions in Python, which take most of the time of making and running a network.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")  # initialisers hand it on by name
        if isinstance(tensor, torch.Tensor) and tensor.is_meta:
            if func in _SHAPE_KEPT:
                return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
            if func in _INITIALISERS:
                return tensor
        return func(*args, **kwargs)
