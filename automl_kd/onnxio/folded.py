"""A module as an ONNX graph whose tensors keep the module's names, with its batch normalisation folded."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from automl_kd.core import Input, UserError, first_line
from automl_kd.onnxio.exporting import quiet_evaluation, traced
from automl_kd.onnxio.scopes import scope

State = Mapping[str, Tensor]
"""The tensors of a module by name, as ``state_dict`` gives them, or live ones through which gradients flow."""

OPSET = 13
"""The first in which weights are quantised by channel; the oldest that runtimes of integers read."""
_FOLDED_INTO = {"Conv": 0, "ConvTranspose": 1, "Gemm": 0}
"""Operators that take a normalisation behind them, and the axis of their weights' outputs."""
_BY_EXAMPLE = (nn.LayerNorm, nn.RMSNorm)


class Derived(Protocol):
    """A tensor of a graph as a function of the module's tensors."""

    def value(self, state: State) -> Tensor:
        """The tensor."""


@dataclass(frozen=True)
class Own:
    """A tensor of the module itself, with its axes in another order where the graph wants them so."""

    name: str
    order: tuple[int, ...] | None = None

    def value(self, state: State) -> Tensor:
        found = state[self.name]
        return found if self.order is None else found.permute(self.order)


@dataclass(frozen=True)
class Table:
    """A table of vectors, of which that of the padding does not learn."""

    table: Derived
    padding: int

    def value(self, state: State) -> Tensor:
        found = self.table.value(state)
        learns = torch.ones(len(found), 1, dtype=torch.bool, device=found.device)
        learns[self.padding] = False
        return torch.where(learns, found, found.detach())


@dataclass(frozen=True)
class Norm:
    """A batch normalisation by its statistics, by the names of its tensors; weight and bias where it learns them."""

    weight: str | None
    bias: str | None
    mean: str
    variance: str
    epsilon: float

    @property
    def path(self) -> str:
        """Where it stands in the module."""
        return self.mean.rpartition(".")[0]

    def scale(self, state: State) -> Tensor:
        """By channel, (C,)."""
        inverse = (state[self.variance] + self.epsilon).rsqrt()
        return inverse if self.weight is None else state[self.weight] * inverse

    def shift(self, state: State) -> Tensor:
        """By channel, (C,)."""
        moved = state[self.mean] * self.scale(state)
        return -moved if self.bias is None else state[self.bias] - moved


@dataclass(frozen=True)
class FoldedWeight:
    """A weight times the scale of the normalisation behind its layer, along the axis of the outputs."""

    weight: Derived
    norm: Norm
    axis: int

    def value(self, state: State) -> Tensor:
        weight = self.weight.value(state)
        shape = [1] * weight.dim()
        shape[self.axis] = -1
        return weight * self.norm.scale(state).view(shape)


@dataclass(frozen=True)
class FoldedBias:
    """The bias of a layer with a normalisation behind it, (C,)."""

    bias: Derived | None
    norm: Norm

    def value(self, state: State) -> Tensor:
        shift = self.norm.shift(state)
        return shift if self.bias is None else shift + self.bias.value(state) * self.norm.scale(state)


@dataclass(frozen=True)
class OfNorm:
    """The scale or the shift of a normalisation that stands alone, shaped to go with maps of so many axes."""

    norm: Norm
    what: str
    axes: int

    def value(self, state: State) -> Tensor:
        found = self.norm.scale(state) if self.what == "scale" else self.norm.shift(state)
        return found.view(-1, *(1,) * (self.axes - 2))


