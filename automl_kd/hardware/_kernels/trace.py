"""A module to a graph, by running it on the meta device: shapes without weights or arithmetic."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from automl_kd.errors import UserError
from automl_kd.hardware._kernels.graph import Graph, GraphBuilder, moves

_ALIASES: Mapping[str, str] = {
    "add": "add",
    "sub": "sub rsub",
    "mul": "mul",
    "div": "div reciprocal",
    "pow": "pow",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "exp": "exp",
    "log": "log",
    "neg": "neg",
    "abs": "abs",
    "erf": "erf",
    "sin": "sin",
    "cos": "cos",
    "floor": "floor",
    "maximum": "maximum",
    "minimum": "minimum",
    "where": "where masked_fill",
    "compare": "eq ne lt le gt ge",
    "logical": "bitwise_not logical_not logical_and logical_or",
    "relu": "relu",
    "clip": "hardtanh clamp clamp_min clamp_max relu6",
    "leakyrelu": "leaky_relu",
    "prelu": "_prelu_kernel",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "silu": "silu",
    "hardswish": "hardswish",
    "hardsigmoid": "hardsigmoid",
    "gelu": "gelu",
    "elu": "elu",
    "mish": "mish",
    "softplus": "softplus",
    "maxpool": "max_pool2d_with_indices max_pool2d max_pool1d max_pool3d_with_indices adaptive_max_pool2d",
    "avgpool": "avg_pool2d avg_pool1d avg_pool3d _adaptive_avg_pool2d",
    "mean": "mean",
    "reduce": "sum amax amin max min var std argmax linalg_vector_norm",
    "batchnorm": "native_batch_norm _native_batch_norm_legit_no_training _native_batch_norm_legit",
    "layernorm": "native_layer_norm",
    "groupnorm": "native_group_norm",
    "softmax": "_softmax _safe_softmax",
    "logsoftmax": "_log_softmax",
    "concat": "cat stack",
    "slice": "slice select narrow index_select index flip roll",
    "split": "split split_with_sizes unbind chunk",
    "pad": "constant_pad_nd reflection_pad2d replication_pad2d",
    "resize": "upsample_nearest2d _upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d",
    "transpose": "pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle",
    "gather": "gather embedding",
    "repeat": "repeat",
    "scatter": "copy fill zero slice_scatter select_scatter index_put scatter",
}
_TYPES = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
_VIEWS = frozenset(
    {
        *("view", "_unsafe_view", "reshape", "_reshape_alias", "view_as", "flatten", "unflatten", "expand"),
        *("squeeze", "unsqueeze", "detach", "alias", "clone", "contiguous", "_to_copy", "lift", "lift_fresh"),
        *("native_dropout", "dropout"),
    }
)
_KEEP_SHAPE = frozenset({"relu", "hardtanh", "hardsigmoid", "hardswish", "sigmoid", "silu", "gelu", "tanh"})
_NORMALISE = frozenset({"native_batch_norm", "_native_batch_norm_legit_no_training"})
_PERMUTATIONS = frozenset({"permute", "transpose", "t", "numpy_T"})
_PRODUCTS = frozenset({"mm", "bmm", "addmm", "baddbmm", "mv", "dot"})


def trace(module: nn.Module, input_shape: tuple[int, ...]) -> Graph:
    """The operators that ``module`` executes in evaluation on one input.

    The module is not run and not touched: a copy of its structure, with every weight replaced by a meta tensor, is.

    Args:
        module: Maps ``(1, *input_shape)`` to a tensor, or to a collection of tensors.
        input_shape: ``(C, H, W)`` of one input.

    Raises:
        UserError: If the module rejects the shape, or its forward depends on values.
    """
    twin = _meta_twin(module)
    x = torch.empty(1, *input_shape, device="meta")
    recorder = _Recorder()
    source = recorder.define(x)
    try:
        with torch.no_grad(), recorder:
            output = twin(x)
    except (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{type(module).__name__} does not run on an input of shape {input_shape}: {reason}") from error
    results = [recorder.value_of(leaf) for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    return recorder.builder.graph([source], results, sum(p.numel() for p in module.parameters()))


def _meta_twin(module: nn.Module) -> nn.Module:
    """A copy of the structure over meta tensors: the memo makes ``deepcopy`` take them instead of the weights."""
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    for buffer in module.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    try:
        twin = copy.deepcopy(module, memo)
    except (RuntimeError, TypeError) as error:
        raise UserError(f"{type(module).__name__} cannot be copied for tracing: {error}") from error
    for part in twin.modules():
        # Hooks belong to whoever set them (taps, profilers); they must not see the tracer's empty tensors.
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    return twin.eval()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Turns every dispatched aten operator into a graph operator."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.builder = GraphBuilder()
        self._values: dict[int, int] = {}
        self._alive: list[torch.Tensor] = []  # identities stay unique while every tensor lives
        self._twins: dict[int, torch.Tensor] = {}
        self._sharing: dict[int, list[torch.Tensor]] = {}

    def define(self, tensor: torch.Tensor) -> int:
        value = self.builder.value(tensor.shape)
        self._bind(tensor, value)
        return value

    def value_of(self, tensor: torch.Tensor) -> int | None:
        return self._values.get(id(tensor))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        args, kwargs = tree_map(self._to_meta, (args, kwargs or {}))
        name = func.overloadpacket.__name__
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        before = [self.value_of(operand) for operand in operands]
        result = _outcome(func, name, args, kwargs)
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not any(value is not None for value in before) or not outputs:
            return result
        in_place = func._schema.is_mutable and outputs[0] is operands[0]
        self._record(name.removesuffix("_") if in_place else name, args, operands, before, outputs)
        if in_place:
            self._update_aliases(operands[0])
        return result

    def _record(
        self,
        name: str,
        args: tuple[Any, ...],
        operands: list[torch.Tensor],
        values: list[int | None],
        outputs: list[torch.Tensor],
    ) -> None:
        first = outputs[0]
        sizes = [tuple(operand.shape) for operand in operands]
        if name in _VIEWS or (name in _PERMUTATIONS and not moves(sizes[0], _order(name, args, sizes[0]))):
            self._bind(first, values[0])
        elif name == "convolution":
            value = self.builder.convolution(
                values[0], sizes[1], len(operands) > 2, tuple(first.shape), args[3], args[8], args[6]
            )
            self._bind(first, value)
        elif name in _PRODUCTS:
            # addmm and baddbmm take the summand first.
            turn = 1 if name in ("addmm", "baddbmm") else 0
            depth = sizes[turn][-1]
            value = self.builder.dense(
                values[turn:] + values[:turn], sizes[turn:] + sizes[:turn], tuple(first.shape), depth
            )
            self._bind(first, value)
        else:
            kind = "transpose" if name in _PERMUTATIONS else _TYPES.get(name, name)
            # Further outputs of pooling and normalisation are indices and statistics for a backward pass.
            kept = outputs if kind == "split" else outputs[:1]
            results = self.builder.simple(kind, values, sizes, [tuple(output.shape) for output in kept])
            for output, result in zip(kept, results, strict=True):
                self._bind(output, result)

    def _update_aliases(self, changed: torch.Tensor) -> None:
        """After a write in place, every other view of the same memory depends on the written value too."""
        new = self.value_of(changed)
        for other in self._sharing.get(_memory(changed), []):
            old = self.value_of(other)
            if other is not changed and old is not None and old != new:
                size = tuple(other.shape)
                self._bind(other, self.builder.simple("update", [old, new], [size, size], [size])[0])

    def _bind(self, tensor: torch.Tensor, value: int | None) -> None:
        if value is None:
            self._values.pop(id(tensor), None)
            return
        if id(tensor) not in self._values:
            self._alive.append(tensor)
            self._sharing.setdefault(_memory(tensor), []).append(tensor)
        self._values[id(tensor)] = value

    def _to_meta(self, leaf: Any) -> Any:
        """Constants that live on a real device (a plain tensor attribute, ``torch.arange``) join the others on meta."""
        if not isinstance(leaf, torch.Tensor) or leaf.is_meta or leaf.dim() == 0:
            return leaf
        if id(leaf) not in self._twins:
            self._alive.append(leaf)
            self._twins[id(leaf)] = torch.empty_like(leaf, device="meta")
        return self._twins[id(leaf)]


def _outcome(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What an operator returns on the meta device.

    PyTorch computes most shapes through decompositions in Python that take milliseconds; the few operators that make
    up nearly all of a network are known to keep their input's shape and type.
    """
    if name in _KEEP_SHAPE and not kwargs:
        return torch.empty_like(args[0])
    if name in _NORMALISE and not kwargs:
        return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
    if name in ("add", "mul") and isinstance(args[1], torch.Tensor) and args[0].dtype == args[1].dtype:
        shape = torch.broadcast_shapes(args[0].shape, args[1].shape)  # type: ignore[no-untyped-call]
        return torch.empty(shape, dtype=args[0].dtype, device="meta")
    return func(*args, **kwargs)


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _order(name: str, args: tuple[Any, ...], shape: tuple[int, ...]) -> list[int]:
    axes = list(range(len(shape)))
    if name == "permute":
        return [axis % len(shape) for axis in args[1]]
    if name == "transpose":
        a, b = args[1] % len(shape), args[2] % len(shape)
        axes[a], axes[b] = axes[b], axes[a]
        return axes
    return axes[::-1]
