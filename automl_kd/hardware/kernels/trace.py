"""A module to a graph, by running it on the meta device: shapes without weights or arithmetic."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from automl_kd.core import Input, UserError
from automl_kd.hardware.kernels.builder import ONE, ZERO, GraphBuilder
from automl_kd.hardware.kernels.graph import TYPES, Graph, Shape, Window
from automl_kd.hardware.kernels.meta import OnMeta, outcome
from automl_kd.hardware.kernels.torch_types import (
    ARITHMETIC,
    ATTENTION,
    FILLS,
    INTERPOLATION,
    PERMUTATIONS,
    PRODUCTS,
    RECURRENT,
    TYPE_OF,
    VIEWS,
    ZEROS,
    axes_of,
    order_of,
    window_of,
)

_META = torch.device("meta")
_SMALL = 4096  # elements; a larger constant tensor is not looked through for zeros

_FAILURES = (RuntimeError, ValueError, IndexError, TypeError, NotImplementedError)


def trace(
    module: nn.Module,
    input_shape: tuple[int, ...] | None,
    inputs: Mapping[str, tuple[int, ...]] | None = None,
) -> Graph:
    """The operators that ``module`` executes in evaluation in one run.

    The module is not run and not touched: a copy of its structure, with every weight replaced by a meta tensor, is.
    Inputs are float tensors; a module with embeddings that rejects them is given integer tokens.

    Args:
        module: Returns a tensor, or a collection of tensors.
        input_shape: Of the first input without its batch of one: ``(C, H, W)`` of one image, ``(T,)`` of one sequence
            of tokens, and so on; ``None`` where ``inputs`` names it.
        inputs: Whole shapes by parameters of ``forward``.

    Raises:
        UserError: If the module rejects the shapes, or its forward depends on values.
    """
    zeros: list[torch.Tensor] = []
    return _graph(_meta_twin(module, zeros), zeros, _Inputs.of(input_shape, inputs))


def trace_built(build: Callable[[], nn.Module], takes: Input) -> Graph:
    """As ``trace``, of a module that is built for nothing else: without weights, random numbers or a copy.

    Args:
        build: Makes a new module.
        takes: What it takes.

    Raises:
        UserError: As ``trace``.
    """
    with OnMeta():
        module = build()
    if not all(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
        return trace(module, takes.shape)
    return _graph(module.eval(), [], _Inputs.of(takes.shape, None), (getattr(torch, takes.dtype),))


@dataclass(frozen=True, slots=True)
class _Inputs:
    """Whole shapes of what a module is called with, by position and by name."""

    positional: tuple[Shape, ...]
    named: Mapping[str, Shape]

    @staticmethod
    def of(input_shape: tuple[int, ...] | None, named: Mapping[str, tuple[int, ...]] | None) -> _Inputs:
        return _Inputs(() if input_shape is None else ((1, *input_shape),), named or {})

    def __len__(self) -> int:
        return len(self.positional) + len(self.named)

    def __str__(self) -> str:
        if not self.named and len(self.positional[0]) > 0:
            return f"an input of shape {self.positional[0][1:]}"
        named = [f"{name}={shape}" for name, shape in self.named.items()]
        return f"inputs of shape {', '.join([*map(str, self.positional), *named])}"

    def tensors(self, dtypes: Sequence[torch.dtype]) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        """Meta tensors of these types."""
        shapes = (*self.positional, *self.named.values())
        made = [torch.empty(shape, device="meta", dtype=dtype) for shape, dtype in zip(shapes, dtypes, strict=True)]
        first = len(self.positional)
        return made[:first], dict(zip(self.named, made[first:], strict=True))


def _graph(twin: nn.Module, zeros: list[torch.Tensor], inputs: _Inputs, known: Sequence[torch.dtype] = ()) -> Graph:
    """The graph; of inputs that are ``known`` by their types, or else floats, or else integer tokens."""
    try:
        return _traced(twin, zeros, inputs, known or (torch.float32,) * len(inputs))
    except _FAILURES as error:
        failure: Exception = error
    if any(isinstance(part, nn.Embedding | nn.EmbeddingBag) for part in twin.modules()):
        # What has more axes was meant to be no text.
        tokens = bool(inputs.positional) and len(inputs.positional[0]) == 2
        for dtypes in list(product((torch.int64, torch.float32), repeat=len(inputs)))[:-1]:
            try:
                return _traced(twin, zeros, inputs, dtypes)
            except _FAILURES as error:
                failure = error if tokens and dtypes[0] is torch.int64 else failure
    reason = str(failure).strip().splitlines()[0] if str(failure).strip() else type(failure).__name__
    raise UserError(f"{type(twin).__name__} does not run on {inputs}: {reason}") from failure


def _traced(twin: nn.Module, zeros: list[torch.Tensor], inputs: _Inputs, dtypes: Sequence[torch.dtype]) -> Graph:
    positional, named = inputs.tensors(dtypes)
    recorder = _Recorder(zeros)
    sources = [recorder.define(x) for x in (*positional, *named.values())]
    recurrent = any(isinstance(part, nn.RNNBase) for part in twin.modules())
    with torch.no_grad(), _uncompiled(), recorder, _Recurrences(recorder) if recurrent else contextlib.nullcontext():
        output = twin(*positional, **named)
    leaves = [leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    results = [(recorder.value_of(leaf), tuple(leaf.shape)) for leaf in leaves]
    return recorder.builder.graph(sources, results, sum(p.numel() for p in twin.parameters()))


def _uncompiled() -> contextlib.AbstractContextManager[object]:
    """Compiled modules run as they were written; there are none where the compiler was never loaded."""
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()


def _meta_twin(module: nn.Module, zeros: list[torch.Tensor]) -> nn.Module:
    """A copy of the structure over meta tensors: the memo makes ``deepcopy`` take them instead of the weights.

    Buffers that are zero everywhere are added to ``zeros``; a parameter that is zero now is none after training.
    """
    memo: dict[int, Any] = {}
    for parameter in module.parameters():
        memo[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=False)
    for buffer in module.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
        if not buffer.is_meta and buffer.numel() <= _SMALL and not buffer.any():
            zeros.append(memo[id(buffer)])
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

    def __init__(self, zeros: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.builder = GraphBuilder()
        self._values: dict[int, int] = {id(tensor): ZERO for tensor in zeros}
        self._alive: list[torch.Tensor] = []  # identities stay unique while every tensor lives
        self._twins: dict[int, torch.Tensor] = {}
        self._sharing: dict[int, dict[int, torch.Tensor]] = {}  # by memory, then by identity
        self._made: set[int] = set()  # memory of constants that the network makes

    def define(self, tensor: torch.Tensor) -> int:
        value = self.builder.value(tensor.shape)
        self._bind(tensor, value)
        return value

    def value_of(self, tensor: torch.Tensor) -> int | None:
        return self._values.get(id(tensor))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Shielding this mode from the compiler would load the compiler, which takes a second; ``_uncompiled`` does."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        operands = _tensors((*args, *kwargs.values()))
        if any(self._is_foreign(operand) for operand in operands):
            args, kwargs = tree_map(self._to_meta, (args, kwargs))
            operands = _tensors((*args, *kwargs.values()))
        if name in FILLS:
            result = func(*args, **{**kwargs, "device": _META})
            self._fill(result, ZERO if name in ZEROS else None)
            return result
        before = [self.value_of(operand) for operand in operands]
        result = outcome(func, name, args, kwargs)
        outputs = _tensors(result if isinstance(result, list | tuple) else (result,))
        if not outputs:
            return result
        if not any(value is not None for value in before):
            if self._made and _memory(outputs[0]) in self._made:
                self._share(outputs[0])
            return result
        in_place = func._schema.is_mutable and outputs[0] is operands[0]
        self._record(name.removesuffix("_") if in_place else name, args, operands, before, outputs)
        if in_place:
            self._update_aliases(operands[0])
        return result

    def recurrent(
        self, name: str, x: torch.Tensor, states: Sequence[torch.Tensor], weights: Sequence[torch.Tensor], form: _Form
    ) -> list[torch.Tensor]:
        """All layers of a recurrent network; each is one operator per direction."""
        directions = 2 if form.bidirectional else 1
        per_layer = len(weights) // form.layers
        batch = x.shape[0] if form.batch_first and x.dim() == 3 else x.shape[-2] if x.dim() == 3 else 1
        positions = (x.shape[:-1].numel() // batch, batch)
        hidden = states[0].shape[-1]
        value = self.value_of(x)
        initial = [value for value in map(self.value_of, states) if value is not None and value >= 0]
        last: list[list[int | None]] = []
        for layer in range(form.layers):
            own = weights[layer * per_layer : (layer + 1) * per_layer]
            parts = [
                own[start : start + per_layer // directions] for start in range(0, per_layer, per_layer // directions)
            ]
            matrices = [sum(w.numel() for w in part if w.dim() == 2) for part in parts]
            biases = [sum(w.numel() for w in part if w.dim() == 1) for part in parts]
            value, *ends = self.builder.recurrent(name, [value, *initial], positions, hidden, matrices, biases)
            last.append(ends)
        steps = torch.empty(*x.shape[:-1], directions * hidden, device="meta", dtype=x.dtype)
        self._bind(steps, value)
        outputs = [steps]
        for state, of_layers in zip(states, zip(*last, strict=True), strict=True):
            end = torch.empty_like(state)
            sizes = [(batch, directions * hidden)] * form.layers
            several = form.layers > 1
            joined = self.builder.simple("concat", of_layers, sizes, [tuple(end.shape)]) if several else of_layers
            self._bind(end, joined[0])
            outputs.append(end)
        return outputs

    def _fill(self, tensor: torch.Tensor, value: int | None) -> None:
        """A constant that the network makes; what is later written into it in place makes it a value."""
        self._made.add(_memory(tensor))
        self._share(tensor)
        self._bind(tensor, value)

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
        if name in PERMUTATIONS:
            self._bind(first, self.builder.transpose(values[0], sizes[0], order_of(name, args, sizes[0])))
        elif name in VIEWS:
            # A transposition goes on through what keeps the shape, and is done where the shape changes.
            value = values[0] if tuple(first.shape) == sizes[0] else self.builder.read(values[0])
            if name == "squeeze":  # behind a pooling along one axis, which PyTorch makes of one along two
                self.builder.narrow(value, tuple(first.shape))
            self._bind(first, value)
        elif name == "convolution":
            stride, before, dilation, back, groups = args[3], args[4], args[5], args[6], args[8]
            window = Window.of(sizes[1][2:], stride, dilation, before)
            value = self.builder.convolution(values, sizes[0], sizes[1], tuple(first.shape), window, groups, back)
            self._bind(first, value)
        elif name in PRODUCTS:
            # addmm and baddbmm take what is added as their first operand.
            turn = 1 if name in ("addmm", "baddbmm") else 0
            depth = sizes[turn][-1]
            value = self.builder.dense(
                values[turn:] + values[:turn], sizes[turn:] + sizes[:turn], tuple(first.shape), depth
            )
            self._bind(first, value)
        elif name in ATTENTION:
            keys, width, depth = sizes[1][-2], sizes[2][-1], sizes[0][-1]
            n, heads, tokens, _ = sizes[0]
            flops = 2 * n * heads * tokens * keys * (depth + width)
            written = (n, tokens, heads, width)  # heads side by side, however PyTorch shows them
            value = self.builder.attention(list(map(self.builder.stored, values[:3])), written, flops, 0)
            self._bind(first, self.builder.transpose(value, written, (0, 2, 1, 3)))
        else:
            kind = TYPE_OF.get(name, name)
            if name in ARITHMETIC and len(args) > 1:
                if not isinstance(args[1], torch.Tensor):
                    values, sizes = [*values, _number(args[1])], [*sizes, ()]
                elif not args[1].is_meta:
                    values = [*values[:-1], _number(args[1].item())]
            if kind == "pow" and not (name == "pow" and args[1] == 2):
                kind = "power"
            if kind == "batchnorm" and any(item is True for item in args[3:6]):
                kind = "instancenorm"  # statistics of the input itself do not fold into a convolution
            # Further outputs of pooling and normalisation are indices and statistics for a backward pass.
            kept = outputs if kind == "split" or kind not in TYPES else outputs[:1]
            shapes = [tuple(output.shape) for output in kept]
            reads = INTERPOLATION.get(name)
            results = self.builder.simple(
                kind, values, sizes, shapes, window_of(name, args), reads, axes_of(kind, args)
            )
            for output, result in zip(kept, results, strict=True):
                self._bind(output, result)

    def _update_aliases(self, changed: torch.Tensor) -> None:
        """After a write in place, every other view of the same memory depends on the written value too."""
        new = self.value_of(changed)
        for other in tuple(self._sharing.get(_memory(changed), {}).values()):
            old = self.value_of(other)
            if other is not changed and old != new:
                size = tuple(other.shape)
                self._bind(other, self.builder.simple("update", [old, new], [size, size], [size])[0])

    def _bind(self, tensor: torch.Tensor, value: int | None) -> None:
        if value is None:
            self._values.pop(id(tensor), None)
            return
        if id(tensor) not in self._values:
            self._share(tensor)
        self._values[id(tensor)] = value

    def _share(self, tensor: torch.Tensor) -> None:
        self._alive.append(tensor)
        self._sharing.setdefault(_memory(tensor), {})[id(tensor)] = tensor

    @staticmethod
    def _is_foreign(tensor: torch.Tensor) -> bool:
        return not tensor.is_meta and tensor.dim() > 0

    def _to_meta(self, leaf: Any) -> Any:
        """Constants that live on a real device (a plain tensor attribute, ``torch.arange``) join the others on meta."""
        if not isinstance(leaf, torch.Tensor) or not self._is_foreign(leaf):
            return leaf
        if id(leaf) not in self._twins:
            self._alive.append(leaf)
            twin = self._twins[id(leaf)] = torch.empty_like(leaf, device="meta")
            if leaf.numel() <= _SMALL and not leaf.any():
                self._fill(twin, ZERO)
        return self._twins[id(leaf)]


@dataclass(frozen=True, slots=True)
class _Form:
    layers: int
    bidirectional: bool
    batch_first: bool


class _Recurrences(TorchFunctionMode):
    """Sees a recurrent network as a whole, before it falls into the operators of every step."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = RECURRENT.get(getattr(func, "__name__", ""))
        # Packed sequences come with their batch sizes in place of the states.
        if name is None or kwargs or not isinstance(args[2], list):
            return func(*args, **(kwargs or {}))
        x, states, weights, _, layers, _, _, bidirectional, batch_first = args
        initial = [states] if isinstance(states, torch.Tensor) else list(states)
        form = _Form(layers, bidirectional, batch_first)
        return tuple(self._recorder.recurrent(name, x, initial, weights, form))


def _tensors(arguments: Iterable[Any]) -> list[torch.Tensor]:
    """The tensors among the arguments or results of an operator; nothing nests deeper than a list."""
    found: list[torch.Tensor] = []
    for item in arguments:
        if isinstance(item, torch.Tensor):
            found.append(item)
        elif isinstance(item, list | tuple):
            found += [part for part in item if isinstance(part, torch.Tensor)]
    return found


def _number(value: Any) -> int | None:
    if value == 0:
        return ZERO
    return ONE if value == 1 else None


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