@dataclass(frozen=True, eq=False)
class FoldedNetwork:
    """A module as a graph without batch normalisation.

    Attributes:
        model: The graph, at opset 13, with the values that the module had. Nodes are named by where they stand in it:
            ``/stage2/stage2.0/conv/Conv``. Each tensor of weights is read by one node.
        derived: What each initialiser with a value of the module's is; others are constants.
        floats: Names of the nodes that integers cannot hold: of normalisations by the statistics of an example, whose
            variances span too much, and of those that were to stand apart with all behind them.
    """

    model: onnx.ModelProto
    derived: Mapping[str, Derived]
    floats: tuple[str, ...] = ()

    def tensors(self, state: State) -> dict[str, Tensor]:
        """The values of the initialisers that come from the module, by name."""
        return {name: each.value(state) for name, each in self.derived.items()}

    def with_values(self, state: State) -> onnx.ModelProto:
        """A copy of the graph with the values that other tensors of the same module give."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        with torch.no_grad():
            tensors = self.tensors(state)
        for initializer in model.graph.initializer:
            if initializer.name in tensors:
                initializer.CopyFrom(numpy_helper.from_array(_array(tensors[initializer.name]), initializer.name))
        return model


def fold(
    module: nn.Module, takes: Input, answers: str = "logits", opset: int = OPSET, apart: Collection[str] = ()
) -> FoldedNetwork:
    """The graph of a module as it behaves in evaluation.

    A normalisation right behind a convolution or a matrix product that nothing else reads is folded into it, others
    become a multiplication and a sum.

    Args:
        module: Maps ``(N, *shape)`` to one tensor; on any device. Its training flags are kept.
        takes: What it takes.
        answers: What the output is called.
        opset: Version of the operators.
        apart: Paths of normalisations that are folded into nothing, at the end of the network.

    Raises:
        UserError: If the module cannot be exported, or a weight of it is computed anew in every run.
    """
    content = io.BytesIO()
    with quiet_evaluation(module):
        batch = takes.noise(3, torch.Generator().manual_seed(0))
        traced(module, content, batch, opset, takes.name, answers, named=True)
    model = onnx.load_from_string(content.getvalue())
    with torch.no_grad():
        state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        return _Folding(model, state, module, apart).result()


class _Folding:
    """Rewrites the nodes of an exported graph."""

    def __init__(self, model: onnx.ModelProto, state: State, module: nn.Module, apart: Collection[str]) -> None:
        self._model, self._state, self._name = model, state, type(module).__name__
        self._by_example = [path for path, each in module.named_modules() if isinstance(each, _BY_EXAMPLE)]
        self._apart = frozenset(apart)
        self._padding = {
            f"{path}.weight": each.padding_idx
            for path, each in module.named_modules()
            if isinstance(each, nn.Embedding) and each.padding_idx is not None
        }
        self._constants = {each.name: each for each in model.graph.initializer if each.name not in state}
        self._derived: dict[str, Derived] = {}
        self._renamed: dict[str, str] = {}
        self._axes = _axes(model)

    def result(self) -> FoldedNetwork:
        nodes = self._with_norms_folded(self._without_copies())
        self._refuse_computed_weights(nodes)
        graph = self._model.graph
        read = {name for node in nodes for name in node.input} | {each.name for each in graph.output}
        for name in read & self._state.keys():
            self._derived.setdefault(name, Own(name))
        read |= self._copied_for_readers(nodes)
        self._derived = {name: each for name, each in self._derived.items() if name in read}
        values = {name: each.value(self._state) for name, each in self._derived.items()}
        constants = [each for name, each in self._constants.items() if name in read]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(copies)
        graph.initializer.extend(constants)
        graph.initializer.extend(numpy_helper.from_array(_array(value), name) for name, value in values.items())
        try:
            onnx.checker.check_model(self._model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise UserError(f"cannot fold {self._name} into a graph: {first_line(error)}") from error
        return FoldedNetwork(self._model, self._derived, tuple(self._floats()))

    def _without_copies(self) -> list[onnx.NodeProto]:
        """The nodes that compute: constants become initialisers, copies and transposed weights names of their own."""
        kept = []
        for node in self._model.graph.node:
            node.input[:] = [self._renamed.get(name, name) for name in node.input]
            source = node.input[0] if node.input else ""
            if node.output[0] in self._state:
                continue  # the exporter keeps equal tensors once, and names the others as copies
            if node.op_type == "Constant":
                value = next(item.t for item in node.attribute if item.name == "value")
                self._constants[node.output[0]] = numpy_helper.from_array(numpy_helper.to_array(value), node.output[0])
            elif node.input and all(name in self._constants for name in node.input if name):
                self._constants |= self._computed(node)  # the quantiser would round sizes and scales
            elif node.op_type in ("Identity", "Dropout"):
                self._renamed[node.output[0]] = source
            elif node.op_type == "Transpose" and source in self._state:
                order = next(tuple(item.ints) for item in node.attribute if item.name == "perm")
                self._derived[node.output[0]] = Own(source, order)
            else:
                kept.append(node)
        return kept

    def _computed(self, node: onnx.NodeProto) -> dict[str, onnx.TensorProto]:
        """The results of a node of constants."""
        given = {name: numpy_helper.to_array(self._constants[name]) for name in node.input if name}
        results = ReferenceEvaluator(node, opsets={"": OPSET}).run(None, given)
        return {
            name: numpy_helper.from_array(np.asarray(value), name)
            for name, value in zip(node.output, results, strict=True)
        }

    def _with_norms_folded(self, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        uses = Counter(name for node in nodes for name in node.input)
        uses.update(each.name for each in self._model.graph.output)
        makers = {name: node for node in nodes for name in node.output}
        kept: list[onnx.NodeProto] = []
        for node in nodes:
            if node.op_type != "BatchNormalization":
                kept.append(node)
                continue
            norm = self._norm(node)
            layer = makers.get(node.input[0])
            axis = None if layer is None or self._stands_apart(node) else self._axis(layer)
            if norm is None:
                kept.append(node)
            elif layer is not None and axis is not None and uses[node.input[0]] == 1:
                self._fold_into(layer, axis, norm)
                layer.output[0] = node.output[0]
            else:
                kept += self._alone(node, norm)
        return kept

    def _copied_for_readers(self, nodes: list[onnx.NodeProto]) -> set[str]:
        """Give each node after the first that reads a tensor of weights a copy of its own; the copies' names.

        onnxruntime opens no file in which two layers of integers read one weight, and each rounds its bias in steps
        of its own.
        """
        of_module = dict(self._derived)
        read: set[str] = set()
        copies: set[str] = set()
        for node in nodes:
            for place, name in enumerate(node.input):
                if name not in of_module:
                    continue
                if name in read:
                    node.input[place] = f"{name}:{node.name}:{place}"
                    copies.add(node.input[place])
                self._derived[node.input[place]] = self._as_read(node, of_module[name])
                read.add(name)
        return copies

    def _as_read(self, node: onnx.NodeProto, tensor: Derived) -> Derived:
        padding = self._padding.get(tensor.name) if isinstance(tensor, Own) else None
        return tensor if padding is None or node.op_type != "Gather" else Table(tensor, padding)

    def _floats(self) -> Iterator[str]:
        own, apart = (tuple(map(scope, paths)) for paths in (self._by_example, self._apart))
        behind: set[str] = set()
        for node in self._model.graph.node:
            if node.name.startswith(apart) or not behind.isdisjoint(node.input):
                behind.update(node.output)
                yield node.name
            elif node.name.startswith(own):
                yield node.name

    def _stands_apart(self, node: onnx.NodeProto) -> bool:
        return node.input[3].rpartition(".")[0] in self._apart

    def _axis(self, layer: onnx.NodeProto) -> int | None:
        """The axis of a layer's outputs in its weight; None where it takes no normalisation."""
        axis = _FOLDED_INTO.get(layer.op_type)
        if axis is None or not (layer.input[1] in self._state or layer.input[1] in self._derived):
            return None
        groups = next((item.i for item in layer.attribute if item.name == "group"), 1)
        if layer.op_type == "ConvTranspose" and groups > 1:
            return None
        if layer.op_type == "Gemm" and not any(item.name == "transB" and item.i for item in layer.attribute):
            return 1
        return axis

    def _norm(self, node: onnx.NodeProto) -> Norm | None:
        weight, bias, mean, variance = node.input[1:5]
        learns = weight in self._state and bias in self._state
        alone = self._all(weight, 1) and self._all(bias, 0)
        if mean not in self._state or variance not in self._state or not (learns or alone):
            return None
        epsilon = next((item.f for item in node.attribute if item.name == "epsilon"), 1e-5)
        return Norm(weight if learns else None, bias if learns else None, mean, variance, epsilon)

    def _all(self, name: str, value: float) -> bool:
        """Whether a tensor is a constant of nothing but this value."""
        return name in self._constants and bool((numpy_helper.to_array(self._constants[name]) == value).all())

    def _fold_into(self, layer: onnx.NodeProto, axis: int, norm: Norm) -> None:
        weight, *rest = layer.input[1:]
        folded, shift = f"{weight}:folded", f"{weight}:shift"
        if folded in self._derived:  # of the same weight in another layer, or before another normalisation
            folded, shift = f"{folded}:{layer.name}", f"{shift}:{layer.name}"
        bias = self._own(rest[0]) if rest else None
        self._derived[folded] = FoldedWeight(self._own(weight), norm, axis)
        self._derived[shift] = FoldedBias(bias, norm)
        layer.input[:] = [layer.input[0], folded, shift]

    def _own(self, name: str) -> Derived:
        return self._derived.get(name, Own(name))

    def _alone(self, node: onnx.NodeProto, norm: Norm) -> Iterable[onnx.NodeProto]:
        axes = self._axes.get(node.input[0])
        if axes is None:
            raise UserError(f"cannot fold {self._name} into a graph: the shape of {node.input[0]} is not known")
        scale, shift, between = f"{norm.path}:scale", f"{norm.path}:offset", f"{node.output[0]}:scaled"
        self._derived[scale], self._derived[shift] = OfNorm(norm, "scale", axes), OfNorm(norm, "shift", axes)
        yield helper.make_node("Mul", [node.input[0], scale], [between], f"{node.name}/Mul")
        yield helper.make_node("Add", [between, shift], [node.output[0]], f"{node.name}/Add")

    def _refuse_computed_weights(self, nodes: list[onnx.NodeProto]) -> None:
        """A layer whose weight is computed of others in every run has none that could be quantised."""
        of_module = {*self._state, *self._derived}
        fixed = of_module | self._constants.keys()
        for node in nodes:
            if all(name in fixed for name in node.input if name):
                fixed.update(node.output)
            elif node.op_type in _FOLDED_INTO and node.input[1] in fixed - of_module - self._constants.keys():
                raise UserError(f"cannot fold {self._name} into a graph: the weight of {node.name} is computed")


def _axes(model: onnx.ModelProto) -> dict[str, int]:
    """How many axes each tensor has, where that is known."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph  # with the values of sizes: of reshapes, too
    types = {each.name: each.type.tensor_type for each in [*graph.input, *graph.value_info, *graph.output]}
    known = {name: len(type.shape.dim) for name, type in types.items() if type.HasField("shape")}
    weights = {each.name: len(each.dims) for each in model.graph.initializer}
    convolutions = (node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose"))
    return {node.output[0]: weights[node.input[1]] for node in convolutions if node.input[1] in weights} | known


def _array(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
