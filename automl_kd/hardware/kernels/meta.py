"""Modules without numbers: built and run for their shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import init
from torch.overrides import TorchFunctionMode

_META = torch.device("meta")
_CONSTRUCTORS = frozenset(
    {
        *(torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.randint, torch.randperm),
        *(torch.arange, torch.linspace, torch.logspace, torch.eye, torch.tensor, torch.as_tensor, torch.asarray),
        *(torch.scalar_tensor, torch.empty_strided, torch.empty_permuted, torch.tril_indices, torch.triu_indices),
    }
)
_FILLED = frozenset({torch.zeros, torch.ones})  # on the meta device as good as empty, and slower
_INITIALISERS = frozenset(
    {
        *(init.kaiming_uniform_, init.kaiming_normal_, init.uniform_, init.normal_, init.constant_),
        *(torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_),
    }
)


class OnMeta(TorchFunctionMode):
    """While it is active, tensors are made on the meta device and initialisers of meta tensors do nothing.

    ``torch.device("meta")`` does the first; the arithmetic around the second, though it fills no memory, takes most of
    the time of building a module.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _CONSTRUCTORS:
            if kwargs.get("device") is None:
                kwargs["device"] = _META
                if func in _FILLED:
                    func = torch.empty
        elif func in _INITIALISERS:
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)


_SHAPE_KEPT = frozenset({"relu", "hardtanh", "hardsigmoid", "hardswish", "sigmoid", "silu", "gelu", "tanh"})
_WRITTEN_IN_PLACE = frozenset(f"{name}_" for name in _SHAPE_KEPT)
_NORMALISATIONS = frozenset({"native_batch_norm", "_native_batch_norm_legit_no_training"})
_MAX_POOLING = "max_pool2d_with_indices"


def outcome(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operator returns on the meta device.

    PyTorch computes most shapes through decompositions in Python that take up to a millisecond, and a second where they
    are loaded first; those of the few operators that make up nearly all of a network are computed here.

    Args:
        func: The aten overload.
        name: Its name without overload.
        args: Its arguments, tensors on the meta device.
        kwargs: Its keyword arguments.
    """
    if name in _WRITTEN_IN_PLACE:
        return args[0]
    shape = None if kwargs else _shape(name, args)
    if shape is None:
        return func(*args, **kwargs)
    result = torch.empty(shape, dtype=args[0].dtype, device=_META)
    if name in _NORMALISATIONS:
        return result, torch.empty(0, device=_META), torch.empty(0, device=_META)
    if name == _MAX_POOLING:
        return result, torch.empty(shape, dtype=torch.int64, device=_META)
    return result


def _shape(name: str, args: tuple[Any, ...]) -> Sequence[int] | None:
    """The shape of the first result; ``None`` where it is left to PyTorch, which also says what is wrong."""
    if name == "convolution":
        return _convolution(*args)
    if name in _SHAPE_KEPT or name in _NORMALISATIONS:
        shape: Sequence[int] = args[0].shape
        return shape
    if name in ("add", "mul"):
        return _elementwise(args[0], args[1])
    if name == "mean":
        return _mean(*args)
    if name == _MAX_POOLING:
        return _pooling(*args)
    if name == "addmm":
        return _product(args[1], args[2], args[0])
    return None


def _convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    _bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    _output_padding: Sequence[int],
    groups: int,
) -> Sequence[int] | None:
    channels, window = weight.shape[0], weight.shape[2:]
    fits = x.shape[1:2] == (weight.shape[1] * groups,) and channels % groups == 0 and x.dtype == weight.dtype
    return _windowed(x, channels, window, stride, padding, dilation) if fits and not transposed else None


def _pooling(
    x: torch.Tensor,
    window: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    ceil: bool = False,
) -> Sequence[int] | None:
    fits = x.dim() > 2 and not ceil and all(2 * pad <= size for pad, size in zip(padding, window, strict=False))
    return _windowed(x, x.shape[1], window, stride or window, padding, dilation) if fits else None


def _windowed(
    x: torch.Tensor,
    channels: int,
    window: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Sequence[int] | None:
    """The shape after sliding a window: Dumoulin and Visin 2016 (arXiv:1603.07285), relationship 15."""
    sizes = x.shape[2:]
    if not len(sizes) == len(window) == len(stride) == len(padding) == len(dilation):
        return None
    shape = [x.shape[0], channels]
    for size, width, step, pad, spread in zip(sizes, window, stride, padding, dilation, strict=True):
        shape.append((size + 2 * pad - spread * (width - 1) - 1) // step + 1)
    return shape if min(shape) > 0 else None


def _elementwise(a: torch.Tensor, b: Any) -> Sequence[int] | None:
    if not isinstance(b, torch.Tensor) or a.dtype != b.dtype:
        return None
    rank = max(a.dim(), b.dim())
    left, right = ((1,) * (rank - each.dim()) + tuple(each.shape) for each in (a, b))
    if any(m not in (n, 1) and n != 1 for m, n in zip(left, right, strict=True)):
        return None
    return [n if m == 1 else m for m, n in zip(left, right, strict=True)]


def _mean(x: torch.Tensor, axes: Sequence[int] | None = None, keep: bool = False) -> Sequence[int] | None:
    rank = x.dim()
    if not axes or not x.dtype.is_floating_point or any(not -rank <= axis < rank for axis in axes):
        return None
    gone = {axis % rank for axis in axes}
    if len(gone) < len(axes):
        return None
    return [1 if axis in gone else size for axis, size in enumerate(x.shape) if keep or axis not in gone]


def _product(a: torch.Tensor, b: torch.Tensor, summand: torch.Tensor) -> Sequence[int] | None:
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0] or not a.dtype == b.dtype == summand.dtype:
        return None
    shape = (a.shape[0], b.shape[1])
    return shape if summand.shape in ((shape[1],), shape) else None
